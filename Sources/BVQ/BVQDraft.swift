internal import Diagnostics
internal import FileSupport
internal import LSTMCore
internal import OrderedJSON

/// A file about to be written: metadata, tensors in their places, and the elements of each.
struct BVQDraft {
  private(set) var tensors: [BVQTensor] = []
  private(set) var contents: [TensorContent] = []
  private var metadata: [UInt8] = []
  /// The factors that are not stored, each with the equal one that stands for it.
  private var shared: [(name: String, stored: String)] = []
  private(set) var header = BVQHeader()

  /// Lays out a file and checks it against the rules that a reader checks, so that nothing is
  /// written that cannot be read.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqUnsupportedModel`, naming the layer, the tensor or
  ///   the limit.
  init(_ file: BVQFile) throws(DiagnosticError) {
    do throws(DiagnosticError) {
      try addTensors(of: file.model)
      for (index, test) in file.selfTests.enumerated() { add(test, index: index) }
      let json = BVQMetadata.json(of: file, shared: shared)
      metadata = Array(json.serialized().utf8)
      if !shared.isEmpty { header.requiredFeatures |= BVQFormat.sharedFeature }
      try place()
      // The text, not the value, because depth and numbers may change on the way.
      _ = try ModelPlan(metadata: JSONValue.parse(metadata), tensors: tensors)
    } catch {
      throw DiagnosticError(
        .bvqUnsupportedModel, object: error.object,
        "cannot be stored in a .bvq: \(error.problem)", hint: error.hint)
    }
  }

  private mutating func addTensors(of model: Model) throws(DiagnosticError) {
    var seen: Set<Int> = []
    for layer in model.layers {
      switch layer.kind {
      case .lstm(let lstm):
        guard model.lstmWeights.indices.contains(lstm.weights) else {
          throw unsupported(layer.name, "it uses weights \(lstm.weights), which do not exist")
        }
        let weights = model.lstmWeights[lstm.weights]
        guard weights.directions.count == lstm.directions.count else {
          throw unsupported(layer.name, "its weights have another number of directions")
        }
        guard seen.insert(lstm.weights).inserted else { continue }
        for (settings, direction) in zip(lstm.directions, weights.directions) {
          try add(direction, settings.direction, layer.name)
        }
      case .embedding(let embedding):
        try add(embedding.weights, MatrixPath(layer: layer.name, role: .embedding))
      case .dense(let dense):
        try add(dense.weights, MatrixPath(layer: layer.name, role: .dense))
        if let bias = dense.bias {
          add(TensorNames.denseBias(layer.name), .vector, rows: 1, .floats(bias))
        }
      case .opaque(let opaque):
        for (index, tensor) in opaque.tensors.enumerated() {
          add(
            BVQTensor(
              name: TensorNames.opaque(layer.name, index), kind: .opaque,
              storage: .raw(tensor.elementType), rows: 1,
              columns: tensor.bytes.count / tensor.elementType.byteCount, offset: 0, byteCount: 0,
              checksum: 0),
            .bytes(tensor.bytes))
        }
      }
    }
  }

  private mutating func add(_ test: SelfTest, index: Int) {
    for (position, tensor) in (test.inputs + [test.expected]).enumerated() {
      let source = SourceTensor(tensor.tensor, name: tensor.name)
      add(
        BVQTensor(
          name: TensorNames.selfTest(index, position), kind: .selfTest,
          storage: .raw(source.elementType), rows: 1, columns: tensor.tensor.count, offset: 0,
          byteCount: 0, checksum: 0),
        .bytes(source.bytes))
    }
  }

  private mutating func add(
    _ weights: DirectionWeights, _ direction: Direction, _ layer: String
  ) throws(DiagnosticError) {
    var factors: [Factor] = []
    for (role, matrices) in [
      (MatrixPath.Role.input, weights.inputWeights), (.recurrent, weights.recurrentWeights),
    ] {
      for gate in Gate.allCases {
        let path = MatrixPath(layer: layer, role: role, direction: direction, gate: gate)
        guard case .product(let left, let right) = matrices[gate] else {
          try add(matrices[gate], path)
          continue
        }
        try add(Factor(left, TensorNames.left(path), .leftFactor), beside: &factors)
        try add(Factor(right, TensorNames.right(path), .rightFactor), beside: &factors)
      }
    }
    if let projection = weights.projection {
      try add(projection, TensorNames.projection(layer, direction))
    }
    if let peepholes = weights.peepholes, !peepholes[.cell].isEmpty {
      throw unsupported(layer, "its cell gate has peepholes")
    }
    for (name, vectors, gates) in [
      (TensorNames.bias(layer, direction), weights.bias, Gate.allCases),
      (TensorNames.recurrentBias(layer, direction), weights.recurrentBias, Gate.allCases),
      (TensorNames.peepholes(layer, direction), weights.peepholes, TensorNames.peepholeGates),
    ] {
      guard let vectors else { continue }
      guard gates.allSatisfy({ vectors[$0].count == vectors[.input].count }) else {
        throw unsupported(name, "its gates differ in length")
      }
      add(name, .vector, rows: gates.count, .floats(gates.flatMap { vectors[$0] }))
    }
  }

  /// One factor of a gate's matrix.
  private struct Factor {
    let matrix: WeightMatrix
    let name: String
    let kind: BVQTensor.Kind

    init(_ matrix: WeightMatrix, _ name: String, _ kind: BVQTensor.Kind) {
      self.matrix = matrix
      self.name = name
      self.kind = kind
    }
  }

  /// Adds a factor, or names the equal one of the same direction that stands for it.
  private mutating func add(
    _ factor: Factor, beside factors: inout [Factor]
  ) throws(DiagnosticError) {
    if let equal = factors.first(where: { $0.kind == factor.kind && $0.matrix == factor.matrix }) {
      shared.append((factor.name, equal.name))
      return
    }
    factors.append(factor)
    try addStored(factor.matrix, factor.name, factor.kind)
  }

  private mutating func add(
    _ matrix: WeightMatrix, _ path: MatrixPath
  ) throws(DiagnosticError) {
    switch matrix {
    case .product(let left, let right):
      try addStored(left, TensorNames.left(path), .leftFactor)
      try addStored(right, TensorNames.right(path), .rightFactor)
    case .dense, .packed: try addStored(matrix, TensorNames.matrix(path), .matrix)
    }
  }

  private mutating func addStored(
    _ matrix: WeightMatrix, _ name: String, _ kind: BVQTensor.Kind
  ) throws(DiagnosticError) {
    switch matrix {
    case .dense(let dense): add(name, kind, rows: dense.rows, .floats(dense.elements))
    case .packed(let packed):
      let record = BVQTensor(
        name: name, kind: kind,
        storage: .encoded(
          encoding: packed.encoding.id, groupSize: packed.groupSize,
          scaleExponent: packed.scaleExponent),
        rows: packed.rows, columns: packed.columns, offset: 0, byteCount: 0, checksum: 0)
      add(record, .packed(packed))
    case .product: throw unsupported(name, "a factor is itself a product")
    }
  }

  private mutating func add(
    _ name: String, _ kind: BVQTensor.Kind, rows: Int, _ content: TensorContent
  ) {
    guard case .floats(let values) = content else { return }
    let record = BVQTensor(
      name: name, kind: kind, storage: .raw(.float32), rows: rows,
      columns: rows == 0 ? 0 : values.count / rows, offset: 0, byteCount: 0, checksum: 0)
    add(record, content)
  }

  private mutating func add(_ tensor: BVQTensor, _ content: TensorContent) {
    tensors.append(tensor)
    contents.append(content)
  }

  /// Gives every tensor its place and checks the limits.
  private mutating func place() throws(DiagnosticError) {
    for tensor in tensors {
      guard (1...BVQFormat.maximumNameByteCount).contains(tensor.name.utf8.count) else {
        throw unsupported(
          tensor.name, "its name has more than \(BVQFormat.maximumNameByteCount) bytes")
      }
    }
    header.tensorCount = tensors.count
    header.metadataByteCount = metadata.count
    header.namePoolByteCount = tensors.reduce(0) { $0 + $1.name.utf8.count }
    for (what, count, limit) in [
      ("tensors", tensors.count, BVQFormat.maximumTensorCount),
      ("bytes of metadata", metadata.count, BVQFormat.maximumMetadataByteCount),
      ("bytes of names", header.namePoolByteCount, BVQFormat.maximumNamePoolByteCount),
    ] where count > limit {
      throw unsupported(nil, "it has \(count) \(what), above the limit of \(limit)")
    }
    var end = header.payloadOffset
    for index in tensors.indices {
      tensors[index].offset = BVQFormat.aligned(end)
      tensors[index].byteCount = try tensors[index].impliedByteCount()
      end = tensors[index].range.upperBound
    }
    header.fileByteCount = end + BVQFormat.trailerByteCount
  }

  private func unsupported(_ object: String?, _ problem: String) -> DiagnosticError {
    DiagnosticError(.bvqUnsupportedModel, object: object, problem)
  }

  /// Hands over the bytes of the file in order, in pieces.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqValue` for numbers that are not finite, before the
  ///   first piece; and whatever `body` throws.
  func forEachChunk(
    _ body: ([UInt8]) throws(DiagnosticError) -> Void
  ) throws(DiagnosticError) {
    let hash = SHA256()
    try forEachChunkBeforeTrailer { chunk throws(DiagnosticError) in
      hash.update(chunk)
      try body(chunk)
    }
    try body(hash.finalize())
  }

  private func forEachChunkBeforeTrailer(
    _ body: ([UInt8]) throws(DiagnosticError) -> Void
  ) throws(DiagnosticError) {
    var records = tensors
    for (index, content) in contents.enumerated() {
      try content.check(name: records[index].name)
      records[index].checksum = try content.checksum
    }
    let table = BVQTensorTable.bytes(of: records)
    var directory = metadata
    directory += [UInt8](
      repeating: 0, count: header.tableOffset - header.metadataOffset - metadata.count)
    directory += table.records + table.names
    directory.appendLittleEndian(crc32(directory))
    let count = header.bytes.count + directory.count
    // The padding before the payload is there even when there are no tensors.
    try body(
      header.bytes + directory + [UInt8](repeating: 0, count: header.payloadOffset - count))
    var end = header.payloadOffset
    for (tensor, content) in zip(tensors, contents) {
      try body([UInt8](repeating: 0, count: tensor.offset - end))
      try content.forEachChunk(body)
      end = tensor.range.upperBound
    }
  }
}
