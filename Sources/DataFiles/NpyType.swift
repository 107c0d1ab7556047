import Diagnostics

/// The dtype of an `.npy`, as far as it holds numbers that lstmpack reads.
struct NpyType: Equatable {
  enum Kind {
    case float16, float32, float64
    case bool, int8, int16, int32, int64
    case uint8, uint16, uint32, uint64
  }

  let kind: Kind
  let isBigEndian: Bool

  /// Reads a dtype such as `<f4`.
  init(_ description: [UInt8]) throws(DiagnosticError) {
    guard let order = description.first, "<>|=".utf8.contains(order), description.count >= 2 else {
      throw .malformed(
        "the header has the dtype \(quoted(description)), expected one such as '<f4'")
    }
    guard let kind = Self.kinds[String(decoding: description.dropFirst(), as: UTF8.self)] else {
      throw Self.refusal(of: description, kind: description[1])
    }
    self.kind = kind
    isBigEndian = order == UInt8(ascii: ">")
  }

  /// The bytes of one element.
  var size: Int {
    switch kind {
    case .bool, .int8, .uint8: 1
    case .float16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  private static let kinds: [String: Kind] = [
    "f2": .float16, "f4": .float32, "f8": .float64, "b1": .bool,
    "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64,
    "u1": .uint8, "u2": .uint16, "u4": .uint32, "u8": .uint64,
  ]

  private static func refusal(of description: [UInt8], kind: UInt8) -> DiagnosticError {
    let found =
      switch kind {
      case UInt8(ascii: "O"): "Python objects"
      case UInt8(ascii: "U"), UInt8(ascii: "T"): "strings"
      case UInt8(ascii: "S"), UInt8(ascii: "a"): "byte strings"
      case UInt8(ascii: "c"): "complex numbers"
      case UInt8(ascii: "M"): "dates"
      case UInt8(ascii: "m"): "time spans"
      case UInt8(ascii: "V"): "raw bytes"
      case UInt8(ascii: "f"): "floats of a size that is not read"
      default: "an unknown kind of elements"
      }
    return .unsupported(
      "holds \(found) (dtype \(quoted(description)))",
      hint: "save it with a numeric dtype, for example array.astype('float32')")
  }
}
