/// A text as one word of a command line that a POSIX shell reads.
///
/// - Parameters:
///   - text: Any text, such as a path.
///   - isAlwaysQuoted: Whether quotes stand around plain words, too.
/// - Returns: The text, in single quotes where a shell would take it apart.
public func shellWord(_ text: String, isAlwaysQuoted: Bool = false) -> String {
  let isPlain =
    !text.isEmpty
    && text.utf8.allSatisfy { byte in
      byte >= 0x80 || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
        || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "-_./,+@%:=".utf8.contains(byte)
    }
  if isPlain && !isAlwaysQuoted { return text }
  // By scalars: a quote with a mark combined with it is another character, but the same byte.
  var quoted = "'"
  for scalar in text.unicodeScalars {
    if scalar == "'" { quoted += #"'\''"# } else { quoted.unicodeScalars.append(scalar) }
  }
  return quoted + "'"
}
