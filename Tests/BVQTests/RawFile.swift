import BVQ
import FileSupport
import LSTMCore
import OrderedJSON

/// A second, plain writer of the format, made after SPEC.md, in which every field can be wrong.
struct RawFile {
  struct Record {
    var name: [UInt8]
    var kind: UInt16 = 1
    var encoding: UInt16 = 0
    var elementType: UInt16 = 0
    var groupSize: UInt32 = 0
    var scaleExponent: Int32 = 0
    var rows: UInt64 = 0
    var columns: UInt64 = 0
    var reserved: UInt64 = 0
    var payload: [UInt8] = []
    /// Added to the true values.
    var nameOffsetError = 0
    var offsetError = 0
    var byteCountError = 0
    var checksumError: UInt32 = 0
    /// The bytes that fill up to the next tensor.
    var padding: UInt8 = 0
  }

  var major: UInt16 = 1
  var minor: UInt16 = 0
  var requiredFeatures: UInt32 = 0
  var optionalFeatures: UInt32 = 0
  var metadata: [UInt8]
  var records: [Record]
  var tensorCountError = 0
  var metadataByteCount: UInt64?
  var namePoolByteCount: UInt32?
  var tableOffsetError = 0
  var payloadOffsetError = 0
  var fileByteCountError = 0
  var headerChecksumError: UInt32 = 0
  var directoryChecksumError: UInt32 = 0
  var metadataPadding: UInt8 = 0
  var tablePadding: UInt8 = 0
  var extraNames: [UInt8] = []
  var trailerError: UInt8 = 0

  static func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    unsafe withUnsafeBytes(of: value.littleEndian) { unsafe Array($0) }
  }

  /// The bytes of the file, checksums right for whatever is wrong above.
  var assembled: [UInt8] {
    let fill = { (count: Int, multiple: Int) in (multiple - count % multiple) % multiple }
    var directory = metadata
    directory += [UInt8](repeating: metadataPadding, count: fill(64 + metadata.count, 8))
    let tableOffset = 64 + directory.count
    let names = records.flatMap(\.name) + extraNames
    let directoryEnd = tableOffset + records.count * 64 + names.count + 4
    let payloadOffset = directoryEnd + fill(directoryEnd, 64)
    var payload: [UInt8] = []
    var nameOffset = 0
    var table: [UInt8] = []
    for (index, record) in records.enumerated() {
      let offset = payloadOffset + payload.count
      table += Self.bytes(UInt32(nameOffset + record.nameOffsetError))
      table += Self.bytes(UInt16(record.name.count)) + Self.bytes(record.kind)
      table += Self.bytes(record.encoding) + Self.bytes(record.elementType)
      table += Self.bytes(record.groupSize) + Self.bytes(record.scaleExponent)
      table += Self.bytes(crc32(record.payload) ^ record.checksumError)
      table += Self.bytes(record.rows) + Self.bytes(record.columns)
      table += Self.bytes(UInt64(offset + record.offsetError))
      table += Self.bytes(UInt64(record.payload.count + record.byteCountError))
      table += Self.bytes(record.reserved)
      payload += record.payload
      if index < records.count - 1 {
        payload += [UInt8](repeating: record.padding, count: fill(payload.count, 64))
      }
      nameOffset += record.name.count
    }
    directory += table + names
    directory += Self.bytes(crc32(directory) ^ directoryChecksumError)
    let total = payloadOffset + payload.count + 32
    var header: [UInt8] = [0x89, 0x42, 0x56, 0x51, 0x0D, 0x0A, 0x1A, 0x0A]
    header += Self.bytes(major) + Self.bytes(minor)
    header += Self.bytes(requiredFeatures) + Self.bytes(optionalFeatures)
    header += Self.bytes(UInt32(records.count + tensorCountError))
    header += Self.bytes(metadataByteCount ?? UInt64(metadata.count))
    header += Self.bytes(UInt64(tableOffset + tableOffsetError))
    header += Self.bytes(UInt64(payloadOffset + payloadOffsetError))
    header += Self.bytes(UInt64(total + fileByteCountError))
    header += Self.bytes(namePoolByteCount ?? UInt32(names.count))
    header += Self.bytes(crc32(header) ^ headerChecksumError)
    var file = header + directory
    file += [UInt8](repeating: tablePadding, count: payloadOffset - directoryEnd) + payload
    var digest = SHA256.digest(of: file)
    digest[0] ^= trailerError
    return file + digest
  }
}

extension RawFile {
  /// The file that the corruptions start from: a ternary dense layer `d` of `[3, 11]` with a bias,
  /// and an opaque layer.
  static var base: RawFile {
    RawFile(
      metadata: Array(
        #"""
        {"producer":{"name":"lstmpack","version":"0.1.0"},"source":{"format":"keras-hdf5","writer":\#
        "Keras 2.0.5","byteCount":1234,"sha256":\#
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},"settings":{},\#
        "lstmWeights":[],"layers":[{"name":"d","sourceClass":"Dense","kind":"dense",\#
        "activation":{"function":"linear"}},{"name":"o","sourceClass":"Conv1D","kind":"opaque",\#
        "tensors":[{"name":"kernel","shape":[2,1]}]}]}
        """#.utf8),
      records: [
        Record(
          name: Array("d/dense".utf8), kind: 1, encoding: 3, groupSize: 11, rows: 3, columns: 11,
          // Three rows of three bytes, a zero byte, three scales of 1.0.
          payload: [0x24, 0x49, 0x12, 0x18, 0x61, 0x06, 0x00, 0xAA, 0x2A, 0x00]
            + [0x00, 0x3C, 0x00, 0x3C, 0x00, 0x3C]),
        Record(
          name: Array("d/dense/bias".utf8), kind: 4, elementType: 3, rows: 1, columns: 3,
          payload: [0, 0, 0x80, 0x3F, 0, 0, 0, 0, 0, 0, 0, 0xC0]),
        Record(
          name: Array("o/tensor/0".utf8), kind: 5, elementType: 9, rows: 1, columns: 2,
          payload: [1, 2]),
      ])
  }

  /// The same file with another text in the metadata.
  static func base(replacing old: String, with new: String) -> RawFile {
    base.replacing(old, with: new)
  }

  /// This file with another text in the metadata.
  func replacing(_ old: String, with new: String) -> RawFile {
    var file = self
    let text = String(decoding: file.metadata, as: UTF8.self)
    guard let range = text.firstRange(of: old) else { preconditionFailure("no \(old)") }
    file.metadata = Array(text.replacingCharacters(in: range, with: new).utf8)
    return file
  }

  /// The parts of a sound file.
  init(_ file: BVQFile) throws {
    let bytes = try BVQWriter.bytes(of: file)
    let contents = try BVQContents(reading: ByteSource(name: "sound", bytes: bytes))
    metadata = Array(contents.metadata.serialized().utf8)
    records = contents.tensors.map { tensor in
      var record = Record(name: Array(tensor.name.utf8), kind: tensor.kind.rawValue)
      switch tensor.storage {
      case .raw(let type):
        // Float32, or a byte: all that the samples have here.
        record.elementType = type == .float32 ? 3 : type == .int8 ? 5 : 9
      case .encoded(let encoding, let groupSize, let scaleExponent):
        record.encoding = encoding
        record.groupSize = UInt32(groupSize)
        record.scaleExponent = Int32(scaleExponent)
      }
      record.rows = UInt64(tensor.rows)
      record.columns = UInt64(tensor.columns)
      record.payload = Array(bytes[tensor.range])
      return record
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<String.Index>, with new: String) -> String {
    var copy = self
    copy.replaceSubrange(range, with: new)
    return copy
  }
}
