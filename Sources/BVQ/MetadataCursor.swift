internal import Diagnostics
internal import OrderedJSON

/// A value in the metadata together with its place, so that errors can name it.
struct MetadataCursor {
  let value: JSONValue
  let path: String

  init(_ value: JSONValue, path: String = "") {
    self.value = value
    self.path = path
  }

  func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .bvqMetadata, object: path.isEmpty ? "metadata" : "metadata: \(path)", problem)
  }

  /// The value of a key; `nil` when the key is missing.
  func optional(_ key: String) throws(DiagnosticError) -> MetadataCursor? {
    guard let object = value.objectValue else { throw error("expected an object") }
    return object[key].map {
      MetadataCursor($0, path: path.isEmpty ? key : "\(path).\(key)")
    }
  }

  /// The value of a key that must be there.
  func required(_ key: String) throws(DiagnosticError) -> MetadataCursor {
    guard let member = try optional(key) else { throw error("lacks the key '\(key)'") }
    return member
  }

  var elements: [MetadataCursor] {
    get throws(DiagnosticError) {
      guard let array = value.arrayValue else { throw error("expected an array") }
      return array.enumerated().map { MetadataCursor($1, path: "\(path)[\($0)]") }
    }
  }

  var string: String {
    get throws(DiagnosticError) {
      guard let string = value.stringValue else { throw error("expected a string") }
      return string
    }
  }

  /// A size or index: an integer that is not negative.
  var size: Int {
    get throws(DiagnosticError) {
      guard let integer = value.intValue, integer >= 0 else {
        throw error("expected an integer of at least 0")
      }
      return integer
    }
  }

  var bool: Bool {
    get throws(DiagnosticError) {
      guard let bool = value.boolValue else { throw error("expected true or false") }
      return bool
    }
  }

  /// A number that is finite in float32.
  var float: Float {
    get throws(DiagnosticError) {
      guard let double = value.doubleValue, Float(double).isFinite else {
        throw error("expected a number within the range of float32")
      }
      return Float(double)
    }
  }

  /// One of the raw values of an enumeration.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _: Choice.Type = Choice.self
  ) throws(DiagnosticError) -> Choice where Choice.RawValue == String {
    let text = try string
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw error("expected one of \(names), found '\(text)'")
    }
    return choice
  }
}

extension JSONValue {
  /// A float32 as the shortest decimal that reads back equal.
  init(_ value: Float) {
    let short = Double("\(value)") ?? Double(value)
    let exact = Float(short) == value ? short : Double(value)
    // JSON text does not keep apart 1 and 1.0, so neither do we.
    self = Int(exactly: exact).map { .integer($0) } ?? .number(exact)
  }
}
