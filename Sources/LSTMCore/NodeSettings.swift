public import Diagnostics

extension DiagnosticError.Code {
  /// A setting of a node is not of the kind that it has to be, or beyond what it may be.
  public static let badSetting = Self("graph.setting", .malformedInput)
}

/// The one way to read the settings of a node.
///
/// Absent, a setting has its default; there, it must be what it has to be. A wrong value is never taken
/// for the default.
package protocol NodeSettings {
  /// The name of the layer or node.
  var name: String { get }
  /// The operation.
  var operation: String { get }
  /// The settings by name.
  var attributes: [String: GraphAttribute] { get }
}

extension GraphNode: NodeSettings {}

extension ClosedRange<Int> {
  /// Integers that a setting holds exactly.
  package static var settings: ClosedRange<Int> { -(1 << 53)...1 << 53 }
  /// Sizes of windows, strides, dilations, groups, repetitions.
  package static var sizes: ClosedRange<Int> { 1...1 << 24 }
  /// Axes, counted from the end when negative; whether a tensor has it, its operation checks.
  package static var axes: ClosedRange<Int> { -64...64 }
  /// Elements that are added at an end of an axis, or taken away.
  package static var pads: ClosedRange<Int> { -(1 << 24)...1 << 24 }
  /// Sizes of a shape; −1 for one that follows from the others.
  package static var shapes: ClosedRange<Int> { -1...1 << 40 }
  /// Positions in a list.
  package static var positions: ClosedRange<Int> { 0...1 << 24 }

  /// The range, for what an error expected: ` from 1 to 5`; nothing for what every integer of a file fits.
  package var phrase: String {
    let isWide = lowerBound <= Self.settings.lowerBound && upperBound >= Self.settings.upperBound
    return isWide ? "" : " from \(lowerBound) to \(upperBound)"
  }
}

extension NodeSettings {
  /// An integer.
  ///
  /// - Parameters:
  ///   - setting: The name of the setting.
  ///   - range: What it may be.
  /// - Returns: The integer; `nil` when the setting is absent.
  /// - Throws: ``DiagnosticError`` with code `badSetting` for anything else.
  package func integer(
    _ setting: String, in range: ClosedRange<Int> = .settings
  ) throws(DiagnosticError) -> Int? {
    guard let attribute = attributes[setting] else { return nil }
    guard let value = attribute.integer, range.contains(value) else {
      throw wrong(setting, "an integer\(range.phrase)")
    }
    return value
  }

  /// An integer, or a default when the setting is absent.
  package func integer(
    _ setting: String, default standard: Int, in range: ClosedRange<Int> = .settings
  ) throws(DiagnosticError) -> Int { try integer(setting, in: range) ?? standard }

  /// A size of a window, stride, dilation or number of groups; an error when the setting is absent and
  /// has no default.
  package func size(
    _ setting: String, default standard: Int? = nil
  ) throws(DiagnosticError) -> Int {
    guard let value = try integer(setting, in: .sizes) ?? standard else { throw lacks(setting) }
    return value
  }

  /// Integers; `nil` when the setting is absent.
  package func integers(
    _ setting: String, in range: ClosedRange<Int> = .settings
  ) throws(DiagnosticError) -> [Int]? {
    guard let attribute = attributes[setting] else { return nil }
    guard let values = attribute.integers, values.allSatisfy(range.contains) else {
      throw wrong(setting, "a list of integers\(range.phrase)")
    }
    return values
  }

  /// A number; `nil` when the setting is absent.
  package func float(_ setting: String) throws(DiagnosticError) -> Float? {
    guard let attribute = attributes[setting] else { return nil }
    guard let value = attribute.float else { throw wrong(setting, "a number of float32") }
    return value
  }

  /// A number, or a default when the setting is absent.
  package func float(
    _ setting: String, default standard: Float
  ) throws(DiagnosticError) -> Float { try float(setting) ?? standard }

  /// Numbers; `nil` when the setting is absent.
  package func floats(_ setting: String) throws(DiagnosticError) -> [Float]? {
    guard let attribute = attributes[setting] else { return nil }
    guard let values = attribute.floats else { throw wrong(setting, "a list of float32 numbers") }
    return values
  }

  /// A truth value, 0 or 1.
  package func flag(
    _ setting: String, default standard: Bool = false
  ) throws(DiagnosticError) -> Bool {
    try integer(setting, in: 0...1).map { $0 == 1 } ?? standard
  }

  /// Text; `nil` when the setting is absent.
  package func text(_ setting: String) throws(DiagnosticError) -> String? {
    guard let attribute = attributes[setting] else { return nil }
    guard let value = attribute.text else { throw wrong(setting, "text") }
    return value
  }

  /// The elements of a constant, in its shape.
  ///
  /// - Throws: ``DiagnosticError`` with code `badSetting` when shape and elements do not fit.
  package func constantTensor() throws(DiagnosticError) -> Tensor {
    let dims = try integers("shape", in: 0...ClosedRange.shapes.upperBound) ?? []
    let elements: Tensor.Elements
    let count: Int
    if let integers = try integers("integers") {
      elements = .integers(integers.map { Int64($0) })
      count = integers.count
    } else {
      let floats = try floats("floats") ?? []
      elements = .floats(floats)
      count = floats.count
    }
    let declared: Int
    do {
      declared = try checkedProduct(dims, limit: Tensor.elementLimit, of: "the constant")
    } catch { throw self.error(error.problem) }
    guard declared == count else { throw self.error("has \(count) elements for the shape \(dims)") }
    return Tensor(dims: dims, elements: elements)
  }

  /// The activation that the settings say, linear when they say none.
  ///
  /// - Throws: ``DiagnosticError`` with code `badSetting` for a function that does not exist.
  package func activation() throws(DiagnosticError) -> Activation {
    guard let name = try text("function") else { return .linear }
    guard let function = Activation.Function(rawValue: name) else {
      throw error("there is no activation '\(name)'")
    }
    return Activation(
      function, alpha: try float("alpha"), beta: try float("beta"),
      sourceName: try text("sourceName"))
  }

  private func wrong(_ setting: String, _ expected: String) -> DiagnosticError {
    error(
      "the setting '\(setting)': expected \(expected), found \(attributes[setting]?.brief ?? "")")
  }

  private func lacks(_ setting: String) -> DiagnosticError {
    error("lacks the setting '\(setting)'")
  }

  private func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.badSetting, object: name.isEmpty ? nil : name, "\(operation): \(problem)")
  }
}

extension GraphAttribute {
  /// An integer; `nil` for anything else and beyond 2 to the power of 53, where a double is not exact.
  fileprivate var integer: Int? {
    guard case .number(let value) = self else { return nil }
    return Int(exactly: value)
  }

  /// A number that float32 can hold; `nil` for anything else.
  fileprivate var float: Float? {
    guard case .number(let value) = self else { return nil }
    return Self.float(value)
  }

  /// Integers; `nil` when one is not.
  fileprivate var integers: [Int]? {
    guard case .numbers(let values) = self else { return nil }
    let integers = values.compactMap { Int(exactly: $0) }
    return integers.count == values.count ? integers : nil
  }

  /// Numbers that float32 can hold; `nil` when one is not.
  fileprivate var floats: [Float]? {
    guard case .numbers(let values) = self else { return nil }
    let floats = values.compactMap(Self.float)
    return floats.count == values.count ? floats : nil
  }

  /// Text; `nil` for anything else.
  fileprivate var text: String? { if case .text(let value) = self { value } else { nil } }

  /// Infinity stays what it is; what becomes infinite does not fit.
  private static func float(_ value: Double) -> Float? {
    let float = Float(value)
    return float.isInfinite && value.isFinite ? nil : float
  }

  /// The value, for errors: lists and texts are cut short.
  fileprivate var brief: String {
    func number(_ value: Double) -> String { Int(exactly: value).map(String.init) ?? "\(value)" }
    switch self {
    case .number(let value): return number(value)
    case .numbers(let values):
      let shown = values.prefix(8).map(number).joined(separator: ", ")
      return "[\(shown)\(values.count > 8 ? ", …" : "")]"
    case .text(let text): return "'\(text.prefix(40))\(text.count > 40 ? "…" : "")'"
    }
  }
}
