public import Diagnostics
public import FileSupport
internal import LSTMCore

/// Reads `.bvq` files.
public enum BVQReader {
  /// Whether some bytes begin as a `.bvq` does.
  public static func recognizes(_ bytes: [UInt8]) -> Bool { bytes.starts(with: BVQFormat.magic) }

  /// Reads a whole file.
  ///
  /// Everything that stands before the payload is checked before the first tensor is allocated;
  /// then each tensor's checksum and values. The SHA-256 at the end is left to ``verify(_:)``.
  ///
  /// - Throws: ``DiagnosticError`` that names the field, key or tensor that breaks a rule of
  ///   `formats/bvq/SPEC.md`.
  public static func read(_ source: ByteSource) throws(DiagnosticError) -> BVQFile {
    let contents = try BVQContents(reading: source)
    do throws(DiagnosticError) {
      let plan = try ModelPlan(metadata: contents.metadata, tensors: contents.tensors)
      let loader = TensorLoader(contents: contents, source: source)
      try loader.checkPaddingBeforePayload()
      let tensors = try loader.loadAll()
      let model = try plan.model(of: tensors)
      var selfTests: [SelfTest] = []
      for test in plan.selfTests { selfTests.append(try test.load(tensors)) }
      return BVQFile(
        model: model, producer: plan.producer, settings: plan.settings, selfTests: selfTests)
    } catch { throw error.inFile(source.name) }
  }
}

extension ModelPlan {
  /// Puts the model together.
  func model(of tensors: LoadedTensors) throws(DiagnosticError) -> Model {
    var sets: [LSTMWeights] = []
    for set in weights { sets.append(try lstmWeights(set, tensors)) }
    var layers: [LSTMCore.Layer] = []
    for layer in self.layers {
      let kind: LSTMCore.Layer.Kind
      switch layer.kind {
      case .lstm(let lstm): kind = .lstm(lstm)
      case .embedding(let matrix):
        kind = .embedding(EmbeddingLayer(weights: try self.matrix(matrix, tensors)))
      case .dense(let matrix, let bias, let activation):
        kind = .dense(
          DenseLayer(
            weights: try self.matrix(matrix, tensors), bias: try vector(bias, tensors),
            activation: activation))
      case .opaque(let parts, let reason):
        var loaded: [SourceTensor] = []
        for tensor in parts { loaded.append(try sourceTensor(tensor, tensors)) }
        kind = .opaque(OpaqueLayer(tensors: loaded, reason: reason))
      }
      layers.append(LSTMCore.Layer(name: layer.name, sourceClass: layer.sourceClass, kind: kind))
    }
    return Model(source: source, layers: layers, lstmWeights: sets, graph: graph)
  }

  private func lstmWeights(
    _ set: Weights, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> LSTMWeights {
    var directions: [DirectionWeights] = []
    for direction in set.directions {
      directions.append(
        DirectionWeights(
          inputWeights: try PerGate { gate throws(DiagnosticError) in
            try matrix(direction.input[gate], tensors)
          },
          recurrentWeights: try PerGate { gate throws(DiagnosticError) in
            try matrix(direction.recurrent[gate], tensors)
          },
          bias: try gateVectors(direction.bias, Gate.allCases, set.hiddenSize, tensors),
          recurrentBias: try gateVectors(
            direction.recurrentBias, Gate.allCases, set.hiddenSize, tensors),
          peepholes: try gateVectors(
            direction.peepholes, TensorNames.peepholeGates, set.hiddenSize, tensors),
          projection: try direction.projection.map { (found) throws(DiagnosticError) in
            try matrix(found, tensors)
          }))
    }
    return LSTMWeights(
      inputSize: set.inputSize, hiddenSize: set.hiddenSize, outputSize: set.outputSize,
      directions: directions)
  }

  private func matrix(
    _ matrix: Matrix, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> WeightMatrix {
    switch matrix {
    case .whole(let index): try stored(index, tensors)
    case .product(let left, let right):
      .product(left: try stored(left, tensors), right: try stored(right, tensors))
    }
  }

  private func stored(
    _ index: Int, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> WeightMatrix {
    let tensor = tensors.records[index]
    switch tensors.contents[index] {
    case .floats(let elements):
      return .dense(
        LSTMCore.Matrix(rows: tensor.rows, columns: tensor.columns, elements: elements))
    case .packed(let matrix): return .packed(matrix)
    case .bytes: throw tensor.error("is not a matrix")
    }
  }

  private func vector(
    _ index: Int?, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> [Float]? {
    guard let index else { return nil }
    guard case .floats(let values) = tensors.contents[index] else {
      throw tensors.records[index].error("is not a vector")
    }
    return values
  }

  /// One row of a tensor for each gate; an empty vector for a gate that has none.
  private func gateVectors(
    _ index: Int?, _ gates: [Gate], _ size: Int, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> PerGate<[Float]>? {
    guard let values = try vector(index, tensors) else { return nil }
    return PerGate { gate in
      guard let row = gates.firstIndex(of: gate) else { return [] }
      return Array(values[row * size..<(row + 1) * size])
    }
  }

  private func sourceTensor(
    _ tensor: OpaqueTensor, _ tensors: LoadedTensors
  ) throws(DiagnosticError) -> SourceTensor {
    let record = tensors.records[tensor.tensor]
    guard case .raw(let type) = record.storage,
      case .bytes(let bytes) = tensors.contents[tensor.tensor]
    else { throw record.error("is not a raw tensor") }
    return SourceTensor(
      name: tensor.name, shape: tensor.shape, elementType: type, bytes: bytes)
  }
}
