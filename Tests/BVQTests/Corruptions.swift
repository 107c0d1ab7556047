import BVQ

/// Broken files, each breaking one rule of SPEC.md, and its name.
enum Corruptions {
  static var all: [(name: String, bytes: [UInt8])] {
    header + directory + metadata + shared + payload
  }

  private static func with(_ change: (inout RawFile) -> Void) -> [UInt8] {
    var file = RawFile.base
    change(&file)
    return file.assembled
  }

  private static var base: [UInt8] { RawFile.base.assembled }

  private static var header: [(name: String, bytes: [UInt8])] {
    [
      ("HEADER_EMPTY_FILE", []),
      ("HEADER_TRUNCATED", Array(base[..<63])),
      ("HEADER_BAD_MAGIC", Array("PK\u{3}\u{4}".utf8) + base.dropFirst(4)),
      ("HEADER_HTML_PAGE", Array("<!DOCTYPE html><html><body>404</body></html>\n".utf8)),
      (
        "HEADER_TEXT_MODE",
        [0x89, 0x42, 0x56, 0x51, 0x0A, 0x1A, 0x0A] + base.dropFirst(8)
      ),
      ("HEADER_MAJOR_VERSION", with { $0.major = 2 }),
      ("HEADER_REQUIRED_FEATURES", with { $0.requiredFeatures = 0b1011 }),
      ("HEADER_CHECKSUM", with { $0.headerChecksumError = 1 }),
      ("HEADER_FILE_LENGTH", with { $0.fileByteCountError = 1 }),
      ("HEADER_METADATA_LENGTH", with { $0.metadataByteCount = 1 << 63 }),
      ("HEADER_TENSOR_COUNT", with { $0.tensorCountError = 1 << 31 }),
      ("HEADER_TENSOR_COUNT_BEYOND_FILE", with { $0.tensorCountError = 1000 }),
      ("HEADER_NAME_POOL", with { $0.namePoolByteCount = .max }),
      ("HEADER_TABLE_OFFSET", with { $0.tableOffsetError = 8 }),
      ("HEADER_PAYLOAD_OFFSET", with { $0.payloadOffsetError = -64 }),
    ]
  }

  private static var directory: [(name: String, bytes: [UInt8])] {
    [
      ("DIRECTORY_CHECKSUM", with { $0.directoryChecksumError = 0x8000_0000 }),
      ("DIRECTORY_METADATA_PADDING", with { $0.metadataPadding = 0x20 }),
      ("DIRECTORY_TABLE_PADDING", with { $0.tablePadding = 1 }),
      ("DIRECTORY_UNUSED_NAME", with { $0.extraNames = [0x78] }),
      ("TENSOR_NAME_OFFSET", with { $0.records[1].nameOffsetError = -1 }),
      ("TENSOR_NAME_EMPTY", with { $0.records[2].name = [] }),
      ("TENSOR_NAME_NOT_UTF8", with { $0.records[0].name[0] = 0xFF }),
      ("TENSOR_NAME_TWICE", with { $0.records[1].name = $0.records[0].name }),
      ("TENSOR_KIND", with { $0.records[0].kind = 7 }),
      ("TENSOR_ENCODING", with { $0.records[0].encoding = 99 }),
      ("TENSOR_ELEMENT_TYPE", with { $0.records[1].elementType = 14 }),
      ("TENSOR_ENCODING_AND_ELEMENT_TYPE", with { $0.records[0].elementType = 3 }),
      ("TENSOR_RAW_WITH_GROUPS", with { $0.records[1].groupSize = 3 }),
      ("TENSOR_GROUP_SIZE_ZERO", with { $0.records[0].groupSize = 0 }),
      ("TENSOR_GROUP_SIZE_BEYOND_ROW", with { $0.records[0].groupSize = 12 }),
      ("TENSOR_SCALE_EXPONENT", with { $0.records[0].scaleExponent = 128 }),
      ("TENSOR_RESERVED", with { $0.records[0].reserved = 1 }),
      ("TENSOR_NO_ROWS", with { $0.records[0].rows = 0 }),
      ("TENSOR_ROWS_TIMES_COLUMNS", with { $0.records[0].rows = 1 << 62 }),
      ("TENSOR_ROWS_BEYOND_INT", with { $0.records[0].rows = .max }),
      ("TENSOR_VECTOR_OF_INTEGERS", with { $0.records[1].elementType = 7 }),
      ("TENSOR_VECTOR_ENCODED", with { $0.records[0].kind = 4 }),
      ("TENSOR_LENGTH", with { $0.records[0].byteCountError = 2 }),
      ("TENSOR_MISALIGNED", with { $0.records[1].offsetError = 4 }),
      ("TENSOR_OVERLAP", with { $0.records[1].offsetError = -64 }),
      ("TENSOR_HOLE", with { $0.records[1].offsetError = 64 }),
      (
        "TENSOR_BEYOND_PAYLOAD",
        with {
          $0.records[2].columns = 1 << 20
          $0.records[2].byteCountError = 1 << 20 - 2
        }
      ),
      (
        "TENSOR_BYTES_AFTER_LAST",
        with { file in
          file.records[2].columns = 1
          file.records[2].byteCountError = -1
        }
      ),
    ]
  }

  private static var metadata: [(name: String, bytes: [UInt8])] {
    [
      ("METADATA_EMPTY", with { $0.metadata = [] }),
      ("METADATA_NOT_OBJECT", with { $0.metadata = Array("[1]".utf8) }),
      ("METADATA_DUPLICATE_KEY", replacing(#""settings":{}"#, #""settings":{"a":1,"a":2}"#)),
      ("METADATA_NO_LAYERS", replacing(#""layers""#, #""layer""#)),
      ("METADATA_LAYER_KIND", replacing(#""kind":"dense""#, #""kind":"gru""#)),
      ("METADATA_LAYER_TWICE", replacing(#""name":"o""#, #""name":"d""#)),
      ("METADATA_ACTIVATION", replacing("linear", "liner")),
      (
        "METADATA_WEIGHTS_UNUSED",
        replacing(
          #""lstmWeights":[]"#, #""lstmWeights":[{"inputSize":1,"hiddenSize":1}]"#)
      ),
      ("METADATA_NEGATIVE_SIZE", replacing("1234", "-1")),
      ("METADATA_SHAPE", replacing("[2,1]", "[2,2]")),
      ("METADATA_SHAPE_OVERFLOW", replacing("[2,1]", "[0,4294967296,4294967296]")),
      ("METADATA_TENSOR_MISSING", with { $0.records[0].name = Array("e/dense".utf8) }),
      (
        "METADATA_TENSOR_UNUSED",
        with { file in
          file.records.append(file.records[2])
          file.records[3].name = Array("x".utf8)
        }
      ),
      ("METADATA_TENSOR_KIND", with { $0.records[0].kind = 2 }),
      (
        "METADATA_BIAS_SHAPE",
        with { file in
          file.records[1].columns = 2
          file.records[1].payload.removeLast(4)
        }
      ),
    ]
  }

  /// The sample of shared factors, changed; no bytes when it could not be made, whose error is not the recorded one.
  private static func sharing(_ change: (inout RawFile) -> Void) -> [UInt8] {
    guard var file = try? RawFile(SampleFiles.sharedFactors) else { return [] }
    file.requiredFeatures = 1
    change(&file)
    return file.assembled
  }

  private static var shared: [(name: String, bytes: [UInt8])] {
    [
      ("SHARED_WITHOUT_FEATURE", sharing { $0.requiredFeatures = 0 }),
      ("SHARED_FEATURE_WITHOUT_NAMES", with { $0.requiredFeatures = 1 }),
      (
        "SHARED_NO_OBJECT",
        sharing { $0 = $0.replacing(#""shared":{"#, with: #""shared":[],"other":{"#) }
      ),
      (
        "SHARED_STORED_NAME",
        sharing {
          $0 = $0.replacing(
            #""shared":{"#,
            with: #""shared":{"both/forward/input/input/left":"both/forward/input/forget/left","#)
        }
      ),
      (
        "SHARED_UNKNOWN_FACTOR",
        sharing { $0 = $0.replacing(#":"both/forward/input/input/right""#, with: #":"nobody""#) }
      ),
      (
        "SHARED_OTHER_KIND",
        sharing {
          $0 = $0.replacing(
            #":"both/forward/input/input/right""#, with: #":"both/forward/input/input/left""#)
        }
      ),
      (
        "SHARED_OTHER_DIRECTION",
        sharing {
          $0 = $0.replacing(
            #":"both/forward/input/input/right""#, with: #":"both/backward/input/input/right""#)
        }
      ),
      (
        "SHARED_UNUSED_NAME",
        sharing {
          $0 = $0.replacing(
            #""shared":{"#, with: #""shared":{"x":"both/forward/input/input/right","#)
        }
      ),
    ]
  }

  private static func replacing(_ old: String, _ new: String) -> [UInt8] {
    RawFile.base(replacing: old, with: new).assembled
  }

  private static var payload: [(name: String, bytes: [UInt8])] {
    [
      ("PAYLOAD_CHECKSUM", with { $0.records[0].checksumError = 1 }),
      ("PAYLOAD_ILLEGAL_CODE", with { $0.records[0].payload[0] = 0x03 }),
      ("PAYLOAD_ROW_PADDING", with { $0.records[0].payload[2] |= 0x40 }),
      ("PAYLOAD_GAP", with { $0.records[0].payload[9] = 1 }),
      ("PAYLOAD_SCALE_NOT_FINITE", with { $0.records[0].payload[11] = 0x7C }),
      (
        "PAYLOAD_SCALE_TOO_LARGE",
        with {
          $0.records[0].scaleExponent = 127
          $0.records[0].payload[11] = 0x7B
        }
      ),
      (
        "PAYLOAD_WEIGHT_NOT_FINITE",
        with {
          $0.records[0].encoding = 1
          $0.records[0].columns = 2
          $0.records[0].groupSize = 2
          $0.records[0].payload.removeLast(4)
          $0.records[0].payload[11] = 0x7C
        }
      ),
      (
        "PAYLOAD_ILLEGAL_TRITS",
        with {
          $0.records[0].encoding = 4
          $0.records[0].payload[4] = 243
        }
      ),
      ("PAYLOAD_BIAS_NOT_FINITE", with { $0.records[1].payload[2...3] = [0xC0, 0x7F] }),
      ("PAYLOAD_PADDING", with { $0.records[0].padding = 1 }),
    ]
  }
}
