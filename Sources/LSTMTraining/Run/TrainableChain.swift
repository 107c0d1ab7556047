internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// The layers of a model that training can go on with, in the order of computation: an embedding, if
/// any, LSTM layers that read forward, a dense layer.
struct TrainableChain {
  /// `[vocabulary, size]`.
  private(set) var embedding: Matrix?
  /// One for each layer, all of one direction.
  private(set) var lstms: [LSTMWeights] = []
  /// `[outputs, units]`.
  private(set) var dense = Matrix(rows: 0, columns: 0, elements: [])
  /// `[outputs]`.
  private(set) var bias: [Float] = []
  /// What comes after the dense layer: softmax, the logistic function, or nothing.
  private(set) var activation = Activation.linear
  /// Whether the dense layer reads the outputs of the last step only.
  private(set) var readsLastStep = false

  /// Finds the chain; of a file that does not say how its layers are connected, all layers by their
  /// kinds.
  ///
  /// - Throws: `DiagnosticError` with code `notTrainable`, or what says where the chain breaks, with the
  ///   layer named.
  init(_ model: Model) throws(DiagnosticError) {
    var rest = Set(model.layers.indices)
    if model.graph == nil {
      for kind in [\Layer.Kind.isEmbedding, \.isLSTM, \.isDense] {
        for (index, layer) in model.layers.enumerated() where layer.kind[keyPath: kind] {
          try take(index, of: model, &rest)
        }
      }
    } else {
      try takeLinks(of: model, &rest)
    }
    for (index, layer) in model.layers.enumerated() where rest.contains(index) {
      if case .opaque(let opaque) = layer.kind, opaque.tensors.isEmpty { continue }
      throw Self.error("is no part of it").atObject(layer.name)
    }
    guard !lstms.isEmpty, dense.rows > 0 else {
      throw Self.error("has no \(lstms.isEmpty ? "LSTM" : "dense layer after the LSTMs")")
    }
    try checkSizes()
  }

  static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .notTrainable, problem,
      hint: "training goes on with models of one embedding, LSTMs that read forward, a dense layer")
  }

  private mutating func takeLinks(
    of model: Model, _ rest: inout Set<Int>
  ) throws(DiagnosticError) {
    let chain: StreamChain
    do throws(DiagnosticError) {
      chain = try StreamChain(model, leavingOutSoftmax: false, use: "trained")
    } catch {
      var error = error
      error.hint = Self.error("").hint
      throw error
    }
    readsLastStep = chain.readsLastStep
    for layer in chain.layers {
      // A bias of its own, for example, which comes as a link.
      if case .opaque = model.layers[layer].kind { rest.remove(layer) }
    }
    for link in chain.links {
      switch link {
      case .embedding(let layer), .lstm(let layer), .dense(let layer):
        try take(layer, of: model, &rest)
      case .bias(let vector):
        guard dense.rows > 0, [1, dense.rows].contains(vector.count) else {
          throw Self.error("adds a vector of \(vector.count) elements")
        }
        for index in bias.indices { bias[index] += vector[vector.count == 1 ? 0 : index] }
      case .activation(let found):
        guard dense.rows > 0, activation == .linear,
          found.function == .softmax || found == .sigmoid || found == .linear
        else {
          throw Self.error(
            "has the activation \(found) \(dense.rows > 0 ? "at its end" : "before its end"); "
              + "expected softmax, sigmoid or none at its end")
        }
        activation = found
      }
    }
  }

  private mutating func take(
    _ index: Int, of model: Model, _ rest: inout Set<Int>
  ) throws(DiagnosticError) {
    let layer = model.layers[index]
    do throws(DiagnosticError) {
      guard rest.remove(index) != nil else { throw Self.error("is used twice") }
      guard dense.rows == 0 else { throw Self.error("stands after a dense layer") }
      switch layer.kind {
      case .embedding(let found):
        guard embedding == nil, lstms.isEmpty else { throw Self.error("is a second embedding") }
        embedding = found.weights.dequantized
      case .lstm(let lstm):
        let weights = model.lstmWeights[lstm.weights]
        try Self.check(lstm, weights)
        lstms.append(weights)
      case .dense(let found):
        guard !lstms.isEmpty else { throw Self.error("stands before the LSTMs") }
        dense = found.weights.dequantized
        bias = [Float](repeating: 0, count: dense.rows)
        // Of a graph, biases and activations are links of their own.
        if model.graph == nil {
          bias = found.bias ?? bias
          activation = found.activation
        }
      case .opaque: break
      }
    } catch { throw error.atObject(layer.name) }
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

  private func checkSizes() throws(DiagnosticError) {
    var size = embedding?.columns ?? lstms[0].inputSize
    for weights in lstms {
      guard weights.inputSize == size else {
        throw Self.error("has an LSTM of \(weights.inputSize) inputs after \(size) outputs")
      }
      size = weights.hiddenSize
    }
    guard dense.columns == size else {
      throw Self.error("has a dense layer of \(dense.columns) inputs after \(size) outputs")
    }
  }
}

extension Layer.Kind {
  fileprivate var isEmbedding: Bool { if case .embedding = self { true } else { false } }
  fileprivate var isLSTM: Bool { if case .lstm = self { true } else { false } }
  fileprivate var isDense: Bool { if case .dense = self { true } else { false } }
}
