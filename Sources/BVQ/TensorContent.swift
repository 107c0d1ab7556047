internal import Diagnostics
internal import FileSupport
internal import LSTMCore

/// The elements of a tensor in memory.
enum TensorContent {
  /// A float32 matrix or vector.
  case floats([Float])
  /// Codes and parameters.
  case packed(PackedMatrix)
  /// The elements of an opaque tensor.
  case bytes([UInt8])

  /// The bytes as they stand in the file, in pieces, so that a large matrix is not copied whole.
  func forEachChunk(
    _ body: ([UInt8]) throws(DiagnosticError) -> Void
  ) throws(DiagnosticError) {
    switch self {
    case .floats(let values):
      let step = 1 << 18
      for start in stride(from: 0, to: values.count, by: step) {
        var bytes: [UInt8] = []
        bytes.append(bytesOf: values[start..<min(start + step, values.count)])
        try body(bytes)
      }
    case .packed(let matrix):
      try body(matrix.codes)
      var bytes = [UInt8](
        repeating: 0, count: matrix.parameters.isEmpty ? 0 : matrix.codes.count % 2)
      bytes.append(bytesOf: matrix.parameters)
      try body(bytes)
    case .bytes(let bytes): try body(bytes)
    }
  }

  /// The CRC-32 of the bytes.
  var checksum: UInt32 {
    get throws(DiagnosticError) {
      var checksum: UInt32 = 0
      try forEachChunk { chunk in checksum = crc32(chunk, after: checksum) }
      return checksum
    }
  }

  /// Checks that every code is legal and every number finite.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqValue`, naming the element.
  func check(name: String) throws(DiagnosticError) {
    switch self {
    case .floats(let values):
      guard let index = values.firstIndex(where: { !$0.isFinite }) else { return }
      throw DiagnosticError(
        .bvqValue, object: name, "has \(values[index]) at element \(index); numbers must be finite")
    case .packed(let matrix): try matrix.checkValues(name: name)
    case .bytes: return
    }
  }
}

extension PackedMatrix {
  /// Checks codes and parameters.
  fileprivate func checkValues(name: String) throws(DiagnosticError) {
    try checkCodes(name: name)
    try checkParameters(name: name)
  }

  private func checkCodes(name: String) throws(DiagnosticError) {
    let rowBytes = encoding.rowByteCount(columns: columns)
    // A row has as many bit patterns as lists of codes, and packing keeps lists apart: then every
    // pattern is legal.
    let isFull =
      encoding.levelCount.nonzeroBitCount == 1
      && rowBytes * 8 == columns * encoding.levelCount.trailingZeroBitCount
    // Without parameters the code alone says the weight: float16.
    let finiteCodes =
      encoding.parametersPerGroup == 0
      ? (0..<encoding.levelCount).map {
        encoding.value(of: UInt16($0), parameters: []).isFinite
      } : nil
    if isFull && finiteCodes == nil { return }
    for row in 0..<rows {
      guard
        let rowCodes = encoding.unpack(
          codes[row * rowBytes..<(row + 1) * rowBytes], columns: columns)
      else {
        throw DiagnosticError(
          .bvqValue, object: name,
          "has a code in row \(row) that \(encoding.name) does not have, or padding bits that are "
            + "not zero")
      }
      guard let finiteCodes,
        let column = rowCodes.firstIndex(where: { !finiteCodes[Int($0)] })
      else { continue }
      throw DiagnosticError(
        .bvqValue, object: name, "has a number at row \(row), column \(column) that is not finite")
    }
  }

  private func checkParameters(name: String) throws(DiagnosticError) {
    let perGroup = encoding.parametersPerGroup
    guard perGroup > 0 else { return }
    let factor = Float(sign: .plus, exponent: scaleExponent, significand: 1)
    // Without the sign, bit patterns are in the order of magnitudes.
    let magnitude = parameters.reduce(0) { max($0, $1.magnitude.bitPattern) }
    let largest = Float(Float16(bitPattern: magnitude))
    guard largest.isFinite else {
      let index = parameters.firstIndex { !$0.isFinite } ?? 0
      throw DiagnosticError(
        .bvqValue, object: name, "has parameter \(index) that is not finite")
    }
    // No weight is beyond offset + scale × code; so this covers all files but hostile ones.
    if (largest * factor * Float(encoding.levelCount)).isFinite { return }
    let values = parameters.map { Float($0) * factor }
    for start in stride(from: 0, to: values.count, by: perGroup) {
      let group = values[start..<start + perGroup]
      let ends = [0, UInt16(encoding.levelCount - 1)].map {
        encoding.value(of: $0, parameters: group)
      }
      // Kernels compute with the distance of the ends, too.
      guard (Array(group) + ends + [ends[1] - ends[0]]).allSatisfy(\.isFinite) else {
        throw DiagnosticError(
          .bvqValue, object: name,
          "has weights in group \(start / perGroup) that are beyond the range of float32")
      }
    }
  }
}
