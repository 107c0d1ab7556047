import Diagnostics
import FileSupport

/// Reads the elements of an `.npy` whose header was checked.
struct NpyElements {
  let source: ByteSource
  let header: NpyHeader

  func read() throws(DiagnosticError) -> NumericArray.Elements {
    switch header.type.kind {
    case .float16:
      return .floats(try elements { (bits: UInt16, _) in float(half: bits) })
    case .float32 where !header.type.isBigEndian:
      return .floats(inCOrder(try source.floats(count: header.count, at: header.dataOffset)))
    case .float32:
      return .floats(try elements { (bits: UInt32, _) in Float(bitPattern: bits) })
    case .float64:
      return .floats(
        try elements { (bits: UInt64, index) throws(DiagnosticError) in
          let value = Double(bitPattern: bits)
          let rounded = Float(value)
          guard rounded.isFinite || !value.isFinite else { throw misfit(value, index, "float32") }
          return rounded
        })
    case .bool: return .integers(try elements { (item: UInt8, _) in item == 0 ? 0 : 1 })
    case .int8: return .integers(try elements { (item: Int8, _) in Int64(item) })
    case .int16: return .integers(try elements { (item: Int16, _) in Int64(item) })
    case .int32: return .integers(try elements { (item: Int32, _) in Int64(item) })
    case .int64: return .integers(try elements { (item: Int64, _) in item })
    case .uint8: return .integers(try elements { (item: UInt8, _) in Int64(item) })
    case .uint16: return .integers(try elements { (item: UInt16, _) in Int64(item) })
    case .uint32: return .integers(try elements { (item: UInt32, _) in Int64(item) })
    case .uint64:
      return .integers(
        try elements { (item: UInt64, index) throws(DiagnosticError) in
          guard let value = Int64(exactly: item) else { throw misfit(item, index, "int64") }
          return value
        })
    }
  }

  /// Reads in pieces of 1 MiB, so that only the result is in memory as a whole.
  private func elements<Item: FixedWidthInteger, Value>(
    _ convert: (Item, Int) throws(DiagnosticError) -> Value
  ) throws(DiagnosticError) -> [Value] {
    let size = header.type.size
    let itemsPerPiece = (1 << 20) / size
    var values: [Value] = []
    values.reserveCapacity(header.count)
    while values.count < header.count {
      let count = min(itemsPerPiece, header.count - values.count)
      let offset = header.dataOffset + values.count * size
      let piece = try source.bytes(in: offset..<offset + count * size)
      for index in 0..<count {
        let item = unsafe piece.withUnsafeBytes {
          unsafe $0.loadUnaligned(fromByteOffset: index * size, as: Item.self)
        }
        values.append(
          try convert(
            header.type.isBigEndian ? Item(bigEndian: item) : Item(littleEndian: item),
            values.count))
      }
    }
    return inCOrder(values)
  }

  private func inCOrder<Value>(_ values: [Value]) -> [Value] {
    let shape = header.shape
    guard header.isFortranOrder, shape.count > 1, !values.isEmpty else { return values }
    var steps = [1]
    for size in shape.dropLast() { steps.append(steps[steps.count - 1] * size) }
    let last = shape.count - 1
    var result: [Value] = []
    result.reserveCapacity(values.count)
    var indices = [Int](repeating: 0, count: shape.count)
    var start = 0
    while true {
      for index in 0..<shape[last] { result.append(values[start + index * steps[last]]) }
      var dimension = last - 1
      while dimension >= 0, indices[dimension] == shape[dimension] - 1 {
        start -= indices[dimension] * steps[dimension]
        indices[dimension] = 0
        dimension -= 1
      }
      guard dimension >= 0 else { return result }
      indices[dimension] += 1
      start += steps[dimension]
    }
  }

  private func misfit(
    _ value: some CustomStringConvertible, _ index: Int, _ type: String
  ) -> DiagnosticError {
    .unsupported(
      "element \(index) in file order is \(value), which \(type) does not hold",
      hint: "scale the data, or save it as \(type)")
  }
}

/// The value of a float16; the type itself is missing on Intel Macs.
private func float(half bits: UInt16) -> Float {
  let exponent = UInt32(bits >> 10 & 31)
  let fraction = UInt32(bits & 1023)
  let sign = UInt32(bits >> 15) << 31
  switch exponent {
  case 0:
    let magnitude = Float(fraction) * 0x1p-24
    return sign == 0 ? magnitude : -magnitude
  case 31: return Float(bitPattern: sign | 255 << 23 | fraction << 13)
  default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}
