import LSTMCore
import LSTMTraining

/// A product of two factors of which each learns.
@safe final class TunedProduct: TunedMatrix, @unchecked Sendable {
  private let rows: Int
  private let rank: Int
  private let columns: Int
  private let left: any TunedMatrix
  private let right: any TunedMatrix
  private let leftWeights: NumberBuffer<Float>
  private let rightWeights: NumberBuffer<Float>
  private let leftGradient: NumberBuffer<Float>
  private let rightGradient: NumberBuffer<Float>

  /// - Returns: `nil` for factors that cannot learn.
  init?(_ left: WeightMatrix, _ right: WeightMatrix) {
    guard let tunedLeft = TunedMatrices.tuned(left, original: nil, isFactor: true),
      let tunedRight = TunedMatrices.tuned(right, original: nil, isFactor: true)
    else { return nil }
    self.left = tunedLeft
    self.right = tunedRight
    rows = left.rows
    rank = left.columns
    columns = right.columns
    leftWeights = NumberBuffer(rows * rank)
    rightWeights = NumberBuffer(rank * columns)
    leftGradient = NumberBuffer(rows * rank)
    rightGradient = NumberBuffer(rank * columns)
  }

  func write(to weights: UnsafeMutablePointer<Float>) {
    unsafe left.write(to: leftWeights.start)
    unsafe right.write(to: rightWeights.start)
    unsafe Float.product(
      MatrixView(leftWeights.start, stride: rank), MatrixView(rightWeights.start, stride: columns),
      into: weights, stride: columns, rows: rows, inputs: rank, outputs: columns,
      accumulate: false)
  }

  func update(_ gradient: UnsafePointer<Float>, _ step: TuningStep) {
    unsafe Float.product(
      MatrixView(gradient, stride: columns),
      MatrixView(rightWeights.start, stride: columns, transposed: true), into: leftGradient.start,
      stride: rank, rows: rows, inputs: columns, outputs: rank, accumulate: false)
    unsafe Float.product(
      MatrixView(leftWeights.start, stride: rank, transposed: true),
      MatrixView(gradient, stride: columns), into: rightGradient.start, stride: columns,
      rows: rank, inputs: rows, outputs: columns, accumulate: false)
    unsafe left.update(leftGradient.start, step)
    unsafe right.update(rightGradient.start, step)
  }

  var learned: [NumberBuffer<Float>] { left.learned + right.learned }
  var moments: [TuningMoments] { left.moments + right.moments }

  var stored: WeightMatrix { .product(left: left.stored, right: right.stored) }
}
