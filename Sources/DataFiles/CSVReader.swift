import Diagnostics

/// Turns the cells of text into a table.
struct CSVReader {
  private var scanner: CSVScanner

  init(_ bytes: [UInt8], separator: UInt8?) throws(DiagnosticError) {
    let marks: [[UInt8]] = [[0xFF, 0xFE], [0xFE, 0xFF]]
    guard !marks.contains(where: bytes.starts(with:)) else {
      throw .unsupported("is text in UTF-16", hint: "save it as UTF-8")
    }
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let start = bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    scanner = CSVScanner(bytes, at: start, separator: separator)
  }

  mutating func read() throws(DiagnosticError) -> CSVTable {
    guard try scanner.next() else {
      throw .malformed("is empty", hint: "expected lines of numbers with separators between them")
    }
    let columns = scanner.cells.count
    let firstLine = scanner.line
    var header: [String]?
    if isHeader() {
      header = try names()
      guard try scanner.next() else { throw .malformed("has a header but no rows of numbers") }
    }
    var elements: [Float] = []
    repeat {
      guard scanner.cells.count == columns else {
        throw failure(
          "expected \(columns) \(columns == 1 ? "column" : "columns") as in line \(firstLine), "
            + "found \(scanner.cells.count)")
      }
      guard elements.count + columns <= DataFileLimit.elements else {
        throw DiagnosticError(
          .limitExceeded, object: "line \(scanner.line)",
          "has more than \(DataFileLimit.elements) numbers up to here")
      }
      for index in 0..<columns {
        elements.append(try number(at: index, isFirst: header == nil && scanner.line == firstLine))
      }
    } while try scanner.next()
    return CSVTable(header: header, columns: columns, elements: elements)
  }

  /// Whether there are names and no numbers: a row with one damaged number is no header.
  private func isHeader() -> Bool {
    let filled = scanner.cells.filter { !$0.range.isEmpty }
    return !filled.isEmpty && filled.allSatisfy { isName($0) }
  }

  /// Whether a cell is a name: neither a number, nor what begins like one, nor a missing value.
  private func isName(_ cell: CSVScanner.Cell) -> Bool {
    if parseFloat(scanner.bytes, in: cell.range) != nil { return false }
    let text = scanner.text(of: cell)
    guard let first = text.first, !(0x30...0x39).contains(first) else { return false }
    let missing = ["na", "n/a", "null", "none", "?", "-"]
    return !missing.contains(String(decoding: text, as: UTF8.self).lowercased())
  }

  private func names() throws(DiagnosticError) -> [String] {
    var names: [String] = []
    for cell in scanner.cells {
      guard let name = String(validating: scanner.text(of: cell), as: UTF8.self) else {
        throw failure("the name is not UTF-8", column: names.count + 1, hint: "save it as UTF-8")
      }
      names.append(name)
    }
    return names
  }

  private func number(at index: Int, isFirst: Bool) throws(DiagnosticError) -> Float {
    let cell = scanner.cells[index]
    guard let value = parseFloat(scanner.bytes, in: cell.range) else {
      let text = scanner.text(of: cell)
      if text.isEmpty {
        throw failure(
          "expected a number, found nothing", column: index + 1,
          hint: "fill in the value or leave out the row")
      }
      throw failure(
        "expected a number, found \(quoted(text))", column: index + 1,
        hint: text.contains(UInt8(ascii: ","))
          ? "write decimals with a point"
          : isFirst && scanner.cells.count > 1
            ? "where the first line is a header, no name is a number" : nil)
    }
    guard value.isFinite else {
      let text = scanner.text(of: cell)
      let isNumber = text.contains { (0x30...0x39).contains($0) }
      throw failure(
        "expected a finite number, found \(quoted(text))", column: index + 1,
        hint: isNumber
          ? "float32 ends at \(Float.greatestFiniteMagnitude)"
          : "fill in the value or leave out the row")
    }
    return value
  }

  private func failure(
    _ problem: String, column: Int? = nil, hint: String? = nil
  ) -> DiagnosticError {
    var error = DiagnosticError.malformed(problem, hint: hint)
    error.object = "line \(scanner.line)" + (column.map { ": column \($0)" } ?? "")
    return error
  }
}
