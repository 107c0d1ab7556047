public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// A model that training cannot start from.
  public static let notTrainable = Self("training.unsupportedModel", .malformedInput)
}

/// A model as parameters to go on training: an embedding, LSTM layers that read forward, a dense layer.
public struct InitialParameters: Sendable {
  /// The network of the model; its loss is the squared error where `loss` is `nil`.
  public let shape: NetworkShape
  /// What the model learned, if its last activation says it: softmax or the logistic function.
  public let loss: NetworkShape.Loss?
  private let chain: TrainableChain

  /// Takes a model apart.
  ///
  /// - Throws: ``DiagnosticError`` with code `notTrainable` or `notRunnable` that names the layer which
  ///   does not fit.
  public init(_ model: Model) throws(DiagnosticError) {
    chain = try TrainableChain(model)
    switch chain.activation.function {
    case .softmax: loss = .crossEntropy
    case .sigmoid: loss = .binaryCrossEntropy
    default: loss = nil
    }
    shape = NetworkShape(
      input: chain.embedding.map { .tokens(vocabulary: $0.rows, size: $0.columns) }
        ?? .numbers(chain.lstms[0].inputSize),
      units: chain.lstms.map(\.hiddenSize), outputs: chain.dense.rows,
      tiesWeights: chain.embedding?.elements == chain.dense.elements,
      readsLastStep: chain.readsLastStep, loss: loss ?? .squaredError)
  }

  /// The parameters as ``ParameterLayout`` has them, of a network with these gates that computes what the
  /// model does: sums that the network divides by a temperature are multiplied by it.
  func values(for gates: GateOptions) -> [Float] {
    let scale = Float(1 / gates.evaluationScale)
    func factor(_ gate: Gate) -> Float {
      switch gate {
      case .input, .forget: gates.treatedCount > 0 ? scale : 1
      case .output: gates.treatedCount > 2 ? scale : 1
      case .cell: 1
      }
    }
    /// Gates `[units, inputs]` side by side, turned: `[inputs, 4 · units]`.
    func kernel(_ weights: PerGate<WeightMatrix>) -> [Float] {
      let matrices = Gate.allCases.map { (gate: $0, weights: weights[$0].dequantized) }
      let stacked = Matrix(
        rows: matrices.reduce(0) { $0 + $1.weights.rows }, columns: matrices[0].weights.columns,
        elements: matrices.flatMap { matrix in
          matrix.weights.elements.map { $0 * factor(matrix.gate) }
        })
      return stacked.transposed.elements
    }
    var values = chain.embedding?.elements ?? []
    for weights in chain.lstms {
      let direction = weights.directions[0]
      values += kernel(direction.inputWeights)
      values += kernel(direction.recurrentWeights)
      values += Gate.allCases.flatMap { gate in
        (0..<weights.hiddenSize).map { unit in
          factor(gate)
            * ((direction.bias?[gate][unit] ?? 0) + (direction.recurrentBias?[gate][unit] ?? 0))
        }
      }
    }
    if !shape.tiesWeights { values += chain.dense.elements }
    return values + chain.bias
  }
}
