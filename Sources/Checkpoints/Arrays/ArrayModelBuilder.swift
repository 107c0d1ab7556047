import Diagnostics
import LSTMCore

/// Makes a model of arrays that have names and nothing else.
struct ArrayModelBuilder {
  let source: any ArraySource
  let options: ImportOptions

  private var layers: [Layer] = []
  private var lstmWeights: [LSTMWeights] = []
  private var names: Set<String> = []

  init(source: any ArraySource, options: ImportOptions) {
    self.source = source
    self.options = options
  }

  /// Makes the model.
  ///
  /// - Parameter origin: Where the arrays came from.
  /// - Returns: The model; without LSTM layers when none were recognized.
  /// - Throws: `DiagnosticError` that names the array.
  mutating func build(source origin: ModelSource) throws(DiagnosticError) -> ImportResult {
    var found = FoundArrays()
    if let map = options.arrayMap {
      found = try MappedLSTMs(source: source, map: map).find()
    } else {
      found = try TorchLSTMs(source: source).find()
      let cells = try TensorFlowLSTMs(source: source, forgetBias: options.forgetBias).find()
      found.lstms += cells.lstms
      found.used.formUnion(cells.used)
      found.warnings += cells.warnings
    }
    for lstm in found.lstms {
      var layer = lstm.layer
      layer.weights = lstmWeights.count
      lstmWeights.append(lstm.weights)
      append(lstm.name, lstm.sourceClass, .lstm(layer))
    }
    for (module, sourceClass, reason, arrays) in found.refused {
      append(
        module.isEmpty ? sourceClass : module, sourceClass,
        .opaque(
          OpaqueLayer(tensors: try tensors(arrays, &found.warnings), reason: reason)))
    }
    let rest = source.arrays.filter { !found.used.contains($0.name) }
    try addOthers(rest, &found.warnings)
    if options.recurrentActivation != nil {
      found.warnings.append(
        "LSTMs in arrays have sigmoid gates, or those of the map; --recurrent-activation is ignored"
      )
    }
    return ImportResult(
      model: Model(
        source: origin, layers: layers, lstmWeights: lstmWeights,
        graph: rest.isEmpty && found.refused.isEmpty ? Self.chain(found.lstms) : nil),
      warnings: found.warnings)
  }

  private mutating func append(_ wanted: String, _ sourceClass: String, _ kind: Layer.Kind) {
    var name = wanted
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(wanted)#\(count)"
    }
    layers.append(Layer(name: name, sourceClass: sourceClass, kind: kind))
  }

  // MARK: - Other arrays

  private mutating func addOthers(
    _ arrays: [ArrayDescription], _ warnings: inout [String]
  ) throws(DiagnosticError) {
    let modules = Dictionary(grouping: arrays, by: \.module)
    for (module, arrays) in modules.sorted(
      by: { NaturalOrder($0.key) < NaturalOrder($1.key) })
    {
      var rest = arrays
      var kind = try dense(&rest)
      if kind == nil { kind = try embedding(module, &rest) }
      if let kind {
        append(module.isEmpty ? arrays[0].name : module, "?", kind)
      }
      guard !rest.isEmpty else { continue }
      append(
        module.isEmpty ? rest[0].name : module, "?",
        .opaque(OpaqueLayer(tensors: try tensors(rest, &warnings))))
    }
  }

  /// PyTorch's `weight` `[outputs, inputs]` or TensorFlow's `kernel` `[inputs, outputs]`, with a bias.
  private func dense(_ arrays: inout [ArrayDescription]) throws(DiagnosticError) -> Layer.Kind? {
    guard let bias = arrays.first(where: { $0.leaf == "bias" }), bias.isFloat,
      bias.shape.count == 1
    else { return nil }
    for (name, isTransposed) in [("weight", false), ("kernel", true)] {
      guard let weight = arrays.first(where: { $0.leaf == name }), weight.isFloat,
        weight.shape.count == 2, weight.shape.allSatisfy({ $0 > 0 }),
        weight.shape[isTransposed ? 1 : 0] == bias.shape[0]
      else { continue }
      arrays.removeAll { [weight.name, bias.name].contains($0.name) }
      let matrix = try source.matrix(weight)
      return .dense(
        DenseLayer(
          weights: .dense(isTransposed ? matrix.transposed : matrix),
          bias: try source.finiteFloats(bias)))
    }
    return nil
  }

  private func embedding(
    _ module: String, _ arrays: inout [ArrayDescription]
  ) throws(DiagnosticError) -> Layer.Kind? {
    guard arrays.count == 1, module.lowercased().contains("emb") || arrays[0].leaf == "embeddings",
      arrays[0].isFloat, arrays[0].shape.count == 2, arrays[0].shape.allSatisfy({ $0 > 0 })
    else { return nil }
    let matrix = try source.matrix(arrays[0])
    arrays = []
    return .embedding(EmbeddingLayer(weights: .dense(matrix)))
  }

  private func tensors(
    _ arrays: [ArrayDescription], _ warnings: inout [String]
  ) throws(DiagnosticError) -> [SourceTensor] {
    var tensors: [SourceTensor] = []
    for array in arrays.sorted(by: { $0.name < $1.name }) {
      guard let type = array.elementType else {
        warnings.append("\(array.name) does not hold numbers that lstmpack reads and is left out")
        continue
      }
      tensors.append(
        SourceTensor(
          name: array.name, shape: array.shape, elementType: type,
          bytes: try source.littleEndianBytes(array)))
    }
    return tensors
  }

  // MARK: - Graph

  /// The graph of a file that holds one LSTM module and nothing else: its layers in turn.
  private static func chain(_ lstms: [FoundLSTM]) -> ModelGraph? {
    guard let first = lstms.first, lstms.allSatisfy({ $0.module == first.module }) else {
      return nil
    }
    var graph = ModelGraph(
      inputs: [
        GraphInput(name: "x", shape: [nil, nil, first.weights.inputSize], isInteger: false)
      ])
    var value = "x"
    var size = first.weights.inputSize
    for (index, lstm) in lstms.enumerated() {
      guard lstm.weights.inputSize == size else { return nil }
      graph.nodes.append(
        GraphNode(
          name: lstm.name, operation: "keras.LSTM", layer: index,
          attributes: ["returnSequences": GraphAttribute(true)], inputs: [value],
          outputs: [lstm.name]))
      value = lstm.name
      size = lstm.weights.outputSize * lstm.weights.directions.count
    }
    graph.outputs = [GraphOutput(name: value, value: value)]
    return graph
  }
}
