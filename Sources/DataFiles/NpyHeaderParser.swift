import Diagnostics

/// Reads the text of an `.npy` header: a Python dictionary of exactly three keys.
struct NpyHeaderParser {
  struct Fields {
    var description: [UInt8]
    var isFortranOrder: Bool
    var shape: [Int]
  }

  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func parse() throws(DiagnosticError) -> Fields {
    var description: [UInt8]?
    var isFortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !skip("}") {
      let start = position
      let key = String(decoding: try string(), as: UTF8.self)
      try expect(":")
      switch key {
      case "descr" where description == nil: description = try typeDescription()
      case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
      case "shape" where shape == nil: shape = try tuple()
      default:
        position = start
        throw failure("'descr', 'fortran_order' and 'shape' once each")
      }
      if !skip(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard position == bytes.count else { throw failure("the end") }
    guard let description, let isFortranOrder, let shape else {
      throw .malformed("the header lacks one of 'descr', 'fortran_order' and 'shape'")
    }
    return Fields(description: description, isFortranOrder: isFortranOrder, shape: shape)
  }

  private mutating func typeDescription() throws(DiagnosticError) -> [UInt8] {
    if skip("[") || skip("(") {
      throw .unsupported(
        "holds records (a structured dtype)",
        hint: "save each field as an array of its own, for example with numpy.savez")
    }
    return try string()
  }

  private mutating func string() throws(DiagnosticError) -> [UInt8] {
    for quote in ["'", "\""] as [Unicode.Scalar] where skip(quote) {
      let rest = bytes[position...]
      guard let end = rest.firstIndex(of: UInt8(ascii: quote)) else { break }
      position = end + 1
      return Array(rest[..<end])
    }
    throw failure("a string in quotes")
  }

  private mutating func boolean() throws(DiagnosticError) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where bytes[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw failure("True or False")
  }

  private mutating func tuple() throws(DiagnosticError) -> [Int] {
    var sizes: [Int] = []
    try expect("(")
    while !skip(")") {
      guard sizes.count < DataFileLimit.dimensions else {
        throw DiagnosticError(
          .limitExceeded, "has more than \(DataFileLimit.dimensions) dimensions")
      }
      sizes.append(try integer())
      if !skip(",") {
        // (3) is a number in Python, not a tuple.
        guard sizes.count > 1 else { throw failure("','") }
        try expect(")")
        break
      }
    }
    return sizes
  }

  private mutating func integer() throws(DiagnosticError) -> Int {
    skipSpace()
    let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
    guard !digits.isEmpty else { throw failure("a size") }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw DiagnosticError(
        .limitExceeded,
        "declares a size of \(quoted(digits)), above the limit of \(DataFileLimit.elements)")
    }
    position = digits.endIndex
    // Python 2 wrote long integers as 3L.
    if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
    return value
  }

  private mutating func expect(_ mark: Unicode.Scalar) throws(DiagnosticError) {
    guard skip(mark) else { throw failure("'\(mark)'") }
  }

  /// Goes past a mark and the space before it, if it comes next.
  private mutating func skip(_ mark: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: mark) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while position < bytes.count, " \t\n".utf8.contains(bytes[position]) { position += 1 }
  }

  private func failure(_ expected: String) -> DiagnosticError {
    let found = position < bytes.count ? quoted(bytes[position...].prefix(16)) : "its end"
    return .malformed(
      "the header is damaged at byte \(position): expected \(expected), found \(found)",
      hint: "write the file again with numpy.save")
  }
}
