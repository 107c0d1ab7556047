internal import Diagnostics
internal import LSTMCore

/// Reads and writes the tensor table: records of 64 bytes, then the names.
enum BVQTensorTable {
  /// The numbers of element types on disk: the place in this list, from 1.
  static let elementTypes: [SourceTensor.ElementType] = [
    .float16, .bfloat16, .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16,
    .uint32, .uint64, .bool,
  ]

  /// The records and the names of tensors.
  static func bytes(of tensors: [BVQTensor]) -> (records: [UInt8], names: [UInt8]) {
    var records: [UInt8] = []
    var names: [UInt8] = []
    for tensor in tensors {
      let name = Array(tensor.name.utf8)
      records.appendLittleEndian(UInt32(names.count))
      records.appendLittleEndian(UInt16(name.count))
      records.appendLittleEndian(tensor.kind.rawValue)
      switch tensor.storage {
      case .raw(let type):
        records.appendLittleEndian(UInt16(0))
        records.appendLittleEndian(UInt16((elementTypes.firstIndex(of: type) ?? -1) + 1))
        records.appendLittleEndian(UInt32(0))
        records.appendLittleEndian(Int32(0))
      case .encoded(let encoding, let groupSize, let scaleExponent):
        records.appendLittleEndian(encoding)
        records.appendLittleEndian(UInt16(0))
        records.appendLittleEndian(UInt32(groupSize))
        records.appendLittleEndian(Int32(scaleExponent))
      }
      records.appendLittleEndian(tensor.checksum)
      records.appendLittleEndian(UInt64(tensor.rows))
      records.appendLittleEndian(UInt64(tensor.columns))
      records.appendLittleEndian(UInt64(tensor.offset))
      records.appendLittleEndian(UInt64(tensor.byteCount))
      records.appendLittleEndian(UInt64(0))
      names += name
    }
    return (records, names)
  }

  /// Reads the table and checks every record, names and places included.
  ///
  /// - Parameters:
  ///   - records: `tensorCount` records.
  ///   - names: The name pool.
  ///   - header: The header, for the place and end of the payload.
  ///   - writer: Who wrote the file, for messages.
  /// - Returns: The tensors in the order of the file.
  /// - Throws: ``DiagnosticError`` with code `bvqTensor` or `bvqFeature`.
  static func read(
    records: [UInt8], names: [UInt8], header: BVQHeader, writer: String?
  ) throws(DiagnosticError) -> [BVQTensor] {
    var tensors: [BVQTensor] = []
    var seen: Set<String> = []
    var nameEnd = 0
    var end = header.payloadOffset
    for index in 0..<header.tensorCount {
      let record = Array(records[index * BVQFormat.recordByteCount..<(index + 1) * 64])
      let name = try readName(record, names: names, end: &nameEnd, index: index)
      guard seen.insert(name).inserted else {
        throw DiagnosticError(.bvqTensor, object: name, "stands twice in the tensor table")
      }
      do throws(DiagnosticError) {
        let tensor = try readRecord(record, name: name)
        try checkPlace(tensor, begin: index == 0 ? end : BVQFormat.aligned(end), header: header)
        end = tensor.range.upperBound
        tensors.append(tensor)
      } catch {
        guard error.code == .bvqFeature, let writer else { throw error }
        var copy = error
        copy.hint = "it was written by \(writer); read it with that version"
        throw copy
      }
    }
    guard nameEnd == names.count else {
      throw DiagnosticError(
        .bvqTensor, object: "tensor table", "names \(nameEnd) of \(names.count) bytes of names")
    }
    guard end == header.trailerOffset else {
      throw DiagnosticError(
        .bvqTensor, object: "tensor table",
        "ends the last tensor at byte \(end), the trailer begins at byte \(header.trailerOffset)")
    }
    return tensors
  }

  private static func readName(
    _ record: [UInt8], names: [UInt8], end: inout Int, index: Int
  ) throws(DiagnosticError) -> String {
    let offset = Int(record.littleEndian(at: 0, as: UInt32.self))
    let count = Int(record.littleEndian(at: 4, as: UInt16.self))
    let object = "tensor \(index)"
    guard offset == end, count <= names.count - end else {
      throw DiagnosticError(
        .bvqTensor, object: object,
        "has its name at bytes \(offset)..<\(offset + count) of the names, expected it at \(end) "
          + "and inside \(names.count)")
    }
    guard (1...BVQFormat.maximumNameByteCount).contains(count) else {
      throw DiagnosticError(
        .limitExceeded, object: object,
        "has a name of \(count) bytes; 1 to \(BVQFormat.maximumNameByteCount) are allowed")
    }
    guard let name = String(validating: names[offset..<offset + count], as: UTF8.self) else {
      throw DiagnosticError(.bvqTensor, object: object, "has a name that is not UTF-8")
    }
    end += count
    return name
  }

  private static func readRecord(
    _ record: [UInt8], name: String
  ) throws(DiagnosticError) -> BVQTensor {
    func error(_ problem: String) -> DiagnosticError {
      DiagnosticError(.bvqTensor, object: name, problem)
    }
    func size(_ offset: Int, _ what: String) throws(DiagnosticError) -> Int {
      let value: UInt64 = record.littleEndian(at: offset)
      guard let size = Int(exactly: value) else { throw error("has \(value) as its \(what)") }
      return size
    }
    let kindNumber: UInt16 = record.littleEndian(at: 6)
    guard let kind = BVQTensor.Kind(rawValue: kindNumber) else {
      throw DiagnosticError(
        .bvqFeature, object: name, "has kind \(kindNumber), which this version does not know",
        hint: "read the file with a newer lstmpack")
    }
    let encoding: UInt16 = record.littleEndian(at: 8)
    let elementType = Int(record.littleEndian(at: 10, as: UInt16.self))
    let groupSize = Int(record.littleEndian(at: 12, as: UInt32.self))
    let exponent = Int(record.littleEndian(at: 16, as: Int32.self))
    let storage: BVQTensor.Storage
    if encoding == 0 {
      guard (1...elementTypes.count).contains(elementType) else {
        throw error("has the element type \(elementType); they are 1 to \(elementTypes.count)")
      }
      guard groupSize == 0, exponent == 0 else {
        throw error("is raw but has groups of \(groupSize) and the scale exponent \(exponent)")
      }
      storage = .raw(elementTypes[elementType - 1])
    } else {
      guard elementType == 0 else {
        throw error("has encoding \(encoding) and also the element type \(elementType)")
      }
      storage = .encoded(encoding: encoding, groupSize: groupSize, scaleExponent: exponent)
    }
    guard record.littleEndian(at: 56, as: UInt64.self) == 0 else {
      throw error("has reserved bytes that are not zero")
    }
    let tensor = BVQTensor(
      name: name, kind: kind, storage: storage, rows: try size(24, "number of rows"),
      columns: try size(32, "number of columns"), offset: try size(40, "offset"),
      byteCount: try size(48, "length"), checksum: record.littleEndian(at: 20))
    let implied = try tensor.impliedByteCount()
    guard tensor.byteCount == implied else {
      throw error(
        "has \(tensor.byteCount) bytes; \(tensor.storageName) of shape "
          + "[\(tensor.rows), \(tensor.columns)] takes \(implied)")
    }
    return tensor
  }

  /// No overlap, no holes but the padding to the next multiple of 64, nothing beyond the trailer.
  private static func checkPlace(
    _ tensor: BVQTensor, begin: Int, header: BVQHeader
  ) throws(DiagnosticError) {
    guard tensor.offset % BVQFormat.alignment == 0 else {
      throw tensor.error("begins at byte \(tensor.offset), not at a multiple of 64")
    }
    guard tensor.offset >= begin else {
      throw tensor.error(
        "begins at byte \(tensor.offset), inside what stands before it; expected byte \(begin)")
    }
    guard tensor.offset == begin else {
      throw tensor.error("begins at byte \(tensor.offset), leaving a hole from byte \(begin)")
    }
    guard tensor.byteCount <= header.trailerOffset - tensor.offset else {
      throw tensor.error(
        "of \(tensor.byteCount) bytes at \(tensor.offset) reaches beyond the payload's end at "
          + "\(header.trailerOffset)")
    }
  }
}
