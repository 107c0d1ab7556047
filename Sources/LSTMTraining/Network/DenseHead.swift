/// The dense layer, the loss of its outputs, and both gradients, some rows at a time.
///
/// Outputs are computed turned, `[outputs, rows]`: each worker has some of the outputs, for the weights
/// of which it alone writes gradients, and no product needs the weights turned. All outputs of all rows
/// are never in memory.
@safe final class DenseHead<Number: TrainingNumber>: Sendable {
  /// What the rows should have been.
  @safe enum Targets {
    /// One class for each row.
    case classes(UnsafePointer<Int32>)
    /// `[rows, outputs]`.
    case values(UnsafePointer<Number>)
  }

  /// The weights and the gradients to replace.
  @safe struct Weights {
    /// `[outputs, units]`.
    let weights: UnsafePointer<Number>
    /// `[outputs]`.
    let bias: UnsafePointer<Number>
    /// Those of the weights and the bias; `nil` in evaluation.
    let gradients: (weights: UnsafeMutablePointer<Number>, bias: UnsafeMutablePointer<Number>)?
  }

  /// No more rows are computed at once.
  private static var rowsPerChunk: Int { 384 }

  private let units: Int
  private let outputs: Int
  private let loss: NetworkShape.Loss
  /// Rows turned, `[units, rows]`.
  private let turned: NumberBuffer<Number>
  /// Outputs, then their gradients, `[outputs, rows]`.
  private let scores: NumberBuffer<Number>
  /// For each worker and row the largest score, and the sum of exp(score − largest).
  private let largest: NumberBuffer<Number>
  private let sums: NumberBuffer<Number>
  /// The score of each row's class.
  private let targetScores: NumberBuffer<Number>
  /// Each worker's share of the gradient of the rows, turned: `[units, rows]`.
  private let shares: NumberBuffer<Number>?
  /// Each worker's share of the loss.
  private let losses: NumberBuffer<Double>
  private let chunk: Int

  init(
    units: Int, outputs: Int, rows: Int, loss: NetworkShape.Loss, workers: Int, isTrained: Bool
  ) {
    self.units = units
    self.outputs = outputs
    self.loss = loss
    // Chunks of equal size, of whole vectors of eight.
    let chunks = max(1, (rows + Self.rowsPerChunk - 1) / Self.rowsPerChunk)
    chunk = ((rows + chunks - 1) / chunks + 7) / 8 * 8
    turned = NumberBuffer(units * chunk)
    scores = NumberBuffer(outputs * chunk)
    largest = NumberBuffer(workers * chunk)
    sums = NumberBuffer(workers * chunk)
    targetScores = NumberBuffer(chunk)
    shares = isTrained ? NumberBuffer(workers * units * chunk) : nil
    losses = NumberBuffer<Double>(workers)
  }

  /// Computes losses and, with gradients, those of weights and rows; every worker calls it.
  ///
  /// - Parameters:
  ///   - worker: The caller.
  ///   - x: `[rows, units]`.
  ///   - rows: The rows.
  ///   - targets: What the rows should have been.
  ///   - weights: The weights and the gradients to replace.
  ///   - xGradient: `[rows, units]`, replaced; of the mean over the rows.
  ///   - result: Added to by the first worker.
  func run(
    _ worker: Worker, x: UnsafePointer<Number>, rows: Int, targets: Targets, _ weights: Weights,
    xGradient: UnsafeMutablePointer<Number>?, result: LossSum
  ) {
    unsafe losses.start[worker.index] = 0
    let own = worker.part(of: outputs)
    for start in stride(from: 0, to: rows, by: chunk) {
      let count = min(chunk, rows - start)
      unsafe Elementwise.turn(
        x + start * units, rows: worker.part(of: count, multiple: 16), columns: units,
        into: turned.start, stride: chunk)
      worker.wait()
      unsafe Number.product(
        MatrixView(weights.weights + own.lowerBound * units, stride: units),
        MatrixView(turned.start, stride: chunk), into: scores.start + own.lowerBound * chunk,
        stride: chunk, rows: own.count, inputs: units, outputs: count, accumulate: false)
      switch targets {
      case .classes(let classes):
        unsafe crossEntropy(
          worker, own, classes + start, bias: weights.bias, count: count, rows: rows,
          result: result, isTrained: weights.gradients != nil)
      case .values(let values):
        unsafe elementLoss(
          worker, own, values + start * outputs, bias: weights.bias, count: count, rows: rows)
      }
      if let gradients = unsafe weights.gradients, let xGradient = unsafe xGradient {
        unsafe differentiate(
          worker, own, x: x + start * units, weights.weights, gradients, isFirst: start == 0,
          count: count, xGradient: xGradient + start * units)
      }
      worker.wait()
    }
    if worker.index == 0 {
      for index in 0..<worker.count { result.loss += unsafe losses.start[index] }
    }
    worker.wait()
  }

  // MARK: - Losses

  /// Cross entropy over all outputs; then scores are its gradients, of the mean over the rows.
  private func crossEntropy(
    _ worker: Worker, _ own: Range<Int>, _ classes: UnsafePointer<Int32>,
    bias: UnsafePointer<Number>, count: Int, rows: Int, result: LossSum, isTrained: Bool
  ) {
    let ownLargest = unsafe largest.start + worker.index * chunk
    let ownSums = unsafe sums.start + worker.index * chunk
    for row in 0..<count {
      let output = unsafe Int(classes[row])
      guard own.contains(output) else { continue }
      unsafe targetScores.start[row] = scores.start[output * chunk + row] + bias[output]
    }
    unsafe ownLargest.update(repeating: -.infinity, count: chunk)
    unsafe ownSums.update(repeating: 0, count: chunk)
    for output in own {
      unsafe Number.raise(
        ownLargest, to: scores.start + output * chunk, plus: bias[output], count: chunk)
    }
    for output in own {
      unsafe Number.exponentiate(
        scores.start + output * chunk, plus: bias[output], minus: ownLargest, addingTo: ownSums,
        count: chunk)
    }
    worker.wait()
    unsafe withUnsafeTemporaryAllocation(of: Number.self, capacity: chunk) { factors in
      for row in 0..<chunk {
        var best = -Number.infinity
        for index in 0..<worker.count {
          best = unsafe max(best, largest.start[index * chunk + row])
        }
        var sum = 0.0
        for index in 0..<worker.count {
          let place = index * chunk + row
          sum +=
            unsafe Double(sums.start[place]) * exponential(Double(largest.start[place] - best))
        }
        // This worker's powers are to its own largest score.
        unsafe factors[row] = Number(
          exponential(Double(ownLargest[row] - best)) / sum / Double(rows))
        if worker.index == 0 && row < count {
          unsafe losses.start[0] += logarithm(sum) + Double(best - targetScores.start[row])
          if unsafe targetScores.start[row] >= best { result.correct += 1 }
        }
      }
      guard isTrained, let factors = factors.baseAddress else { return }
      // What pads a chunk has no gradient.
      for row in count..<chunk { unsafe factors[row] = 0 }
      for output in own {
        let from = unsafe scores.start + output * chunk
        for row in stride(from: 0, to: chunk, by: 8) {
          unsafe Lanes.store(
            Lanes.load(from + row, 8) * Lanes.load(factors + row, 8), from + row, 8)
        }
      }
      for row in 0..<count where own.contains(unsafe Int(classes[row])) {
        unsafe scores.start[Int(classes[row]) * chunk + row] -= 1 / Number(rows)
      }
    }
  }

  /// The loss of each output by itself; then scores are the gradients, of the mean over all.
  private func elementLoss(
    _ worker: Worker, _ own: Range<Int>, _ values: UnsafePointer<Number>,
    bias: UnsafePointer<Number>, count: Int, rows: Int
  ) {
    var sum = 0.0
    let scale = Number(1 / Double(rows * outputs))
    for output in own {
      let from = unsafe scores.start + output * chunk
      for row in 0..<count {
        let (score, wanted) = unsafe (from[row] + bias[output], values[row * outputs + output])
        if loss == .squaredError {
          let error = score - wanted
          sum += Double(error) * Double(error)
          unsafe from[row] = 2 * error * scale
        } else {
          let x = Double(score)
          sum += max(x, 0) - x * Double(wanted) + logarithm(1 + exponential(-abs(x)))
          unsafe from[row] = (Number(1 / (1 + exponential(-x))) - wanted) * scale
        }
      }
      for row in count..<chunk { unsafe from[row] = 0 }
    }
    unsafe losses.start[worker.index] += sum / Double(outputs)
  }

  // MARK: - Gradients

  private func differentiate(
    _ worker: Worker, _ own: Range<Int>, x: UnsafePointer<Number>,
    _ weights: UnsafePointer<Number>,
    _ gradients: (weights: UnsafeMutablePointer<Number>, bias: UnsafeMutablePointer<Number>),
    isFirst: Bool, count: Int, xGradient: UnsafeMutablePointer<Number>
  ) {
    guard let shares else { return }
    let from = unsafe MatrixView(scores.start + own.lowerBound * chunk, stride: chunk)
    unsafe Number.product(
      from, MatrixView(x, stride: units), into: gradients.weights + own.lowerBound * units,
      stride: units, rows: own.count, inputs: count, outputs: units, accumulate: !isFirst)
    for output in own {
      let sum = unsafe Elementwise.sum(scores.start + output * chunk, count: chunk)
      if isFirst {
        unsafe gradients.bias[output] = sum
      } else {
        unsafe gradients.bias[output] += sum
      }
    }
    let share = unsafe shares.start + worker.index * units * chunk
    if own.isEmpty {
      unsafe share.update(repeating: 0, count: units * chunk)
    } else {
      unsafe Number.product(
        MatrixView(weights + own.lowerBound * units, stride: units, transposed: true),
        MatrixView(scores.start + own.lowerBound * chunk, stride: chunk), into: share,
        stride: chunk, rows: units, inputs: own.count, outputs: count, accumulate: false)
    }
    worker.wait()
    let rows = worker.part(of: count, multiple: 16)
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: 16) {
      for unit in 0..<units {
        for row in first..<min(first + 16, rows.upperBound) {
          var sum: Number = 0
          for index in 0..<worker.count {
            sum += unsafe shares.start[(index * units + unit) * chunk + row]
          }
          unsafe xGradient[row * units + unit] = sum
        }
      }
    }
  }
}

/// The sum of the losses of rows; the first worker adds to it.
package final class LossSum: @unchecked Sendable {
  /// In nats, or squared errors: a number for each row.
  package var loss = 0.0
  /// The rows whose class has the largest score.
  package var correct = 0
}
