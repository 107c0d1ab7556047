internal import LSTMCore

/// Scores of rows of class scores (logits): cross entropy with a target, divergence of two rows.
public struct RowScores: Sendable {
  private let classes: Int
  private let threads: Int
  /// Rows that a thread takes at once.
  private static let rowsPerTask = 16

  /// Creates scores for rows of so many classes.
  public init(classes: Int, threads: Int) {
    self.classes = classes
    self.threads = threads
  }

  /// −log softmax(row)[target] of each row, in nats.
  ///
  /// - Parameters:
  ///   - logits: `[rows, classes]`.
  ///   - targets: A class for each row.
  /// - Returns: One number for each row.
  public func crossEntropy(_ logits: [Float], targets: [Int]) -> [Double] {
    perRow(targets.count) { row in
      unsafe logits.withUnsafeBufferPointer { logits in
        guard let start = logits.baseAddress else { return 0 }
        let values = unsafe start + row * classes
        return unsafe VectorKernels.best.logSumExp(values, count: classes)
          - Double(values[targets[row]])
      }
    }
  }

  /// Σ p log(p / q) of each row, in nats, with p and q the softmax of two rows.
  ///
  /// - Parameters:
  ///   - other: q, `[rows, classes]` logits.
  ///   - base: p, as many.
  ///   - rows: How many rows.
  /// - Returns: One number for each row.
  public func divergence(of other: [Float], from base: [Float], rows: Int) -> [Double] {
    perRow(rows) { row in
      unsafe base.withUnsafeBufferPointer { base in
        unsafe other.withUnsafeBufferPointer { other in
          guard let p = base.baseAddress, let q = other.baseAddress else { return 0 }
          return unsafe VectorKernels.best.divergence(
            p + row * classes, q + row * classes, count: classes)
        }
      }
    }
  }

  /// log Σ exp of a row of scores.
  ///
  /// - Precondition: There is a score.
  public static func logSumOfExponentials(_ row: [Float]) -> Double {
    unsafe row.withUnsafeBufferPointer { row in
      guard let start = row.baseAddress else { return -.infinity }
      return unsafe VectorKernels.best.logSumExp(start, count: row.count)
    }
  }

  /// The class with the highest score of each row; the first of equal ones.
  public func top(_ logits: [Float], rows: Int) -> [Int] {
    (0..<rows).map { row in
      var best = row * classes
      for index in row * classes..<(row + 1) * classes where logits[index] > logits[best] {
        best = index
      }
      return best - row * classes
    }
  }

  private func perRow(_ rows: Int, _ score: @Sendable (Int) -> Double) -> [Double] {
    unsafe [Double](unsafeUninitializedCapacity: rows) { results, count in
      count = rows
      guard let start = results.baseAddress else { return }
      let memory = unsafe ScoreMemory(results: start)
      let tasks = (rows + Self.rowsPerTask - 1) / Self.rowsPerTask
      forEachTask(tasks, threads: threads) { task in
        for row in task * Self.rowsPerTask..<min(rows, (task + 1) * Self.rowsPerTask) {
          unsafe (memory.results + row).initialize(to: score(row))
        }
      }
    }
  }
}

/// Shared by the threads; each writes rows of its own.
@unsafe private struct ScoreMemory: @unchecked Sendable {
  let results: UnsafeMutablePointer<Double>
}
