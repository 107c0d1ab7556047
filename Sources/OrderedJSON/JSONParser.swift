public import Diagnostics

extension DiagnosticError.Code {
  /// Text that should be JSON is not.
  public static let malformedJSON = Self("json.malformed", .malformedInput)
}

extension JSONValue {
  /// The deepest nesting of arrays and objects that ``parse(_:depthLimit:)`` accepts by default.
  public static let defaultDepthLimit = 128

  /// Parses JSON text (RFC 8259) in UTF-8.
  ///
  /// Besides the standard it accepts the `NaN`, `Infinity` and `-Infinity` that Python writes.
  ///
  /// - Parameters:
  ///   - bytes: The text.
  ///   - depthLimit: The deepest nesting that is accepted.
  /// - Returns: The value.
  /// - Throws: ``DiagnosticError`` with code `malformedJSON`, which names the byte offset, for text
  ///   that is not JSON, has a key twice in an object or is nested too deeply.
  public static func parse(
    _ bytes: [UInt8], depthLimit: Int = defaultDepthLimit
  ) throws(DiagnosticError) -> JSONValue {
    var parser = JSONParser(bytes: bytes, depthLimit: depthLimit)
    let value = try parser.parseValue(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else {
      throw parser.error("something follows the value")
    }
    return value
  }
}

/// A recursive-descent parser whose depth is limited.
private struct JSONParser {
  let bytes: [UInt8]
  let depthLimit: Int
  var position = 0

  init(bytes: [UInt8], depthLimit: Int) {
    self.bytes = bytes
    self.depthLimit = depthLimit
  }

  func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.malformedJSON, "is not valid JSON at byte \(position): \(problem)")
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func parseValue(depth: Int) throws(DiagnosticError) -> JSONValue {
    skipSpace()
    guard let byte = next else { throw error("it ends where a value should stand") }
    switch byte {
    case UInt8(ascii: "{"): return try parseObject(depth: depth + 1)
    case UInt8(ascii: "["): return try parseArray(depth: depth + 1)
    case UInt8(ascii: "\""): return .string(try parseString())
    default: return try parseLiteral()
    }
  }

  private mutating func enter(depth: Int) throws(DiagnosticError) {
    guard depth <= depthLimit else {
      throw error("it is nested deeper than \(depthLimit) levels")
    }
    position += 1
    skipSpace()
  }

  private mutating func parseObject(depth: Int) throws(DiagnosticError) -> JSONValue {
    try enter(depth: depth)
    var object = JSONObject()
    if skip("}") { return .object(object) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("a key in quotes should stand here") }
      let key = try parseString()
      guard object[key] == nil else { throw error("the key '\(key)' stands twice in an object") }
      skipSpace()
      guard skip(":") else { throw error("a colon should follow the key '\(key)'") }
      object[key] = try parseValue(depth: depth)
      skipSpace()
      if skip("}") { return .object(object) }
      guard skip(",") else { throw error("a comma or } should follow the value of '\(key)'") }
    }
  }

  private mutating func parseArray(depth: Int) throws(DiagnosticError) -> JSONValue {
    try enter(depth: depth)
    var elements: [JSONValue] = []
    if skip("]") { return .array(elements) }
    while true {
      elements.append(try parseValue(depth: depth))
      skipSpace()
      if skip("]") { return .array(elements) }
      guard skip(",") else { throw error("a comma or ] should follow an element") }
    }
  }

  private mutating func parseString() throws(DiagnosticError) -> String {
    position += 1
    var text: [UInt8] = []
    while true {
      guard let byte = next else { throw error("a string does not end") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("a string is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try parseEscape()).utf8)
      case ..<0x20: throw error("a string has a control character")
      default: text.append(byte)
      }
    }
  }

  private mutating func parseEscape() throws(DiagnosticError) -> Character {
    guard let byte = next else { throw error("a string does not end") }
    position += 1
    switch Unicode.Scalar(byte) {
    case "\"": return "\""
    case "\\": return "\\"
    case "/": return "/"
    case "b": return "\u{8}"
    case "f": return "\u{C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "u":
      let first = try parseHexadecimal()
      if let scalar = Unicode.Scalar(first) { return Character(scalar) }
      guard UTF16.isLeadSurrogate(UInt16(first)), skip("\\"), skip("u") else {
        throw error("a surrogate stands alone")
      }
      let second = try parseHexadecimal()
      guard UTF16.isTrailSurrogate(UInt16(second)),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw error("a surrogate stands alone") }
      return Character(scalar)
    default: throw error("there is no escape of that kind")
    }
  }

  private mutating func parseHexadecimal() throws(DiagnosticError) -> UInt32 {
    let end = min(position + 4, bytes.count)
    let digits = String(decoding: bytes[position..<end], as: UTF8.self)
    guard digits.utf8.count == 4, digits.allSatisfy(\.isHexDigit),
      let value = UInt32(digits, radix: 16)
    else { throw error("four hexadecimal digits should follow \\u") }
    position = end
    return value
  }

  private mutating func parseLiteral() throws(DiagnosticError) -> JSONValue {
    let start = position
    while let byte = next, isLiteralByte(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "null": return .null
    case "NaN": return .number(.nan)
    case "Infinity": return .number(.infinity)
    case "-Infinity": return .number(-.infinity)
    default: break
    }
    guard isNumber(start..<position) else {
      position = start
      throw error("no value begins like this")
    }
    if let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text) else { throw error("'\(text)' is not a number") }
    return .number(number)
  }

  private func isLiteralByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  /// Whether some bytes follow the grammar of numbers: no leading plus or zeros, digits around a dot.
  private func isNumber(_ range: Range<Int>) -> Bool {
    var place = range.lowerBound
    func skips(_ characters: Unicode.Scalar...) -> Bool {
      guard place < range.upperBound, characters.contains(Unicode.Scalar(bytes[place])) else {
        return false
      }
      place += 1
      return true
    }
    func digits() -> Int {
      let first = place
      while place < range.upperBound, (0x30...0x39).contains(bytes[place]) { place += 1 }
      return place - first
    }
    _ = skips("-")
    let first = place
    let whole = digits()
    guard whole == 1 || whole > 1 && bytes[first] != UInt8(ascii: "0") else { return false }
    if skips("."), digits() == 0 { return false }
    if skips("e", "E") {
      _ = skips("+", "-")
      if digits() == 0 { return false }
    }
    return place == range.upperBound
  }
}
