internal import Diagnostics
internal import LSTMCore
internal import OrderedJSON

/// A model whose every tensor is known by its place in the table, with all shapes checked, before
/// any of them is loaded.
struct ModelPlan {
  /// A matrix: one tensor, or two factors.
  enum Matrix {
    case whole(Int)
    case product(left: Int, right: Int)
  }

  struct Direction {
    var input: PerGate<Matrix>
    var recurrent: PerGate<Matrix>
    var bias: Int?
    var recurrentBias: Int?
    var peepholes: Int?
    var projection: Matrix?
  }

  struct Weights {
    var inputSize: Int
    var hiddenSize: Int
    var outputSize: Int
    /// Empty until the first layer that uses them was read.
    var directions: [Direction] = []
  }

  struct OpaqueTensor {
    var name: String
    var shape: [Int]
    var tensor: Int
  }

  enum Kind {
    case lstm(LSTMLayer)
    case embedding(Matrix)
    case dense(Matrix, bias: Int?, Activation)
    case opaque([OpaqueTensor], reason: String?)
  }

  struct Layer {
    var name: String
    var sourceClass: String
    var kind: Kind
  }

  var source: ModelSource
  var producer: BVQProducer
  var settings: JSONObject
  var weights: [Weights]
  var layers: [Layer] = []
  var graph: ModelGraph?
  var selfTests: [SelfTestMetadata.Plan] = []

  /// Reads the metadata and finds every tensor they speak of.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqMetadata` or `bvqTensor` when a key or tensor is
  ///   missing, a shape is not what the metadata say, or a tensor is left over.
  init(metadata: JSONValue, tensors: [BVQTensor]) throws(DiagnosticError) {
    let root = MetadataCursor(metadata)
    let producer = try root.required("producer")
    self.producer = BVQProducer(
      name: try producer.required("name").string, version: try producer.required("version").string)
    let source = try root.required("source")
    self.source = ModelSource(
      format: try source.required("format").string, writer: try source.required("writer").string,
      byteCount: try source.required("byteCount").size,
      sha256: try source.required("sha256").string)
    let settings = try root.required("settings")
    guard let object = settings.value.objectValue else {
      throw settings.error("expected an object")
    }
    self.settings = object
    var finder = try TensorFinder(tensors, shared: root.optional("shared"))
    weights = []
    for set in try root.required("lstmWeights").elements {
      let hiddenSize = try set.required("hiddenSize").size
      weights.append(
        Weights(
          inputSize: try set.required("inputSize").size, hiddenSize: hiddenSize,
          outputSize: try set.optional("outputSize")?.size ?? hiddenSize))
    }
    var names: Set<String> = []
    for cursor in try root.required("layers").elements {
      let name = try cursor.required("name").string
      guard names.insert(name).inserted else {
        throw cursor.error("the layer name '\(name)' stands twice")
      }
      layers.append(try readLayer(cursor, name: name, &finder))
    }
    if let unused = weights.firstIndex(where: { $0.directions.isEmpty }) {
      throw root.error("lstmWeights[\(unused)] is used by no layer")
    }
    if let graph = try root.optional("graph") {
      self.graph = try GraphMetadata.graph(graph, layerCount: layers.count)
    }
    for (index, test) in (try root.optional("selfTests")?.elements ?? []).enumerated() {
      selfTests.append(try SelfTestMetadata.plan(test, index: index, finder))
    }
    try finder.checkNothingIsLeft()
  }

  private enum KindName: String, CaseIterable {
    case lstm, embedding, dense, opaque
  }

  private mutating func readLayer(
    _ cursor: MetadataCursor, name: String, _ finder: inout TensorFinder
  ) throws(DiagnosticError) -> Layer {
    let kind: Kind
    switch try cursor.required("kind").choice(KindName.self) {
    case .lstm:
      let layer = try MetadataLayers.lstm(cursor)
      try bindWeights(of: layer, name: name, cursor, &finder)
      kind = .lstm(layer)
    case .embedding:
      kind = .embedding(try finder.matrix(MatrixPath(layer: name, role: .embedding), nil))
    case .dense:
      let matrix = try finder.matrix(MatrixPath(layer: name, role: .dense), nil)
      kind = .dense(
        matrix,
        bias: try finder.vector(
          TensorNames.denseBias(name), rows: 1, columns: finder.shape(of: matrix).rows),
        try MetadataLayers.activation(cursor.required("activation")))
    case .opaque:
      let tensors = try MetadataLayers.opaqueTensors(cursor)
      var bound: [OpaqueTensor] = []
      for (index, tensor) in tensors.enumerated() {
        bound.append(
          OpaqueTensor(
            name: tensor.name, shape: tensor.shape,
            tensor: try finder.opaque(TensorNames.opaque(name, index), shape: tensor.shape)))
      }
      kind = .opaque(bound, reason: try cursor.optional("reason")?.string)
    }
    return Layer(
      name: name, sourceClass: try cursor.required("sourceClass").string, kind: kind)
  }

  /// Finds the tensors of a set of weights when this is the first layer that uses it.
  private mutating func bindWeights(
    of layer: LSTMLayer, name: String, _ cursor: MetadataCursor, _ finder: inout TensorFinder
  ) throws(DiagnosticError) {
    guard weights.indices.contains(layer.weights) else {
      throw cursor.error("uses lstmWeights[\(layer.weights)], there are \(weights.count)")
    }
    var set = weights[layer.weights]
    guard set.directions.isEmpty else {
      guard set.directions.count == layer.directions.count else {
        throw cursor.error(
          "has \(layer.directions.count) directions, its weights have \(set.directions.count)")
      }
      return
    }
    let (inputs, units, outputs) = (set.inputSize, set.hiddenSize, set.outputSize)
    for settings in layer.directions {
      let direction = settings.direction
      func matrices(
        _ role: MatrixPath.Role, _ columns: Int
      ) throws(DiagnosticError) -> PerGate<Matrix> {
        try PerGate { gate throws(DiagnosticError) in
          try finder.matrix(
            MatrixPath(layer: name, role: role, direction: direction, gate: gate),
            (rows: units, columns: columns))
        }
      }
      set.directions.append(
        Direction(
          input: try matrices(.input, inputs), recurrent: try matrices(.recurrent, outputs),
          bias: try finder.vector(TensorNames.bias(name, direction), rows: 4, columns: units),
          recurrentBias: try finder.vector(
            TensorNames.recurrentBias(name, direction), rows: 4, columns: units),
          peepholes: try finder.vector(
            TensorNames.peepholes(name, direction), rows: 3, columns: units),
          projection: try finder.optionalMatrix(
            TensorNames.projection(name, direction), (rows: outputs, columns: units))))
      guard outputs == units || set.directions.last?.projection != nil else {
        throw cursor.error(
          "its weights have outputSize \(outputs) and hiddenSize \(units), but no projection")
      }
    }
    weights[layer.weights] = set
  }
}
