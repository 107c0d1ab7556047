import Diagnostics
import HDF5
import LSTMCore
import OrderedJSON

/// Writes a model of another kind as a Keras 2 file, from its graph: LSTMs, embeddings, dense layers and
/// activations.
///
/// Keras 2, tf.keras 2 and Keras 3 read it.
/// Source of the layout: Keras 2, `saving/legacy/hdf5_format.py`; `formats/hdf5/README.md`.
struct KerasModelWriter {
  /// The version whose layout and meanings the file has.
  private static let version = KerasVersion("2.15.0")

  private let model: Model
  private let graph: ModelGraph
  private var file = HDF5NewFile()
  private var layers: [JSONValue] = []
  private var layerNames: [String] = []
  /// The layer of Keras that makes each value.
  private var makers: [String: String] = [:]
  /// What is not in the file as it was in the source.
  private(set) var notes: [String] = []

  /// Creates a writer.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` when the model does not say how its layers
  ///   are connected.
  init(_ model: Model) throws(DiagnosticError) {
    guard let graph = model.graph else {
      throw DiagnosticError(
        .notExportable,
        "the checkpoint does not say how its layers are connected, and a Keras file has to",
        hint: "export it to safetensors")
    }
    self.model = model
    self.graph = graph
  }

  /// The bytes of the file.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` that names a layer.
  mutating func write() throws(DiagnosticError) -> [UInt8] {
    file.addGroup("/model_weights")
    for input in graph.inputs {
      guard !input.shape.isEmpty else {
        throw DiagnosticError(
          .notExportable, object: input.name, "the checkpoint does not say the shape of this input",
          hint: "export it to safetensors")
      }
      let (type, note) = input.written
      notes += note.map { [$0] } ?? []
      makers[input.name] = add(
        "InputLayer", named: input.name,
        [
          "batch_input_shape": .array(input.shape.map { $0.map { .integer($0) } ?? .null }),
          "dtype": .string(type.rawValue),
        ], inputs: [], weights: [])
      if let name = makers[input.name], name != input.name {
        notes.append("the input \(input.name) is called \(name) in Keras")
      }
    }
    for node in graph.nodes {
      do throws(DiagnosticError) { try add(node) } catch { throw error.atObject(node.name) }
    }
    func ends(_ values: [String]) -> JSONValue {
      .array(values.map { [.string(makers[$0] ?? $0), 0, 0] })
    }
    let config: JSONValue = [
      "class_name": "Functional",
      "config": [
        "name": "model", "trainable": true, "layers": .array(layers),
        "input_layers": ends(graph.inputs.map(\.name)),
        "output_layers": ends(graph.outputs.map(\.value)),
      ],
    ]
    for object in ["/", "/model_weights"] {
      file.setAttribute("backend", of: object, to: "tensorflow")
      file.setAttribute("keras_version", of: object, to: Self.version.text)
    }
    file.setAttribute("model_config", of: "/", to: config.serialized())
    file.setAttribute("layer_names", of: "/model_weights", to: layerNames)
    return try file.bytes()
  }

  // MARK: - Layers

  private mutating func add(_ node: GraphNode) throws(DiagnosticError) {
    guard node.inputs.count == 1, let x = makers[node.inputs[0]], node.outputs.count == 1 else {
      throw Self.refusal("lstmpack writes layers with one input and one output to Keras")
    }
    guard try !node.flag("timeDistributed") else {
      throw Self.refusal("lstmpack does not write layers that are applied to every step to Keras")
    }
    let layer = node.layer.flatMap {
      model.layers.indices.contains($0) ? model.layers[$0] : nil
    }
    switch (node.operation, layer?.kind) {
    case ("identity", _): makers[node.outputs[0]] = x
    case ("keras.LSTM", .lstm(let lstm)?): try add(lstm, node, x)
    case ("keras.Embedding", .embedding(let embedding)?):
      let matrix = embedding.weights.dequantized
      makers[node.outputs[0]] = add(
        "Embedding", named: node.name,
        [
          "input_dim": .integer(matrix.rows), "output_dim": .integer(matrix.columns),
          "mask_zero": .bool(try node.flag("maskZero")),
        ], inputs: [x], weights: [("embeddings", [matrix.rows, matrix.columns], matrix.elements)])
    case ("keras.Dense", .dense(let dense)?):
      let kernel = dense.weights.dequantized.transposed
      var weights = [("kernel", [kernel.rows, kernel.columns], kernel.elements)]
      if let bias = dense.bias { weights.append(("bias", [bias.count], bias)) }
      makers[node.outputs[0]] = add(
        "Dense", named: node.name,
        [
          "units": .integer(kernel.columns), "use_bias": .bool(dense.bias != nil),
          "activation": .string(try name(of: dense.activation)),
        ], inputs: [x], weights: weights)
    case ("activation", _):
      let activation = try node.activation()
      makers[node.outputs[0]] = add(
        "Activation", named: node.outputs[0],
        ["activation": .string(try name(of: activation))], inputs: [x], weights: [])
    default: throw Self.refusal("lstmpack does not write \(node.operation) to Keras")
    }
  }

  private mutating func add(
    _ lstm: LSTMLayer, _ node: GraphNode, _ x: String
  ) throws(DiagnosticError) {
    let weights = model.lstmWeights[lstm.weights]
    guard weights.outputSize == weights.hiddenSize else {
      throw Self.refusal("it has a projection, and Keras' LSTM has none")
    }
    guard lstm.clip == nil, !lstm.couplesInputAndForget,
      weights.directions.allSatisfy({ $0.peepholes == nil })
    else {
      throw Self.refusal("Keras' LSTM has no peepholes, clip or coupled gates")
    }
    let returnsSequences = try node.flag("returnSequences")
    let isBidirectional = lstm.directions.count == 2
    let first = lstm.directions[0]
    guard
      lstm.directions.allSatisfy({
        $0.gateActivation == first.gateActivation && $0.cellActivation == first.cellActivation
          && $0.outputActivation == first.cellActivation
      })
    else { throw Self.refusal("its activations differ, and Keras' LSTM has two for all") }
    guard
      isBidirectional || first.direction == .forward || first.keepsComputedOrder
        || !returnsSequences
    else {
      throw Self.refusal("Keras' LSTM that reads from the end returns its steps in that order")
    }
    let usesBias = weights.directions.contains { $0.bias != nil || $0.recurrentBias != nil }
    let name = unused(node.name)
    func config(_ name: String, goesBackwards: Bool) throws(DiagnosticError) -> JSONObject {
      var config: JSONObject = [
        "name": .string(name), "trainable": true, "dtype": "float32",
        "units": .integer(weights.hiddenSize),
        "activation": .string(try self.name(of: first.cellActivation)),
        "recurrent_activation": .string(try self.name(of: first.gateActivation)),
        "use_bias": .bool(usesBias), "return_sequences": .bool(returnsSequences),
        "return_state": false, "go_backwards": .bool(goesBackwards),
        "stateful": .bool(try node.flag("stateful")), "unroll": false,
      ]
      if try node.flag("zeroOutputForMask") { config["zero_output_for_mask"] = true }
      return config
    }
    if isBidirectional {
      guard lstm.directions.map(\.direction) == [.forward, .backward], let merge = lstm.merge,
        merge != .separate
      else { throw Self.refusal("lstmpack writes directions that are merged to Keras") }
      let inner = try config("lstm", goesBackwards: false)
      let sides = zip(["forward_lstm", "backward_lstm"], weights.directions).flatMap { side, own in
        arrays(own, usesBias, prefix: "\(side)/lstm_cell/")
      }
      makers[node.outputs[0]] = add(
        "Bidirectional", named: name,
        [
          "layer": [
            "module": "keras.layers", "class_name": "LSTM", "config": .object(inner),
            "registered_name": .null,
          ],
          "merge_mode": .string(Self.name(of: merge)),
        ], inputs: [x], weights: sides)
    } else {
      makers[node.outputs[0]] = add(
        "LSTM", named: name,
        try config(name, goesBackwards: first.direction == .backward), inputs: [x],
        weights: arrays(weights.directions[0], usesBias, prefix: "lstm_cell/"))
    }
  }

  private typealias Weight = (name: String, shape: [Int], values: [Float])

  /// Kernel, recurrent kernel and the sum of the biases, gates side by side.
  private func arrays(
    _ weights: DirectionWeights, _ usesBias: Bool, prefix: String
  ) -> [Weight] {
    func kernel(_ gates: PerGate<WeightMatrix>) -> (shape: [Int], values: [Float]) {
      let parts = GateOrder.keras.gates.map { gates[$0].dequantized }
      let (units, inputs) = (parts[0].rows, parts[0].columns)
      let stacked = Matrix(
        rows: 4 * units, columns: inputs, elements: parts.flatMap(\.elements))
      return ([inputs, 4 * units], stacked.transposed.elements)
    }
    let own = kernel(weights.inputWeights)
    let recurrent = kernel(weights.recurrentWeights)
    var arrays: [Weight] = [
      (prefix + "kernel", own.shape, own.values),
      (prefix + "recurrent_kernel", recurrent.shape, recurrent.values),
    ]
    guard usesBias else { return arrays }
    let units = weights.inputWeights[.input].rows
    let zeros = [Float](repeating: 0, count: units)
    let bias = GateOrder.keras.gates.flatMap { gate in
      zip(weights.bias?[gate] ?? zeros, weights.recurrentBias?[gate] ?? zeros).map { $0 + $1 }
    }
    arrays.append((prefix + "bias", [4 * units], bias))
    return arrays
  }

  // MARK: - Parts of the file

  /// Adds a layer; gives the name that it got.
  private mutating func add(
    _ className: String, named wanted: String, _ settings: JSONObject, inputs: [String],
    weights: [Weight]
  ) -> String {
    let name = unused(wanted)
    layerNames.append(name)
    var config = settings
    config["name"] = .string(name)
    let calls: JSONValue =
      inputs.isEmpty ? [] : [.array(inputs.map { [.string($0), 0, 0, [:]] })]
    layers.append([
      "class_name": .string(className), "name": .string(name), "config": .object(config),
      "inbound_nodes": calls,
    ])
    let group = "/model_weights/\(name)"
    file.addGroup(group)
    let names = weights.map { "\(name)/\($0.name):0" }
    file.setAttribute("weight_names", of: group, to: names)
    for (path, weight) in zip(names, weights) {
      file.addDataset("\(group)/\(path)", shape: weight.shape, weight.values)
    }
    return name
  }

  /// A name as Keras allows it, that no layer has.
  private func unused(_ wanted: String) -> String {
    let plain = String(
      wanted.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") ? $0 : "_" })
    let base = plain.first.map { $0.isLetter } == true ? plain : "layer" + plain
    var name = base
    var count = 1
    while layerNames.contains(name) {
      count += 1
      name = "\(base)_\(count)"
    }
    return name
  }

  private func name(of activation: Activation) throws(DiagnosticError) -> String {
    let names = [
      "sigmoid", "tanh", "relu", "hard_sigmoid", "linear", "elu", "softsign", "softplus", "softmax",
      "swish", "gelu", "selu", "mish", "exponential",
    ]
    guard let name = names.first(where: { Self.version.activation(named: $0) == activation }) else {
      throw Self.refusal("Keras has no activation '\(activation)' by name")
    }
    return name
  }

  private static func name(of merge: MergeMode) -> String {
    switch merge {
    case .concatenate, .separate: "concat"
    case .sum: "sum"
    case .multiply: "mul"
    case .average: "ave"
    }
  }

  private static func refusal(_ problem: String) -> DiagnosticError {
    DiagnosticError(.notExportable, problem, hint: "export it to safetensors")
  }
}
