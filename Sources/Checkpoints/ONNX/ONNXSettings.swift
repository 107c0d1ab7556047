import Diagnostics
import LSTMCore
import ONNXProto

/// A node with the scope around it, whose attributes are read in one way.
///
/// Absent, an attribute has its default; there, it must be what it has to be. A wrong value is never
/// taken for the default.
protocol ONNXSettings {
  var node: ONNXNode { get }
  var scope: ONNXScope { get }
}

extension ONNXSettings {
  /// An attribute as it is; for those that hold tensors and graphs.
  func attribute(_ name: String) -> ONNXAttribute? { scope.attribute(name, of: node) }

  /// An integer; `nil` when the attribute is absent.
  ///
  /// - Throws: `DiagnosticError` with code `malformedONNX` for anything but an integer in the range.
  func integer(
    _ name: String, in range: ClosedRange<Int> = .min ... .max
  ) throws(DiagnosticError) -> Int? {
    guard let attribute = attribute(name) else { return nil }
    guard case .int(let stored) = attribute, let value = Int(exactly: stored),
      range.contains(value)
    else { throw wrong(name, attribute, "an integer\(range.phrase)") }
    return value
  }

  /// An integer, or a default when the attribute is absent.
  func integer(
    _ name: String, default standard: Int, in range: ClosedRange<Int> = .min ... .max
  ) throws(DiagnosticError) -> Int { try integer(name, in: range) ?? standard }

  /// Integers; `nil` when the attribute is absent.
  func integers(
    _ name: String, in range: ClosedRange<Int> = .min ... .max
  ) throws(DiagnosticError) -> [Int]? {
    guard let attribute = attribute(name) else { return nil }
    guard case .ints(let stored) = attribute else {
      throw wrong(name, attribute, "a list of integers")
    }
    let values = stored.compactMap { Int(exactly: $0) }
    guard values.count == stored.count, values.allSatisfy(range.contains) else {
      throw wrong(name, attribute, "a list of integers\(range.phrase)")
    }
    return values
  }

  /// A truth value, 0 or 1.
  func flag(_ name: String, default standard: Bool = false) throws(DiagnosticError) -> Bool {
    try integer(name, in: 0...1).map { $0 == 1 } ?? standard
  }

  /// A number; `nil` when the attribute is absent.
  func float(_ name: String) throws(DiagnosticError) -> Float? {
    guard let attribute = attribute(name) else { return nil }
    guard case .float(let value) = attribute else { throw wrong(name, attribute, "a float") }
    return value
  }

  /// A number, or a default when the attribute is absent.
  func float(_ name: String, default standard: Float) throws(DiagnosticError) -> Float {
    try float(name) ?? standard
  }

  /// Numbers; `nil` when the attribute is absent.
  func floats(_ name: String) throws(DiagnosticError) -> [Float]? {
    guard let attribute = attribute(name) else { return nil }
    guard case .floats(let values) = attribute else {
      throw wrong(name, attribute, "a list of floats")
    }
    return values
  }

  /// Text; `nil` when the attribute is absent.
  func text(_ name: String) throws(DiagnosticError) -> String? {
    guard let attribute = attribute(name) else { return nil }
    guard case .string(let bytes) = attribute,
      let text = String(validating: bytes, as: UTF8.self)
    else { throw wrong(name, attribute, "text") }
    return text
  }

  /// Texts; `nil` when the attribute is absent.
  func texts(_ name: String) throws(DiagnosticError) -> [String]? {
    guard let attribute = attribute(name) else { return nil }
    guard case .strings(let values) = attribute else {
      throw wrong(name, attribute, "a list of texts")
    }
    return values.map { String(decoding: $0, as: UTF8.self) }
  }

  /// A tensor; `nil` when the attribute is absent.
  func tensor(_ name: String) throws(DiagnosticError) -> ONNXTensor? {
    guard let attribute = attribute(name) else { return nil }
    guard case .tensor(let tensor) = attribute else { throw wrong(name, attribute, "a tensor") }
    return tensor
  }

  private func wrong(
    _ name: String, _ found: ONNXAttribute, _ expected: String
  ) -> DiagnosticError {
    DiagnosticError(
      .malformedONNX, object: node.name.isEmpty ? nil : node.name,
      "\(node.opType): the attribute '\(name)': expected \(expected), found \(found.brief)")
  }
}

/// A node to be read where nothing else of its place is known.
struct ONNXScopedNode: ONNXSettings {
  let node: ONNXNode
  let scope: ONNXScope
}

extension ONNXPlacedNode: ONNXSettings {}
extension ONNXCall: ONNXSettings {}

extension ONNXAttribute {
  /// The value, for errors: lists and texts are cut short.
  var brief: String {
    func list(_ values: [some Any]) -> String {
      let shown = values.prefix(8).map { "\($0)" }.joined(separator: ", ")
      return "[\(shown)\(values.count > 8 ? ", …" : "")]"
    }
    switch self {
    case .float(let value): return "the float \(value)"
    case .int(let value): return "\(value)"
    case .string(let bytes): return "'\(String(decoding: bytes.prefix(40), as: UTF8.self))'"
    case .tensor: return "a tensor"
    case .graph: return "a graph"
    case .floats(let values): return "the floats \(list(values))"
    case .ints(let values): return list(values)
    case .strings: return "a list of texts"
    case .graphs: return "a list of graphs"
    case .reference(let name): return "the attribute '\(name)' of a call"
    case .other(let kind): return "a value of the kind \(kind)"
    }
  }
}
