import Diagnostics

/// Splits text into the cells of one line after the other.
struct CSVScanner {
  /// Where a cell is; without its quotes.
  struct Cell {
    var range: Range<Int>
    var isQuoted: Bool
  }

  let bytes: [UInt8]
  /// The byte between cells; a space stands for runs of spaces and tabs.
  let separator: UInt8
  /// The cells of the current line.
  private(set) var cells: [Cell] = []
  /// The number of the current line; the first of several when quotes go over line ends.
  private(set) var line = 0
  private var position: Int
  private var nextLine = 1

  private static let space = UInt8(ascii: " ")
  private static let tab = UInt8(ascii: "\t")
  private static let quote = UInt8(ascii: "\"")

  /// Starts at an offset that is the start of a line.
  init(_ bytes: [UInt8], at start: Int, separator: UInt8?) {
    self.bytes = bytes
    self.separator = separator ?? likelySeparator(bytes, at: start)
    position = start
  }

  /// Goes to the next line that has cells.
  ///
  /// - Returns: Whether there is one.
  mutating func next() throws(DiagnosticError) -> Bool {
    while position < bytes.count {
      line = nextLine
      cells.removeAll(keepingCapacity: true)
      skipBlanks()
      if position < bytes.count, bytes[position] == UInt8(ascii: "#") {
        while position < bytes.count, !isLineEnd(bytes[position]) { position += 1 }
      } else {
        try separator == Self.space ? splitAtSpaces() : splitAtSeparators()
      }
      skipLineEnd()
      if !cells.isEmpty { return true }
    }
    return false
  }

  /// The text of a cell, quotes undone.
  func text(of cell: Cell) -> [UInt8] {
    guard cell.isQuoted else { return Array(bytes[cell.range]) }
    var text: [UInt8] = []
    var index = cell.range.lowerBound
    while index < cell.range.upperBound {
      text.append(bytes[index])
      index += bytes[index] == Self.quote ? 2 : 1
    }
    return text
  }

  private mutating func splitAtSpaces() throws(DiagnosticError) {
    while position < bytes.count, !isLineEnd(bytes[position]) {
      try add(try bytes[position] == Self.quote ? quotedCell() : plainCell())
      skipBlanks()
    }
  }

  private mutating func splitAtSeparators() throws(DiagnosticError) {
    guard position < bytes.count, !isLineEnd(bytes[position]) else { return }
    while true {
      let isQuoted = position < bytes.count && bytes[position] == Self.quote
      try add(try isQuoted ? quotedCell() : plainCell())
      guard position < bytes.count, bytes[position] == separator else { return }
      position += 1
      skipBlanks()
    }
  }

  private mutating func add(_ cell: Cell) throws(DiagnosticError) {
    guard cells.count < DataFileLimit.columns else {
      throw DiagnosticError(
        .limitExceeded, object: "line \(line)",
        "has more than \(DataFileLimit.columns) columns")
    }
    cells.append(cell)
  }

  private mutating func plainCell() -> Cell {
    let start = position
    while position < bytes.count, !isCellEnd(bytes[position]) { position += 1 }
    var end = position
    while end > start, isBlank(bytes[end - 1]) { end -= 1 }
    return Cell(range: start..<end, isQuoted: false)
  }

  private mutating func quotedCell() throws(DiagnosticError) -> Cell {
    let start = position + 1
    position = start
    while position < bytes.count {
      if bytes[position] == Self.quote {
        guard position + 1 < bytes.count, bytes[position + 1] == Self.quote else { break }
        position += 2
      } else if isLineEnd(bytes[position]) {
        skipLineEnd()
      } else {
        position += 1
      }
    }
    guard position < bytes.count else { throw failure("the quote is not closed") }
    let cell = Cell(range: start..<position, isQuoted: true)
    position += 1
    let end = position
    skipBlanks()
    // A space between cells may be what ended this one.
    let isEnd =
      position == bytes.count || isCellEnd(bytes[position])
      || (separator == Self.space && position > end)
    guard isEnd else {
      throw failure(
        "expected the end of the cell after the closing quote, found "
          + quoted(bytes[position...].prefix(1)))
    }
    return cell
  }

  private mutating func skipBlanks() {
    while position < bytes.count, isBlank(bytes[position]) { position += 1 }
  }

  /// Goes past a line feed, a carriage return or both.
  private mutating func skipLineEnd() {
    guard position < bytes.count else { return }
    let isReturn = bytes[position] == 13
    position += 1
    if isReturn, position < bytes.count, bytes[position] == 10 { position += 1 }
    nextLine += 1
  }

  private func isLineEnd(_ byte: UInt8) -> Bool { byte == 10 || byte == 13 }

  private func isBlank(_ byte: UInt8) -> Bool {
    byte == Self.space || (byte == Self.tab && separator != Self.tab)
  }

  private func isCellEnd(_ byte: UInt8) -> Bool {
    byte == separator || isLineEnd(byte) || (separator == Self.space && byte == Self.tab)
  }

  private func failure(_ problem: String) -> DiagnosticError {
    var error = DiagnosticError.malformed(problem)
    error.object = "line \(line): column \(cells.count + 1)"
    return error
  }
}
