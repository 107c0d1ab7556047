internal import Diagnostics
internal import LSTMCore

/// One execution of a node: its inputs, what it may use, and the session for those that remember something.
struct OperationCall {
  let inputs: [GraphValue?]
  let threads: Int
  /// What the run may still hold and compute.
  let meter: RunMeter
  var session: RunSession

  /// The elements of all inputs together.
  var elementCount: Int { inputs.reduce(0) { $0 + ($1?.tensor.count ?? 0) } }

  /// An input that must be there.
  func value(_ index: Int) throws -> GraphValue {
    guard let value = optional(index) else { throw Self.error("has no input \(index)") }
    return value
  }

  /// An input that may be missing.
  func optional(_ index: Int) -> GraphValue? {
    inputs.indices.contains(index) ? inputs[index] : nil
  }

  /// An input's tensor.
  func tensor(_ index: Int) throws -> Tensor { try value(index).tensor }

  /// An input of floating-point numbers.
  func floats(_ index: Int) throws -> (dims: [Int], values: [Float]) {
    let tensor = try tensor(index)
    guard let values = tensor.floats else {
      throw Self.error("needs floating-point numbers as input \(index), found integers")
    }
    return (tensor.dims, values)
  }

  /// An input of floating-point numbers with so many sizes.
  func floats(_ index: Int, rank: Int) throws -> (dims: [Int], values: [Float]) {
    let found = try floats(index)
    guard found.dims.count == rank else {
      throw Self.error("needs an input of \(rank) sizes, found \(found.dims)")
    }
    return found
  }

  /// An input of integers.
  func integers(_ index: Int) throws -> [Int] {
    guard let values = try tensor(index).integers else {
      throw Self.error("needs integers as input \(index)")
    }
    return values
  }

  /// An input of integers that may be missing.
  func optionalIntegers(_ index: Int) throws -> [Int]? {
    optional(index) == nil ? nil : try integers(index)
  }

  /// Throws when a value of this shape is more than the run may hold.
  func allow(_ dims: [Int]) throws { try meter.allow(dims) }

  static func error(_ problem: String) -> DiagnosticError { DiagnosticError(.badData, problem) }
}
