/// How often each class was taken for each other one.
struct Confusion: Sendable {
  private struct Cell: Hashable {
    let label: Int
    let prediction: Int
  }

  /// By group of outputs.
  private var groups: [[Cell: Int]] = []
  /// Whether there are two classes, of which 1 is the one that F1 is about.
  let isBinary: Bool

  init(isBinary: Bool) { self.isBinary = isBinary }

  mutating func add(label: Int, prediction: Int, group: Int) {
    while groups.count <= group { groups.append([:]) }
    groups[group][Cell(label: label, prediction: prediction), default: 0] += 1
  }

  /// The share of items whose class was found.
  var accuracy: MeanAndError { estimate(Self.accuracy) }

  /// 2TP / (2TP + FP + FN) of class 1, or its mean over all classes that occur.
  var f1: MeanAndError { estimate { Self.f1($0, isBinary: isBinary) } }

  /// A figure with the jackknife's standard error over groups.
  private func estimate(_ figure: ([Cell: Int]) -> Double) -> MeanAndError {
    let total = groups.reduce(into: [:]) { $0.merge($1) { $0 + $1 } }
    let own = groups.filter { !$0.isEmpty }
    guard own.count > 1 else {
      return MeanAndError(value: figure(total), standardError: .nan)
    }
    let without = own.map { group in
      figure(total.merging(group.mapValues { -$0 }) { $0 + $1 })
    }
    return .jackknife(figure(total), without: without)
  }

  private static func accuracy(_ cells: [Cell: Int]) -> Double {
    let right = cells.reduce(0) { $0 + ($1.key.label == $1.key.prediction ? $1.value : 0) }
    return Double(right) / Double(cells.values.reduce(0, +))
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
