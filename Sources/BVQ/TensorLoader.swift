internal import Diagnostics
internal import FileSupport
internal import LSTMCore
internal import Synchronization

/// Loads tensors whose records were checked, and checks their bytes.
struct TensorLoader {
  let contents: BVQContents
  let source: ByteSource

  /// Loads all tensors, on as many processors as there are.
  ///
  /// - Throws: What loading the first bad one throws; those after it may not have been looked at.
  func loadAll() throws(DiagnosticError) -> LoadedTensors {
    let count = contents.tensors.count
    let firstBad = Atomic<Int>(count)
    // The largest first, so that none is left for one processor at the end.
    let order = (0..<count).sorted {
      contents.tensors[$0].byteCount > contents.tensors[$1].byteCount
    }
    let results = taskResults(count, threads: count) {
      (task) throws(DiagnosticError) -> TensorContent? in
      let index = order[task]
      guard index < firstBad.load(ordering: .relaxed) else { return nil }
      do throws(DiagnosticError) { return try load(index) } catch {
        firstBad.min(index, ordering: .relaxed)
        throw error
      }
    }
    let loaded = try zip(order, results).sorted { $0.0 < $1.0 }
      .map { (_, result) throws(DiagnosticError) in try result.get() }
    return LoadedTensors(records: contents.tensors, contents: loaded.compactMap { $0 })
  }

  /// Loads a tensor after checking its checksum, its values and the padding after it.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqChecksum`, `bvqValue`, `bvqPadding` or
  ///   `fileAccess`.
  func load(_ index: Int) throws(DiagnosticError) -> TensorContent {
    let tensor = contents.tensors[index]
    let content: TensorContent
    switch tensor.storage {
    case .raw where tensor.kind == .opaque || tensor.kind == .selfTest:
      content = .bytes(try checkedBytes(tensor))
    case .raw: content = .floats(try floats(tensor))
    case .encoded(let id, let groupSize, let scaleExponent):
      guard let encoding = WeightEncodings.encoding(id: id) else {
        throw tensor.error("has encoding \(id), which this version does not know")
      }
      content = try packed(
        tensor, encoding: encoding, groupSize: groupSize, scaleExponent: scaleExponent)
    }
    try content.check(name: tensor.name)
    try checkPadding(after: tensor, index: index)
    return content
  }

  /// Checks the padding between the tensor table and the first tensor.
  func checkPaddingBeforePayload() throws(DiagnosticError) {
    let start = contents.header.directoryChecksumOffset + 4
    try BVQContents.checkZeros(
      try source.bytes(in: start..<contents.header.payloadOffset), at: start,
      after: "tensor table")
  }

  private func checkPadding(after tensor: BVQTensor, index: Int) throws(DiagnosticError) {
    let start = tensor.range.upperBound
    let end =
      index + 1 < contents.tensors.count
      ? contents.tensors[index + 1].offset : contents.header.trailerOffset
    try BVQContents.checkZeros(
      try source.bytes(in: start..<end), at: start, after: tensor.name)
  }

  private func checkedBytes(_ tensor: BVQTensor) throws(DiagnosticError) -> [UInt8] {
    let bytes = try source.bytes(in: tensor.range)
    try check(crc32(bytes), tensor)
    return bytes
  }

  /// Reads in pieces, so that a large matrix is not in memory twice.
  private func floats(_ tensor: BVQTensor) throws(DiagnosticError) -> [Float] {
    var values: [Float] = []
    values.reserveCapacity(tensor.byteCount / 4)
    var checksum: UInt32 = 0
    let step = 1 << 20
    for start in stride(from: tensor.offset, to: tensor.range.upperBound, by: step) {
      let bytes = try source.bytes(in: start..<min(start + step, tensor.range.upperBound))
      checksum = crc32(bytes, after: checksum)
      values.append(fromBytes: bytes)
    }
    try check(checksum, tensor)
    return values
  }

  private func packed(
    _ tensor: BVQTensor, encoding: any WeightEncoding, groupSize: Int, scaleExponent: Int
  ) throws(DiagnosticError) -> TensorContent {
    let layout = EncodedLayout(
      encoding: encoding, rows: tensor.rows, columns: tensor.columns, groupSize: groupSize)
    let split = tensor.offset + layout.codeByteCount
    let codes = try source.bytes(in: tensor.offset..<split)
    let rest = try source.bytes(in: split..<tensor.range.upperBound)
    try check(crc32(rest, after: crc32(codes)), tensor)
    guard rest.prefix(layout.gapByteCount).allSatisfy({ $0 == 0 }) else {
      throw DiagnosticError(
        .bvqPadding, object: tensor.name,
        "has a byte between codes and parameters that is not zero")
    }
    let parameters = (0..<layout.parameterCount).map {
      Float16(bitPattern: rest.littleEndian(at: layout.gapByteCount + $0 * 2))
    }
    return .packed(
      PackedMatrix(
        encoding: encoding, rows: tensor.rows, columns: tensor.columns, groupSize: groupSize,
        scaleExponent: scaleExponent, codes: codes, parameters: parameters))
  }

  private func check(_ checksum: UInt32, _ tensor: BVQTensor) throws(DiagnosticError) {
    guard checksum == tensor.checksum else {
      throw DiagnosticError.checksum(
        object: tensor.name, expected: tensor.checksum, found: checksum)
    }
  }
}

/// All tensors of a file.
struct LoadedTensors {
  let records: [BVQTensor]
  /// As many.
  let contents: [TensorContent]
}
