import LSTMCore
import LSTMTraining

/// Floating-point numbers that learn: a factor of a low-rank product, in units of its mean |w|.
@safe final class TunedFactor: TunedMatrix, @unchecked Sendable {
  private let rows: Int
  private let columns: Int
  private let unit: Float
  private let values: NumberBuffer<Float>
  private let ownMoments: TuningMoments
  private let gradients: NumberBuffer<Float>

  /// In units of the mean |w|.
  private static let rate: Float = 0.02

  init(_ matrix: Matrix) {
    rows = matrix.rows
    columns = matrix.columns
    let count = matrix.elements.count
    let mean = matrix.elements.reduce(0) { $0 + abs($1) } / Float(max(1, count))
    let unit: Float = mean > 0 && mean.isFinite ? mean : 1
    self.unit = unit
    values = NumberBuffer(matrix.elements.map { $0 / unit })
    ownMoments = TuningMoments(count)
    gradients = NumberBuffer(count)
  }

  func write(to weights: UnsafeMutablePointer<Float>) {
    for index in 0..<values.count { unsafe weights[index] = values.start[index] * unit }
  }

  func update(_ gradient: UnsafePointer<Float>, _ step: TuningStep) {
    for index in 0..<values.count {
      unsafe gradients.start[index] = gradient[index] * unit
    }
    step.move(values, gradients, ownMoments, rate: Self.rate)
  }

  var learned: [NumberBuffer<Float>] { [values] }
  var moments: [TuningMoments] { [ownMoments] }

  var stored: WeightMatrix {
    .dense(Matrix(rows: rows, columns: columns, elements: values.values.map { $0 * unit }))
  }
}
