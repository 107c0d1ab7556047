/// The first of tab, semicolon, comma and space that the first line with cells has outside quotes.
///
/// - Parameters:
///   - bytes: A table in text.
///   - start: Where its first line starts.
/// - Returns: The separator; a comma when there is one cell only.
func likelySeparator(_ bytes: [UInt8], at start: Int) -> UInt8 {
  let candidates = "\t;, ".utf8.map { $0 }
  var found = [false, false, false, false]
  var hasContent = false
  var isComment = false
  var isQuoted = false
  var isAfterSpace = false
  for byte in bytes[start...] {
    if !isQuoted, byte == 10 || byte == 13 {
      if hasContent { break }
      found = [false, false, false, false]
      isComment = false
      isAfterSpace = false
    } else if byte == UInt8(ascii: " ") {
      isAfterSpace = true
    } else if byte == UInt8(ascii: "#"), !hasContent {
      isComment = true
    } else if !isComment {
      if !isQuoted {
        if let index = candidates.firstIndex(of: byte) { found[index] = true }
        // Spaces before the first cell and after the last separate nothing.
        if hasContent, isAfterSpace { found[3] = true }
      }
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if byte != UInt8(ascii: "\t") { hasContent = true }
      isAfterSpace = false
    }
  }
  return found.firstIndex(of: true).map { candidates[$0] } ?? UInt8(ascii: ",")
}
