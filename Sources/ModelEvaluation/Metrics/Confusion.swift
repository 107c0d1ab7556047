/// How often each class was taken for each other one.
struct Confusion: Sendable {
  private struct Cell: Hashable {
    let label: Int
    let prediction: Int
  }

  private var cells: [Cell: Int] = [:]
  /// Whether there are two classes, of which 1 is the one that F1 is about.
  let isBinary: Bool

  init(isBinary: Bool) { self.isBinary = isBinary }

  mutating func add(label: Int, prediction: Int) {
    cells[Cell(label: label, prediction: prediction), default: 0] += 1
  }

  private var total: Int { cells.values.reduce(0, +) }

  /// The share of items whose class was found.
  var accuracy: MeanAndError {
    let n = Double(total)
    let right = cells.reduce(0) { $0 + ($1.key.label == $1.key.prediction ? $1.value : 0) }
    let share = Double(right) / n
    return MeanAndError(value: share, standardError: (share * (1 - share) / n).squareRoot())
  }

  /// 2TP / (2TP + FP + FN) of class 1, or its mean over all classes that occur; the standard error is
  /// the jackknife's.
  var f1: MeanAndError {
    let value = Self.f1(cells, isBinary: isBinary)
    let n = Double(total)
    // Items of a cell are alike: leaving out any of them gives the same value.
    var leftOut: [(value: Double, count: Int)] = []
    for (cell, count) in cells {
      var others = cells
      others[cell] = count - 1
      leftOut.append((Self.f1(others, isBinary: isBinary), count))
    }
    let mean = leftOut.reduce(0) { $0 + $1.value * Double($1.count) } / n
    let squares = leftOut.reduce(0) {
      $0 + ($1.value - mean) * ($1.value - mean) * Double($1.count)
    }
    return MeanAndError(value: value, standardError: ((n - 1) / n * squares).squareRoot())
  }

  private static func f1(_ cells: [Cell: Int], isBinary: Bool) -> Double {
    var right: [Int: Int] = [:]
    var wrong: [Int: Int] = [:]
    for (cell, count) in cells where count > 0 {
      if cell.label == cell.prediction {
        right[cell.label, default: 0] += count
      } else {
        wrong[cell.label, default: 0] += count
        wrong[cell.prediction, default: 0] += count
      }
    }
    let classes = isBinary ? [1] : Set(right.keys).union(wrong.keys).sorted()
    guard !classes.isEmpty else { return 0 }
    let sum = classes.reduce(0.0) { sum, label in
      let (r, w) = (Double(right[label] ?? 0), Double(wrong[label] ?? 0))
      return sum + (r == 0 ? 0 : 2 * r / (2 * r + w))
    }
    return sum / Double(classes.count)
  }
}
