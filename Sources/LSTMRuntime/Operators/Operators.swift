package import LSTMCore

/// The work of a node: takes the inputs, gives the outputs.
typealias Operation = @Sendable (inout OperationCall) throws -> [GraphValue]

/// The operations that lstmpack runs.
enum Operators {
  /// Reads the settings of a node, before anything is run.
  typealias Prepare = @Sendable (NodeContext) throws -> Operation

  /// Every operation by name; a new one is one line in its table.
  static let all: [String: Prepare] = [
    CommonOperators.table, KerasLayerOperators.table, KerasShapeOperators.table,
    KerasConvolutionOperators.table, KerasLSTMOperator.table, ONNXShapeOperators.table,
    ONNXMathOperators.table, ONNXElementwiseOperators.table, ONNXReductionOperators.table,
    ONNXConvolutionOperators.table, ONNXLSTMOperator.table,
    CellOperator.table,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }
}

extension ModelGraph {
  /// The names of the operations that can be run.
  package static var runnableOperations: Set<String> { Set(Operators.all.keys) }
}
