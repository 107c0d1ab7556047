public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// A model that training cannot start from.
  public static let notTrainable = Self("training.unsupportedModel", .malformedInput)
}

/// A model as parameters to go on training: an embedding, LSTM layers that read forward, a dense layer.
public struct InitialParameters: Sendable {
  /// The network of the model.
  public let shape: NetworkShape
  /// Its parameters.
  package let values: [Float]

  /// Takes a model apart.
  ///
  /// - Throws: ``DiagnosticError`` with code `notTrainable` that names the layer which does not fit.
  public init(_ model: Model) throws(DiagnosticError) {
    var embedding: Matrix?
    var lstms: [LSTMWeights] = []
    var dense: DenseLayer?
    for layer in model.layers {
      do throws(DiagnosticError) {
        guard dense == nil || layer.isWithoutWeights else {
          throw Self.error("stands after a dense layer")
        }
        switch layer.kind {
        case .embedding(let found):
          guard embedding == nil, lstms.isEmpty else { throw Self.error("is a second embedding") }
          embedding = found.weights.dequantized
        case .lstm(let lstm):
          let weights = model.lstmWeights[lstm.weights]
          try Self.check(lstm, weights)
          lstms.append(weights)
        case .dense(let found): dense = found
        case .opaque(let opaque):
          guard opaque.tensors.isEmpty else {
            throw Self.error("is a layer with weights that lstmpack does not train")
          }
        }
      } catch { throw error.atObject(layer.name) }
    }
    guard let dense, !lstms.isEmpty else {
      throw Self.error("has no \(lstms.isEmpty ? "LSTM" : "dense layer after the LSTMs")")
    }
    shape = try Self.shape(embedding, lstms, dense, model)
    var values: [Float] = []
    if let embedding { values += embedding.elements }
    for weights in lstms {
      let direction = weights.directions[0]
      values += Self.kernel(direction.inputWeights)
      values += Self.kernel(direction.recurrentWeights)
      values += Gate.allCases.flatMap { gate in
        (0..<weights.hiddenSize).map { unit in
          (direction.bias?[gate][unit] ?? 0) + (direction.recurrentBias?[gate][unit] ?? 0)
        }
      }
    }
    let weights = dense.weights.dequantized
    values += weights.elements
    values += dense.bias ?? [Float](repeating: 0, count: weights.rows)
    self.values = values
  }

  private static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .notTrainable, problem,
      hint: "training goes on with models of one embedding, LSTMs that read forward, a dense layer")
  }

  private static func check(
    _ lstm: LSTMLayer, _ weights: LSTMWeights
  ) throws(DiagnosticError) {
    guard lstm.directions.count == 1, lstm.directions[0].direction == .forward else {
      throw error("reads backward")
    }
    let settings = lstm.directions[0]
    guard settings.gateActivation == .sigmoid, settings.cellActivation == .tanh,
      settings.outputActivation == .tanh
    else {
      throw error(
        "has the activations \(settings.gateActivation), \(settings.cellActivation) and "
          + "\(settings.outputActivation), expected sigmoid, tanh and tanh")
    }
    guard weights.directions[0].peepholes == nil, weights.directions[0].projection == nil,
      lstm.clip == nil, !lstm.couplesInputAndForget
    else { throw error("has peepholes, a projection, a clip or coupled gates") }
  }

  private static func shape(
    _ embedding: Matrix?, _ lstms: [LSTMWeights], _ dense: DenseLayer, _ model: Model
  ) throws(DiagnosticError) -> NetworkShape {
    var size = embedding?.columns ?? lstms[0].inputSize
    for weights in lstms {
      guard weights.inputSize == size else {
        throw error("has an LSTM of \(weights.inputSize) inputs after \(size) outputs")
      }
      size = weights.hiddenSize
    }
    guard dense.weights.columns == size else {
      throw error("has a dense layer of \(dense.weights.columns) inputs after \(size) outputs")
    }
    let lastLSTM = model.graph?.nodes.last { $0.operation == "keras.LSTM" }
    let isSoftmax =
      dense.activation.function == .softmax
      || model.graph?.nodes.contains { $0.activation?.function == .softmax } ?? false
    return NetworkShape(
      input: embedding.map { .tokens(vocabulary: $0.rows, size: $0.columns) }
        ?? .numbers(lstms[0].inputSize),
      units: lstms.map(\.hiddenSize), outputs: dense.weights.rows,
      readsLastStep: lastLSTM.map { $0.attributes["returnSequences"]?.integer != 1 } ?? false,
      loss: isSoftmax
        ? .crossEntropy : dense.activation == .sigmoid ? .binaryCrossEntropy : .squaredError)
  }

  /// Gates `[units, inputs]` side by side, turned: `[inputs, 4 · units]`.
  private static func kernel(_ gates: PerGate<WeightMatrix>) -> [Float] {
    let matrices = Gate.allCases.map { gates[$0].dequantized }
    let stacked = Matrix(
      rows: matrices.reduce(0) { $0 + $1.rows }, columns: matrices[0].columns,
      elements: matrices.flatMap(\.elements))
    return stacked.transposed.elements
  }
}

extension Layer {
  /// Whether it has nothing that could be trained.
  fileprivate var isWithoutWeights: Bool {
    if case .opaque(let opaque) = kind { opaque.tensors.isEmpty } else { false }
  }
}
