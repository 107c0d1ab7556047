public import LSTMCore
internal import LinearAlgebra

/// What errors of weights cost: E‖(W − Ŵ) z‖² = tr((W − Ŵ) H (W − Ŵ)ᵀ) with H = E[z zᵀ], z what the matrix reads.
///
/// A ridge on the diagonal of H stands for inputs that the calibration data did not have.
public struct SecondOrderMetric: Sendable {
  /// A part of z whose elements are of one kind, for example the input or the previous outputs.
  public typealias Part = Range<Int>

  /// H with its ridge, `[size, size]`, in units of the largest mean square of a part.
  let matrix: Matrix
  /// The ridge of each element of z; 0 for the constant.
  let ridge: [Float]
  /// Whether the last element of z is the constant 1, whose weights are the bias.
  public let hasConstant: Bool
  /// The order where nothing is fixed, for all gates.
  private let usualOrder: Order?
  /// The same matrix with the larger ridge of ``answering(_:threads:)``, factored.
  private let answer: (shift: Matrix, factor: CholeskyFactor)?

  /// The ridge of H, as a share of the mean of its diagonal.
  ///
  /// GPTQ has 0.01 (Frantar et al. 2022, arXiv:2210.17323); on three models 0.01, 0.03 and 0.1 did alike.
  private static let damping = 0.03
  /// The ridge of the equations for W*.
  private static let answerDamping = 0.03
  /// That of the constant, which is there at every step, as a share of its own size.
  private static let constantDamping = 1e-6

  /// The number of elements of z.
  public var size: Int { matrix.rows }

  /// Prepares moments.
  ///
  /// - Parameters:
  ///   - moments: The moments.
  ///   - parts: The parts of z in order; each has a ridge of its own, since they may differ in size by far.
  ///   - hasConstant: Whether one element more follows, the constant 1.
  ///   - threads: How many threads may work.
  ///
  /// It is `nil` when nothing is known: there are no rows, all were zero, or some were not finite.
  public init?(_ moments: SecondMoments, parts: [Part], hasConstant: Bool, threads: Int = 1) {
    let size = moments.size
    precondition(
      parts.reduce(0) { $0 + $1.count } + (hasConstant ? 1 : 0) == size,
      "Parts and the constant make up z")
    var scale = 1 / Double(max(1, moments.count))
    var means = [Double](repeating: 0, count: size)
    var largest = 0.0
    for part in parts {
      let mean =
        part.reduce(0.0) { $0 + moments.own[$1 * size + $1] } * scale / Double(max(1, part.count))
      for index in part { means[index] = mean }
      largest = max(largest, mean)
    }
    guard moments.count > 0, largest > 0, largest.isFinite else { return nil }
    // Only ratios of costs count; near 1, sums of float32 do not overflow.
    scale /= largest
    for part in parts {
      for index in part {
        // A part that was always zero has no size of its own.
        means[index] = means[index] == 0 ? 1 : means[index] / largest
      }
    }
    func ridged(_ share: Double) -> Matrix {
      var matrix = Matrix(
        rows: size, columns: size, elements: moments.own.map { Float($0 * scale) })
      for index in 0..<size {
        let own = moments.own[index * size + index] * scale
        let isConstant = hasConstant && index == size - 1
        matrix[index, index] = Float(
          own + (isConstant ? Self.constantDamping * own : share * means[index]))
      }
      return matrix
    }
    matrix = ridged(Self.damping)
    guard matrix.isFinite else { return nil }
    ridge = means.map { Float(Self.damping * $0) }
    self.hasConstant = hasConstant
    usualOrder = Self.order(of: matrix, hasConstant: hasConstant, fixed: nil, threads: threads)
    answer = CholeskyFactor(of: ridged(Self.answerDamping), threads: threads).map {
      var shift = Matrix(zeros: size, size)
      for index in shift.elements.indices {
        shift.elements[index] = Float((moments.cross[index] - moments.own[index]) * scale)
      }
      return (shift, $0)
    }
  }

  /// The weights that answer best for what the compressed layers before have done to the inputs.
  ///
  ///     W* = W·C·H⁻¹,  C = E[z̄ zᵀ]
  ///
  /// is the least of E‖W z̄ − W* z‖², here with a ridge towards W. Source: the asymmetric calibration of GPTAQ, Li et al.
  /// 2025, arXiv:2504.02692.
  ///
  /// - Parameters:
  ///   - weights: W, `[rows, size]`.
  ///   - threads: How many threads may work.
  /// - Returns: W*, of the same shape; `nil` when the equations cannot be solved.
  public func answering(_ weights: Matrix, threads: Int = 1) -> Matrix? {
    guard let answer else { return nil }
    // W* − W = W·(C − H)·(H + ρ)⁻¹, so that rounding is that of the difference.
    let moved = weights.floatProduct(with: answer.shift, threads: threads)
    var result = answer.factor.solve(moved, threads: threads)
    for index in result.elements.indices { result.elements[index] += weights.elements[index] }
    return result.isFinite ? result : nil
  }

  /// In which order weights are rounded, and the factor of H in the opposite order.
  struct Order: Sendable {
    /// The elements of z: those that are rounded first stand last, the constant first.
    let elements: [Int]
    /// L with L·Lᵀ = H, rows and columns in the order of ``elements``.
    let lower: Matrix
  }

  /// Rounds what cannot be changed first, then by falling diagonal, the constant last.
  ///
  /// - Parameters:
  ///   - fixed: The elements of z whose weights stay as they are.
  ///   - threads: How many threads may work.
  /// - Returns: `nil` when H is not positive definite.
  func order(fixed: Range<Int>?, threads: Int) -> Order? {
    fixed == nil
      ? usualOrder
      : Self.order(of: matrix, hasConstant: hasConstant, fixed: fixed, threads: threads)
  }

  private static func order(
    of matrix: Matrix, hasConstant: Bool, fixed: Range<Int>?, threads: Int
  ) -> Order? {
    let size = matrix.rows
    func place(_ index: Int) -> (Int, Float) {
      if hasConstant, index == size - 1 { return (0, 0) }
      return (fixed?.contains(index) == true ? 2 : 1, matrix[index, index])
    }
    let elements = (0..<size).sorted { place($0) < place($1) }
    var permuted = Matrix(zeros: size, size)
    for (row, from) in elements.enumerated() {
      for (column, other) in elements.enumerated() where column <= row {
        permuted[row, column] = matrix[from, other]
      }
    }
    return CholeskyFactor(of: permuted, threads: threads)
      .map { Order(elements: elements, lower: $0.lower) }
  }
}
