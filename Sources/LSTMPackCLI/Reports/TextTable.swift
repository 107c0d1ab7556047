/// A table of text: columns as wide as their widest cell, two spaces apart.
struct TextTable {
  /// How a column is set.
  enum Alignment {
    case left
    case right
  }

  private var rows: [[String]]
  private let alignments: [Alignment]

  /// Creates a table with a line of titles.
  init(_ columns: [(title: String, alignment: Alignment)]) {
    rows = [columns.map(\.title)]
    alignments = columns.map(\.alignment)
  }

  /// Adds a line; it has a cell for each column.
  mutating func add(_ cells: [String]) { rows.append(cells) }

  /// Whether the table has no line but the titles.
  var isEmpty: Bool { rows.count == 1 }

  /// The table as text, lines joined by newlines, without trailing spaces.
  var text: String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for column in row.indices {
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        line += alignments[column] == .left ? row[column] + padding : padding + row[column]
        line += "  "
      }
      return String(line.reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }
}
