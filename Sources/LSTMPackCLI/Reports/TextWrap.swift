/// Text broken into lines that fit a width.
///
/// Nothing is left out: what has no space to break at is broken after a slash or comma, or where the
/// line ends.
enum TextWrap {
  /// A report with each of its lines broken where it is too long.
  ///
  /// Lines with a command to type stay whole, so that it can be copied. Lines that go on are indented
  /// under what they belong to.
  static func report(_ text: String, width: Int = Terminal.width) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      guard line.count > width, !isCommand(line) else { return String(line) }
      let indent = indent(of: line)
      let start = line.prefix { $0 == " " }
      let first = lines(
        line.dropFirst(start.count), width: width - indent - 2, first: width - start.count)
      return start + first.joined(separator: "\n" + String(repeating: " ", count: indent))
    }.joined(separator: "\n")
  }

  private static func isCommand(_ line: Substring) -> Bool {
    line.hasPrefix("Next: ")
  }

  /// Where the lines that follow begin: two further in than the line, or below what stands after a label.
  private static func indent(of line: Substring) -> Int {
    let characters = Array(line.prefix(20))
    let start = characters.prefix { $0 == " " }.count
    if start > 0 { return start + 2 }
    for column in 3..<max(3, characters.count)
    where characters[column] != " " && characters[column - 1] == " "
      && characters[column - 2] == " "
    {
      return column
    }
    return 0
  }

  /// A text in lines.
  ///
  /// - Parameters:
  ///   - text: A text without line ends.
  ///   - width: The characters of a line.
  ///   - first: Those of the first line; as many when `nil`.
  /// - Returns: At least one line.
  static func lines(_ text: Substring, width: Int, first: Int? = nil) -> [String] {
    var lines: [String] = []
    var rest = text
    while true {
      let room = max(1, lines.isEmpty ? first ?? width : width)
      // Counting all that is left for each line would take long where a name is.
      guard let whole = rest.index(rest.startIndex, offsetBy: room, limitedBy: rest.endIndex),
        whole < rest.endIndex
      else { break }
      let head = rest.prefix(room + 1)
      let end: Substring.Index
      if let space = head.lastIndex(of: " "), space > rest.startIndex {
        end = space
      } else if let mark = rest.prefix(room).lastIndex(where: { "/,;".contains($0) }) {
        end = rest.index(after: mark)
      } else {
        end = rest.index(rest.startIndex, offsetBy: room)
      }
      lines.append(trimmed(rest[..<end]))
      rest = rest[end...].drop { $0 == " " }
    }
    if lines.isEmpty || !rest.isEmpty { lines.append(trimmed(rest)) }
    return lines
  }

  private static func trimmed(_ line: Substring) -> String {
    String(String(line.reversed().drop { $0 == " " }).reversed())
  }
}
