public import LSTMCore

extension LSTMTrainer {
  /// The network of the best epoch as a model: embedding, LSTM layers and a dense layer, connected.
  ///
  /// Sharpened and tempered gates have their temperature in the weights, so any LSTM runs them.
  public var model: Model {
    TrainedModel(settings: settings, layout: layout, parameters: bestParameters).model
  }
}

/// Parameters as the model that they are.
private struct TrainedModel {
  let settings: TrainingSettings
  let layout: ParameterLayout
  let parameters: [Float]

  var model: Model {
    let shape = settings.shape
    var layers: [Layer] = []
    var nodes: [GraphNode] = []
    var value = "input"
    func add(_ layer: Layer, _ operation: String, _ attributes: [String: GraphAttribute] = [:]) {
      layers.append(layer)
      nodes.append(
        GraphNode(
          name: layer.name, operation: operation, layer: layers.count - 1, attributes: attributes,
          inputs: [value], outputs: [layer.name]))
      value = layer.name
    }
    let input: GraphInput
    if let embedding = layout.embedding {
      input = GraphInput(name: value, shape: [nil, nil], isInteger: true)
      add(
        Layer(
          name: "embedding", sourceClass: "Embedding",
          kind: .embedding(EmbeddingLayer(weights: .dense(matrix(embedding))))), "keras.Embedding")
    } else {
      input = GraphInput(name: value, shape: [nil, nil, shape.inputSize], isInteger: false)
    }
    for index in shape.units.indices {
      let isLast = index == shape.units.count - 1
      let layer = LSTMLayer(
        weights: index, directions: [DirectionSettings(direction: .forward)],
        sourceGateOrder: "i f c o")
      add(
        Layer(name: "lstm_\(index + 1)", sourceClass: "LSTM", kind: .lstm(layer)), "keras.LSTM",
        ["returnSequences": .number(isLast && shape.readsLastStep ? 0 : 1)])
    }
    let activation: Activation =
      switch shape.loss {
      case .crossEntropy: Activation(.softmax)
      case .binaryCrossEntropy: .sigmoid
      case .squaredError: .linear
      }
    let dense = DenseLayer(
      weights: .dense(matrix(layout.head)), bias: Array(parameters[layout.headBias.range]),
      activation: activation)
    add(Layer(name: "dense", sourceClass: "Dense", kind: .dense(dense)), "keras.Dense")
    return Model(
      source: ModelSource(
        format: TrainingSettings.sourceFormat, writer: "lstmpack train", byteCount: 0, sha256: ""),
      layers: layers, lstmWeights: layout.lstm.map(weights),
      graph: ModelGraph(
        inputs: [input], nodes: nodes, outputs: [GraphOutput(name: "dense", value: value)]))
  }

  private func matrix(_ part: ParameterLayout.Part) -> Matrix {
    Matrix(
      rows: part.shape[0], columns: part.shape[1], elements: Array(parameters[part.range]))
  }

  /// Kernels `[inputs, 4 · units]` cut into gates `[units, inputs]`, temperature folded in.
  private func weights(_ parts: ParameterLayout.LSTM) -> LSTMWeights {
    let units = parts.recurrent.shape[0]
    let scale = Float(settings.gates.evaluationScale)
    func factor(_ gate: Gate) -> Float {
      switch gate {
      case .input, .forget: settings.gates.treatedCount > 0 ? scale : 1
      case .output: settings.gates.treatedCount > 2 ? scale : 1
      case .cell: 1
      }
    }
    func gates(_ part: ParameterLayout.Part) -> PerGate<WeightMatrix> {
      let turned = matrix(part).transposed
      return PerGate { gate in
        let rows = gate.rawValue * units..<(gate.rawValue + 1) * units
        let elements = rows.flatMap { turned.row($0).map { $0 * factor(gate) } }
        return .dense(Matrix(rows: units, columns: part.shape[0], elements: elements))
      }
    }
    let bias = Array(parameters[parts.bias.range])
    return LSTMWeights(
      inputSize: parts.kernel.shape[0], hiddenSize: units,
      directions: [
        DirectionWeights(
          inputWeights: gates(parts.kernel), recurrentWeights: gates(parts.recurrent),
          bias: PerGate { gate in
            bias[gate.rawValue * units..<(gate.rawValue + 1) * units].map { $0 * factor(gate) }
          })
      ])
  }
}

extension TrainingSettings {
  /// What `ModelSource.format` says of a model that was trained here.
  public static let sourceFormat = "lstmpack-training"

  /// What an export cannot say of the gates; `nil` when it says all.
  public var noteOnExport: String? {
    gates.kind == .gumbel && gates.evaluation == .hard
      ? "the file has soft gates; no LSTM format knows hard ones" : nil
  }
}
