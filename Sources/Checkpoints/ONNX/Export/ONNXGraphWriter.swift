import Diagnostics
import LSTMCore
import ONNXProto

/// Writes a model of another kind as an ONNX model of its own, from its graph.
///
/// `ONNXGraphWriter+Layers` and `ONNXGraphWriter+LSTM` write the operations.
struct ONNXGraphWriter {
  /// The version of the standard operators: that of `ReduceMean` with axes as an input.
  private static let leastOpset = 18

  let model: Model
  private let graph: ModelGraph
  private var weights: ONNXWeightWriter
  private var nodes: [ONNXNewNode] = []
  private var constants: [ONNXNewTensor] = []
  /// The number of sizes of each value, as far as known.
  private var ranks: [String: Int] = [:]
  /// Values of which some steps do not count (Keras' masks).
  private var masked: Set<String> = []
  /// Matrices that are written already, by layer and what they are.
  private var written: [String: String] = [:]
  private var names: Set<String> = []
  private var nodeNames: Set<String> = []
  /// What is not in the file as it was in the source.
  private var notes: [String] = []
  /// The name of the node that is being written.
  private var current = ""

  /// Creates a writer.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` when the model does not say how its layers
  ///   are connected.
  init(_ model: Model, form: WeightForm) throws(DiagnosticError) {
    guard let graph = model.graph else {
      throw DiagnosticError(
        .notExportable,
        "the checkpoint does not say how its layers are connected, and an ONNX file has to",
        hint: "export it to safetensors")
    }
    self.model = model
    self.graph = graph
    weights = ONNXWeightWriter(form: form)
  }

  /// The bytes of the file.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` that names a layer.
  mutating func write() throws(DiagnosticError) -> ExportResult {
    for input in graph.inputs { names.insert(input.name) }
    for node in graph.nodes { names.formUnion(node.outputs) }
    var inputs: [ONNXNewValue] = []
    for input in graph.inputs {
      guard !input.shape.isEmpty else {
        throw DiagnosticError(
          .notExportable, object: input.name, "the checkpoint does not say the shape of this input",
          hint: "export it to safetensors")
      }
      ranks[input.name] = input.shape.count
      let (type, note) = input.written
      notes += note.map { [$0] } ?? []
      inputs.append(
        ONNXNewValue(
          name: input.name, elementType: ONNXTensor.ElementType(type),
          sizes: input.shape.enumerated().map { axis, size in
            if let size { return .fixed(size) }
            return .named(axis == 0 ? "batch" : "\(input.name)_\(axis)")
          }))
    }
    for node in graph.nodes {
      current = node.name
      do throws(DiagnosticError) { try add(node) } catch { throw error.atObject(node.name) }
    }
    var outputs: [ONNXNewValue] = []
    for output in graph.outputs {
      if output.name != output.value || ranks[output.value] == nil {
        nodes.append(ONNXNewNode("Identity", inputs: [output.value], outputs: [output.name]))
      }
      outputs.append(
        ONNXNewValue(
          name: output.name, elementType: .float,
          sizes: ranks[output.value].map { rank in
            (0..<rank).map { .named($0 == 0 ? "batch" : "\(output.name)_\($0)") }
          }))
    }
    let opset = max(Self.leastOpset, weights.opset)
    let new = ONNXNewModel(
      irVersion: ONNXNewModel.leastIRVersion(forOpset: opset), opset: opset, producer: "lstmpack",
      nodes: weights.nodes + nodes, initializers: weights.tensors + constants, inputs: inputs,
      outputs: outputs)
    return ExportResult(bytes: new.bytes, notes: notes)
  }

  // MARK: - For the operations

  /// Adds something that the file does not say.
  mutating func note(_ text: String) { notes.append(text) }

  /// The error for what ONNX or lstmpack cannot express.
  static func refusal(_ problem: String) -> DiagnosticError {
    DiagnosticError(.notExportable, problem, hint: "export it to safetensors")
  }

  /// The layer of a node.
  func layer(of node: GraphNode) throws(DiagnosticError) -> Layer {
    guard let index = node.layer, model.layers.indices.contains(index) else {
      throw Self.refusal("it has no layer")
    }
    return model.layers[index]
  }

  /// The number of sizes of an input of a node.
  func rank(of value: String) throws(DiagnosticError) -> Int {
    guard let rank = ranks[value] else {
      throw Self.refusal("the shape of '\(value)' is not known")
    }
    return rank
  }

  /// Whether steps of a value may not count.
  func isMasked(_ value: String) -> Bool { masked.contains(value) }

  /// Says what is known about a value.
  mutating func note(_ value: String, rank: Int, isMasked: Bool) {
    ranks[value] = rank
    if isMasked { masked.insert(value) }
  }

  /// Adds an operator; gives the name of its value, a new one unless given.
  @discardableResult
  mutating func emit(
    _ opType: String, _ inputs: [String],
    _ attributes: [(name: String, value: ONNXNewNode.Attribute)] = [], as output: String? = nil
  ) -> String {
    let value = output ?? newName("\(current)/\(opType.lowercased())")
    emit(ONNXNewNode(opType, name: value, inputs: inputs, outputs: [value], attributes: attributes))
    return value
  }

  /// Adds an operator; its name becomes one that no other has.
  mutating func emit(_ node: ONNXNewNode) {
    var named = node
    var count = 1
    while !nodeNames.insert(named.name).inserted {
      count += 1
      named.name = "\(node.name)_\(count)"
    }
    nodes.append(named)
  }

  /// A constant vector of integers.
  mutating func constant(_ integers: [Int]) -> String {
    let name = newName("\(current)/integers")
    constants.append(ONNXNewTensor(name: name, dims: [integers.count], integers: integers))
    return name
  }

  /// A constant of floating-point numbers.
  mutating func constant(_ values: [Float], dims: [Int]) -> String {
    let name = newName("\(current)/values")
    constants.append(.floats(values, name: name, dims: dims, type: .float))
    return name
  }

  /// A matrix, written once for each layer.
  mutating func matrix(_ name: String, _ matrix: @autoclosure () -> StackedMatrix) -> String {
    if let value = written[name] { return value }
    let value = newName(name)
    weights.add(matrix(), name: value, type: .float)
    written[name] = value
    return value
  }

  /// A name that nothing has.
  mutating func newName(_ wanted: String) -> String {
    var name = wanted
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(wanted)_\(count)"
    }
    return name
  }
}
