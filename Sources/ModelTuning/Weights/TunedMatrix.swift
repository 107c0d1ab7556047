import LSTMCore
import LSTMTraining

/// A matrix of the compressed model whose parameters learn.
///
/// Each is used by one task at a time.
protocol TunedMatrix: AnyObject, Sendable {
  /// Writes the weights as the compressed model has them.
  ///
  /// - Parameter weights: `[rows, columns]`, replaced.
  func write(to weights: UnsafeMutablePointer<Float>)
  /// Moves the parameters.
  ///
  /// - Parameters:
  ///   - gradient: That of the weights, `[rows, columns]`.
  ///   - step: The update.
  func update(_ gradient: UnsafePointer<Float>, _ step: TuningStep)
  /// The matrix as it is stored.
  var stored: WeightMatrix { get }
  /// The parameters.
  var learned: [NumberBuffer<Float>] { get }
  /// What the optimizer remembers of them.
  var moments: [TuningMoments] { get }
}

/// The ways to tune what a matrix is stored as.
enum TunedMatrices {
  /// Makes a matrix learn.
  ///
  /// - Parameters:
  ///   - matrix: As it is stored.
  ///   - original: What it was.
  ///   - isFactor: Whether it is a factor of a product, of which floating-point numbers learn, too.
  /// - Returns: `nil` for a matrix that stays as it is.
  static func tuned(
    _ matrix: WeightMatrix, original: Matrix?, isFactor: Bool = false
  ) -> (any TunedMatrix)? {
    switch matrix {
    case .dense(let dense): isFactor ? TunedFactor(dense) : nil
    case .packed(let packed): TunedCodes(packed, original: original)
    case .product(let left, let right): TunedProduct(left, right)
    }
  }
}
