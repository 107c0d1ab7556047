import Diagnostics
import LSTMCore
import OrderedJSON

/// The one way to read the settings of a layer: absent or `null`, a setting has its default; there, it
/// must be what it has to be. A wrong value is never taken for the default.
///
/// Keras has given some settings several names; the first that is there counts.
extension KerasConfig {
  /// A setting as it is; `nil` when it is absent or `null`.
  func value(_ names: String...) -> JSONValue? { found(names)?.value }

  /// A setting as it stands, `null` included; `nil` when it is absent.
  func given(_ name: String) -> JSONValue? { settings[name] }

  /// An integer; `nil` when the setting is absent.
  ///
  /// - Throws: `DiagnosticError` with code `malformedCheckpoint` for anything but an integer in the
  ///   range.
  func integer(
    _ names: String..., in range: ClosedRange<Int> = .settings
  ) throws(DiagnosticError) -> Int? {
    guard let (name, value) = found(names) else { return nil }
    guard let integer = value.intValue, range.contains(integer) else {
      throw wrong(name, value, "an integer\(range.phrase)")
    }
    return integer
  }

  /// Integers, given as a list or as one alone; `nil` when the setting is absent.
  func integers(
    _ names: String..., in range: ClosedRange<Int> = .settings
  ) throws(DiagnosticError) -> [Int]? {
    guard let (name, value) = found(names) else { return nil }
    let list = value.arrayValue ?? [value]
    let integers = list.compactMap(\.intValue)
    guard integers.count == list.count, integers.allSatisfy(range.contains) else {
      throw wrong(name, value, "integers\(range.phrase)")
    }
    return integers
  }

  /// A size of a window over time, a stride, a dilation or a number of groups, given alone or as a list
  /// of one; `nil` when the setting is absent.
  func size(_ names: String...) throws(DiagnosticError) -> Int? {
    guard let (name, value) = found(names) else { return nil }
    let one = value.arrayValue.map { $0.count == 1 ? $0[0] : value } ?? value
    guard let size = one.intValue, ClosedRange.sizes.contains(size) else {
      throw wrong(name, value, "an integer\(ClosedRange.sizes.phrase)")
    }
    return size
  }

  /// The sizes of a shape, `nil` for one that is open; `nil` when the setting is absent.
  func shape(_ names: String...) throws(DiagnosticError) -> [Int?]? {
    guard let (name, value) = found(names) else { return nil }
    guard let list = value.arrayValue,
      list.allSatisfy({ size in
        size == .null
          || size.intValue.map { (0...ClosedRange.shapes.upperBound).contains($0) } == true
      })
    else { throw wrong(name, value, "a list of sizes") }
    return list.map(\.intValue)
  }

  /// A number; `nil` when the setting is absent.
  func float(_ names: String...) throws(DiagnosticError) -> Float? {
    guard let (name, value) = found(names) else { return nil }
    // Keras 3 writes arrays as objects.
    guard let number = value.doubleValue ?? value["config"]?["value"]?.doubleValue,
      Float(number).isFinite
    else { throw wrong(name, value, "a number of float32") }
    return Float(number)
  }

  /// A truth value; Python's 0, 1 and None (false) are some, too.
  func flag(_ name: String, default standard: Bool = false) throws(DiagnosticError) -> Bool {
    switch settings[name] {
    case nil: return standard
    case .bool(let value): return value
    case .integer(let value) where (0...1).contains(value): return value == 1
    case .null: return false
    case .some(let other): throw wrong(name, other, "true or false")
    }
  }

  /// Text; `nil` when the setting is absent.
  func text(_ names: String...) throws(DiagnosticError) -> String? {
    guard let (name, value) = found(names) else { return nil }
    guard let text = value.stringValue else { throw wrong(name, value, "text") }
    return text
  }

  /// The name of a type of elements: text, or a policy that has one; `nil` when the setting is absent.
  func typeName(_ names: String...) throws(DiagnosticError) -> String? {
    guard let (name, value) = found(names) else { return nil }
    guard let text = value.stringValue ?? value["config"]?["name"]?.stringValue else {
      throw wrong(name, value, "the name of a type")
    }
    return text
  }

  /// A list; `nil` when the setting is absent.
  func list(_ name: String) throws(DiagnosticError) -> [JSONValue]? {
    guard let (name, value) = found([name]) else { return nil }
    guard let list = value.arrayValue else { throw wrong(name, value, "a list") }
    return list
  }

  /// Whether a layer has its channels before its steps.
  var isChannelsFirst: Bool {
    get throws(DiagnosticError) { try text("data_format") == "channels_first" }
  }

  private func found(_ names: [String]) -> (name: String, value: JSONValue)? {
    for name in names {
      if let value = settings[name], value != .null { return (name, value) }
    }
    return nil
  }

  private func wrong(
    _ setting: String, _ found: JSONValue, _ expected: String
  ) -> DiagnosticError {
    let text = found.serialized()
    return DiagnosticError(
      .malformedCheckpoint, object: name,
      "\(className): the setting '\(setting)': expected \(expected), found "
        + (text.count > 60 ? text.prefix(60) + "…" : text))
  }
}
