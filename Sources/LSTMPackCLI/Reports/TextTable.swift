/// A table of text: columns as wide as their widest cell, two spaces apart, no wider than the terminal.
///
/// What does not fit is laid out anew, never cut: titles, then notes go on in the lines below, then
/// columns that are too many follow as further tables with the first column again, then names go on
/// below, too.
struct TextTable {
  /// How a column is set.
  enum Alignment {
    case left
    case right
    /// Left, and long cells may go on in lines below.
    case note
  }

  /// The spaces between columns, and the fewest when there is no room.
  private static let gaps = (usual: 2, fewest: 1)
  /// The width at which notes and names still can be read.
  private static let narrowest = (note: 24, name: 24)

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

  /// The table as wide as the terminal at most.
  var text: String { text(width: Terminal.width) }

  /// The table for a terminal of a given width in columns: lines joined by newlines, without trailing spaces.
  func text(width: Int) -> String {
    let columns = Array(alignments.indices)
    for gap in [Self.gaps.usual, Self.gaps.fewest] {
      let whole = widths(columns, within: width, gap)
      if total(whole, gap) <= width { return lines(columns, whole, gap) }
    }
    // The first column names the rows; it stands before each group of columns.
    var parts: [String] = []
    let gap = Self.gaps.usual
    for group in groups(within: width, gap) {
      let columns = [0] + group
      parts.append(lines(columns, widths(columns, within: width, gap), gap))
    }
    return parts.joined(separator: "\n\n")
  }

  /// The width of a column with its title in one line, and with the title broken where it can be.
  private func natural(_ column: Int) -> (whole: Int, broken: Int) {
    let cells = rows.dropFirst().map { $0[column].count }.max() ?? 0
    let title = rows[0][column]
    let pieces = title.split { $0 == " " }.flatMap { word in
      word.split(separator: "/", omittingEmptySubsequences: false).enumerated().map {
        $0.element.count + ($0.offset < word.count { $0 == "/" } ? 1 : 0)
      }
    }
    return (max(cells, title.count), max(cells, pieces.max() ?? 0))
  }

  private func total(_ widths: [Int], _ gap: Int) -> Int {
    widths.reduce(0, +) + gap * max(0, widths.count - 1)
  }

  private func longestWord(_ column: Int) -> Int {
    rows.map { $0[column].split(separator: " ").map(\.count).max() ?? 0 }.max() ?? 0
  }

  /// The widths of some columns: titles and notes made narrower as far as needed and as they can be
  /// read.
  private func widths(_ columns: [Int], within width: Int, _ gap: Int) -> [Int] {
    let natural = columns.map(natural)
    var widths = natural.map(\.whole)
    func narrow(_ place: Int, to least: Int) {
      let excess = total(widths, gap) - width
      if excess > 0 { widths[place] = min(widths[place], max(least, widths[place] - excess)) }
    }
    // The titles that are longest for what is below them first.
    for place in natural.indices.sorted(by: {
      natural[$0].whole - natural[$0].broken > natural[$1].whole - natural[$1].broken
    }) {
      narrow(place, to: natural[place].broken)
    }
    for (place, column) in columns.enumerated() where alignments[column] == .note {
      narrow(
        place,
        to: natural[place].whole > Self.narrowest.note
          ? Self.narrowest.note : longestWord(column))
    }
    // What can stand nowhere else is as narrow as need be.
    if columns.count <= 2, columns.first == 0 {
      narrow(0, to: Self.narrowest.name)
      if columns.count == 2 { narrow(1, to: 1) }
      narrow(0, to: 1)
    }
    return widths
  }

  /// The columns after the first, in groups that fit.
  private func groups(within width: Int, _ gap: Int) -> [[Int]] {
    var groups: [[Int]] = []
    for column in alignments.indices.dropFirst() {
      if let last = groups.last,
        total(widths([0] + last + [column], within: width, gap), gap) <= width
      {
        groups[groups.count - 1].append(column)
      } else {
        groups.append([column])
      }
    }
    return groups
  }

  private func lines(_ columns: [Int], _ widths: [Int], _ gap: Int) -> String {
    rows.map { row in
      let cells = zip(columns, widths).map { column, width in
        TextWrap.lines(row[column][...], width: width)
      }
      let height = cells.map(\.count).max() ?? 1
      return (0..<height).map { line in
        var text = ""
        for (place, width) in widths.enumerated() {
          let cell = line < cells[place].count ? cells[place][line] : ""
          let padding = String(repeating: " ", count: max(0, width - cell.count))
          text += alignments[columns[place]] == .right ? padding + cell : cell + padding
          text += String(repeating: " ", count: gap)
        }
        return String(text.reversed().drop { $0 == " " }.reversed())
      }.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
