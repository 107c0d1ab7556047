import Diagnostics
import LSTMCore
import ONNXProto

/// Gives values of a model new definitions and takes away what nobody reads any more.
struct ONNXModelEditor {
  private let model: ONNXModel
  /// Every graph and function, by where it begins.
  let graphs: [Int: Graph]
  private(set) var edits: [Int: ONNXGraphEdit] = [:]
  /// How many nodes and graph outputs read a name, in any graph.
  private var readers: [String: Int] = [:]
  /// The values with new definitions, by graph, to notice when one would get two.
  private var defined: [String: StackedMatrix] = [:]
  private var names: Set<String>

  /// A graph or function with what stands in it.
  struct Graph {
    let nodes: [ONNXNode]
    let initializers: [ONNXTensor]
    let inputs: [String]
    let isFunction: Bool
    /// The version of the standard operators in it.
    let opset: Int
  }

  init(_ model: ONNXModel) {
    self.model = model
    var graphs: [Int: Graph] = [:]
    var readers: [String: Int] = [:]
    var names: Set<String> = []
    func visit(_ nodes: [ONNXNode], opset: Int) {
      for node in nodes {
        for input in node.inputs where !input.isEmpty { readers[input, default: 0] += 1 }
        names.formUnion(node.outputs)
        for attribute in node.attributes.values {
          switch attribute {
          case .graph(let graph): visit(graph, opset: opset)
          case .graphs(let inner): inner.forEach { visit($0, opset: opset) }
          default: break
          }
        }
      }
    }
    func visit(_ graph: ONNXGraph, opset: Int) {
      graphs[graph.start] = Graph(
        nodes: graph.nodes, initializers: graph.initializers, inputs: graph.inputs,
        isFunction: false, opset: opset)
      for output in graph.outputs { readers[output, default: 0] += 1 }
      names.formUnion(graph.inputs)
      names.formUnion(graph.initializers.map(\.name))
      visit(graph.nodes, opset: opset)
    }
    let opset = model.opsets[""] ?? 1
    visit(model.graph, opset: opset)
    for function in model.functions {
      graphs[function.start] = Graph(
        nodes: function.nodes, initializers: [], inputs: function.inputs, isFunction: true,
        opset: function.opsets[""] ?? opset)
      for output in function.outputs { readers[output, default: 0] += 1 }
      visit(function.nodes, opset: function.opsets[""] ?? opset)
    }
    self.graphs = graphs
    self.readers = readers
    self.names = names
  }

  /// A name that nothing in the model has, for values that are added.
  mutating func newName(_ wanted: String) -> String {
    var name = wanted
    var count = 1
    while !names.insert(name).inserted {
      count += 1
      name = "\(wanted)_\(count)"
    }
    return name
  }

  /// Whether one node or output alone reads a name.
  func isReadOnce(_ name: String) -> Bool { readers[name] == 1 }

  // MARK: - Definitions

  /// Gives a value that the model has a new definition where it stands.
  ///
  /// - Throws: `DiagnosticError` with code `notExportable` when it got another one before, or when it
  ///   comes from a graph input.
  mutating func redefine(
    _ value: ONNXValueID, as matrix: StackedMatrix, type: ONNXTensor.ElementType,
    _ writer: inout ONNXWeightWriter
  ) throws(DiagnosticError) {
    let start = value.scope.start
    let key = "\(start)/\(value.name)"
    if let known = defined[key] {
      guard known == matrix else {
        throw DiagnosticError(
          .notExportable, object: value.name,
          "several layers use this value and would need different ones now",
          hint: "export it to safetensors, or compress only one of the layers")
      }
      return
    }
    defined[key] = matrix
    guard let graph = graphs[start] else { return }
    if graph.initializers.contains(where: { $0.name == value.name }) {
      edits[start, default: ONNXGraphEdit()].removedInitializers.insert(value.name)
    } else if let position = graph.nodes.firstIndex(where: { $0.outputs.contains(value.name) }) {
      replaceOutput(value.name, ofNode: position, in: start)
    } else {
      throw DiagnosticError(
        .notExportable, object: value.name,
        "the weights are an input of the graph, which an export cannot fill",
        hint: "export it to safetensors")
    }
    define(value.name, as: matrix, type: type, in: start, &writer)
    // Where a node makes it now, no input may have its name.
    let isTensor = edits[start]?.newInitializers.contains { $0.name == value.name } ?? false
    if graph.inputs.contains(value.name), !isTensor {
      edits[start, default: ONNXGraphEdit()].removedInputs.insert(value.name)
    }
  }

  /// Adds a value to the main graph, where graphs inside it see it.
  mutating func define(
    _ name: String, as matrix: StackedMatrix, type: ONNXTensor.ElementType,
    _ writer: inout ONNXWeightWriter
  ) { define(name, as: matrix, type: type, in: model.graph.start, &writer) }

  private mutating func define(
    _ name: String, as matrix: StackedMatrix, type: ONNXTensor.ElementType, in start: Int,
    _ writer: inout ONNXWeightWriter
  ) {
    let (nodeCount, tensorCount) = (writer.nodes.count, writer.tensors.count)
    writer.add(matrix, name: name, type: type)
    let nodes = writer.nodes[nodeCount...]
    let tensors = writer.tensors[tensorCount...]
    var edit = edits[start] ?? ONNXGraphEdit()
    if graphs[start]?.isFunction == true {
      // Functions have no initializers.
      for tensor in tensors {
        edit.newNodes.append(
          ONNXNewNode(
            "Constant", inputs: [], outputs: [tensor.name],
            attributes: [("value", .tensor(tensor))]))
      }
    } else {
      edit.newInitializers += tensors
    }
    edit.newNodes += nodes
    edits[start] = edit
  }

  /// Replaces an initializer of a graph, unless it goes.
  mutating func replace(_ tensor: ONNXNewTensor, in start: Int) {
    edits[start, default: ONNXGraphEdit()].replacedInitializers[tensor.name] = tensor
  }

  /// Changes a node.
  mutating func change(
    node position: Int, in start: Int, _ body: (inout ONNXNodeChange) -> Void
  ) {
    guard let node = graphs[start]?.nodes[position] else { return }
    var edit = edits[start] ?? ONNXGraphEdit()
    var change = edit.changedNodes[position] ?? ONNXNodeChange()
    let before = change.inputs ?? node.inputs
    body(&change)
    edit.changedNodes[position] = change
    edits[start] = edit
    guard let after = change.inputs else { return }
    for name in after where !name.isEmpty { readers[name, default: 0] += 1 }
    for name in before where !name.isEmpty { release(name, from: start) }
  }

  /// Puts nodes in the place of one.
  mutating func replace(node position: Int, in start: Int, by nodes: [ONNXNewNode]) {
    edits[start, default: ONNXGraphEdit()].replacedNodes[position] = nodes
  }

  /// Adds an input to a node, with missing ones before it.
  mutating func addInput(_ name: String, at index: Int, ofNode position: Int, in start: Int) {
    let before = graphs[start]?.nodes[position].inputs ?? []
    change(node: position, in: start) { change in
      var inputs = change.inputs ?? before
      while inputs.count <= index { inputs.append("") }
      inputs[index] = name
      change.inputs = inputs
    }
  }

  /// Adds a list of integers; gives its name.
  mutating func addIntegers(_ values: [Int], for node: ONNXNode, in start: Int) -> String {
    add(
      ONNXNewTensor(
        name: newName("\(node.outputs.first ?? node.opType)/axes"), dims: [values.count],
        integers: values), in: start)
  }

  /// Adds a number; gives its name.
  mutating func addNumber(_ value: Float, for node: ONNXNode, in start: Int) -> String {
    add(
      .floats(
        [value], name: newName("\(node.outputs.first ?? node.opType)/number"), dims: [],
        type: .float), in: start)
  }

  private mutating func add(_ tensor: ONNXNewTensor, in start: Int) -> String {
    if graphs[start]?.isFunction == true {
      edits[start, default: ONNXGraphEdit()].newNodes.append(
        ONNXNewNode(
          "Constant", inputs: [], outputs: [tensor.name], attributes: [("value", .tensor(tensor))]))
    } else {
      edits[start, default: ONNXGraphEdit()].newInitializers.append(tensor)
    }
    return tensor.name
  }

  /// Whether initializers were added that are no inputs, as only IR version 4 allows.
  var needsIRVersion4: Bool {
    edits.contains { start, edit in
      edit.newInitializers.contains { graphs[start]?.inputs.contains($0.name) != true }
    }
  }

  /// The position of a node in its graph.
  func position(of node: ONNXNode, in start: Int) -> Int? {
    graphs[start]?.nodes.firstIndex { $0.outputs == node.outputs && $0.opType == node.opType }
  }

  // MARK: - What nobody reads

  private mutating func replaceOutput(_ name: String, ofNode position: Int, in start: Int) {
    guard let node = graphs[start]?.nodes[position] else { return }
    var outputs = edits[start]?.changedNodes[position]?.outputs ?? node.outputs
    for index in outputs.indices where outputs[index] == name {
      outputs[index] = newName("\(name)/before")
    }
    var change = edits[start]?.changedNodes[position] ?? ONNXNodeChange()
    change.outputs = outputs
    edits[start, default: ONNXGraphEdit()].changedNodes[position] = change
    removeIfUnread(node: position, in: start)
  }

  /// Notes that one node less reads a name.
  private mutating func release(_ name: String, from start: Int) {
    let count = (readers[name] ?? 1) - 1
    readers[name] = count
    guard count <= 0 else { return }
    // Names are looked for in every graph: one that is read nowhere can go wherever it stands.
    for (start, graph) in graphs.sorted(by: { $0.key < $1.key }) {
      if graph.initializers.contains(where: { $0.name == name }) {
        edits[start, default: ONNXGraphEdit()].removedInitializers.insert(name)
        if graph.inputs.contains(name) {
          edits[start, default: ONNXGraphEdit()].removedInputs.insert(name)
        }
      }
      for (position, node) in graph.nodes.enumerated() where node.outputs.contains(name) {
        removeIfUnread(node: position, in: start)
      }
    }
  }

  private mutating func removeIfUnread(node position: Int, in start: Int) {
    guard let node = graphs[start]?.nodes[position],
      edits[start]?.removedNodes.contains(position) != true
    else { return }
    let outputs = edits[start]?.changedNodes[position]?.outputs ?? node.outputs
    guard outputs.allSatisfy({ $0.isEmpty || readers[$0, default: 0] <= 0 }) else { return }
    edits[start, default: ONNXGraphEdit()].removedNodes.insert(position)
    for input in node.inputs where !input.isEmpty { release(input, from: start) }
  }
}
