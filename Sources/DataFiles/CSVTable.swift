public import Diagnostics
public import FileSupport

/// A table of numbers in text: one row per line.
public struct CSVTable: Equatable, Sendable {
  /// The names of the columns, when the file has them.
  public let header: [String]?
  /// The number of columns, at least 1.
  public let columns: Int
  /// The numbers, row after row.
  public let elements: [Float]

  /// The number of rows, at least 1.
  public var rowCount: Int { elements.count / columns }

  /// Reads a table.
  ///
  /// The first line is the header when its cells are names or empty, and none is a number, begins with
  /// a digit, or is a way to write a missing value (`nan`, `NA`, `null`, `?`). Cells may be in quotes (RFC 4180). A byte order
  /// mark, blank lines and lines that start with `#` are skipped.
  ///
  /// - Parameters:
  ///   - source: The file, in UTF-8.
  ///   - separator: The byte between cells; a space stands for runs of spaces and tabs. Without
  ///     one, the first of tab, semicolon, comma and space that the first line has outside quotes.
  /// - Returns: The table.
  /// - Throws: ``DiagnosticError`` with code `malformedDataFile`, which names the line and the
  ///   column, or with `limitExceeded`.
  public static func read(
    _ source: ByteSource, separator: UInt8? = nil
  ) throws(DiagnosticError) -> CSVTable {
    do throws(DiagnosticError) {
      guard source.count <= DataFileLimit.fileBytes else {
        throw DiagnosticError(
          .limitExceeded,
          "has \(source.count) bytes, above the limit of \(DataFileLimit.fileBytes)")
      }
      var reader = try CSVReader(try source.bytes(in: 0..<source.count), separator: separator)
      return try reader.read()
    } catch { throw error.inFile(source.name) }
  }

  /// The text of a table, with commas and the shortest numbers that read back as the same float32.
  ///
  /// A header of numbers alone would be read back as a row, and NaN and infinities would be
  /// refused.
  ///
  /// - Parameters:
  ///   - header: The names of the columns, as many as there are columns.
  ///   - columns: The number of columns, at least 1.
  ///   - elements: The numbers, row after row.
  /// - Returns: The text, every line ended by a line feed.
  public static func text(
    header: [String]? = nil, columns: Int, elements: [Float]
  ) -> String {
    precondition(columns > 0 && elements.count % columns == 0)
    precondition(header == nil || header?.count == columns)
    var text = ""
    if let header { text += header.map(cell).joined(separator: ",") + "\n" }
    for (index, element) in elements.enumerated() {
      text += "\(element)"
      text += (index + 1) % columns == 0 ? "\n" : ","
    }
    return text
  }

  /// A name in quotes, unless no reader could take it for something else.
  private static func cell(_ name: String) -> String {
    let isPlain =
      !name.isEmpty
      && name.utf8.allSatisfy { $0 > 0x20 && !",;#\"".utf8.contains($0) }
    if isPlain { return name }
    var text = "\""
    for character in name.unicodeScalars {
      if character == "\"" { text += "\"" }
      text.unicodeScalars.append(character)
    }
    return text + "\""
  }
}
