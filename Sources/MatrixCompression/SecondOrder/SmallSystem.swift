/// A few linear equations with a symmetric positive matrix, by Cholesky's method.
struct SmallSystem {
  let count: Int
  /// `[count, count]`, what is on and below the diagonal.
  var matrix: [Double]
  var right: [Double]

  init(count: Int) {
    self.count = count
    matrix = [Double](repeating: 0, count: count * count)
    right = [Double](repeating: 0, count: count)
  }

  /// The solution with a ridge, a share of the mean of the diagonal; `nil` when there is none.
  func solution(ridge: Double) -> [Double]? {
    var factor = matrix
    let mean = (0..<count).reduce(0.0) { $0 + matrix[$1 * count + $1] } / Double(max(1, count))
    guard mean > 0, mean.isFinite else { return nil }
    for row in 0..<count { factor[row * count + row] += ridge * mean }
    for row in 0..<count {
      for column in 0...row {
        var sum = factor[row * count + column]
        for k in 0..<column { sum -= factor[row * count + k] * factor[column * count + k] }
        if row == column {
          guard sum > 0 else { return nil }
          factor[row * count + row] = sum.squareRoot()
        } else {
          factor[row * count + column] = sum / factor[column * count + column]
        }
      }
    }
    var solution = right
    for row in 0..<count {
      for k in 0..<row { solution[row] -= factor[row * count + k] * solution[k] }
      solution[row] /= factor[row * count + row]
    }
    for row in (0..<count).reversed() {
      for k in row + 1..<max(row + 1, count) {
        solution[row] -= factor[k * count + row] * solution[k]
      }
      solution[row] /= factor[row * count + row]
    }
    return solution.allSatisfy(\.isFinite) ? solution : nil
  }
}
