public import LSTMCore

/// Rounds rows of weights so that what they compute on calibration data changes least.
///
/// Weights become W ≈ Ŵ with the least tr((W − Ŵ) H (W − Ŵ)ᵀ), H the second moments of what they read:
///
/// 1. Columns are rounded one after the other, and each error is compensated by the columns to come, through the
///    Cholesky factor of H (GPTQ, Frantar et al. 2022, arXiv:2210.17323; as a triangular system, Chen et al. 2025,
///    arXiv:2507.18553).
/// 2. Three times: least squares for scales, offsets or levels and the bias with codes fixed, then coordinate descent
///    over the codes (LNQ of GuidedQuant, Kim et al. 2025, arXiv:2505.07004; the bias as a column is ours).
///
/// It works with every encoding whose levels are linear in its parameters, which are all that have parameters.
/// Matrices that read parts of one z (an LSTM's input and recurrent weights) are rounded together.
public enum SecondOrderRounding {
  /// A matrix that reads a part of z.
  public struct Part: Sendable {
    /// What it should compute, `[rows, columns]`.
    public var target: Matrix
    /// What it is: codes to begin with, or weights that stay as they are.
    public var start: WeightMatrix

    /// Creates a part.
    ///
    /// - Precondition: Both have the same shape.
    public init(target: Matrix, start: WeightMatrix) {
      precondition(
        target.rows == start.rows && target.columns == start.columns,
        "A matrix has the shape of its target")
      self.target = target
      self.start = start
    }

    /// Whether codes of it can be chosen.
    public var isRounded: Bool {
      if case .packed(let packed) = start { packed.encoding.parametersPerGroup > 0 } else { false }
    }
  }

  /// What became of the matrices.
  public struct Result: Sendable {
    /// The matrices, in the order of the parts.
    public var matrices: [WeightMatrix]
    /// The bias; `nil` without a constant in z.
    public var bias: [Float]?
    /// E‖(W − Ŵ) z‖² / E‖W z‖² with the codes that the parts began with, and now.
    public var relativeError: (before: Double, after: Double)
  }

  /// The rows that are rounded side by side.
  static let lanes = 128

  /// Rounds.
  ///
  /// - Parameters:
  ///   - parts: The matrices in the order of z; those that cannot be rounded stay as they are, and the others
  ///     compensate their errors.
  ///   - bias: What the constant's weights should be, `[rows]`; `nil` where z has none.
  ///   - metric: The second moments of z.
  ///   - threads: How many threads may work; the result does not depend on it.
  /// - Returns: The matrices and the bias; `nil` when H has no factor, or numbers went beyond float32, so that nothing
  ///   can be said.
  public static func round(
    _ parts: [Part], bias: [Float]?, metric: SecondOrderMetric, threads: Int = 1
  ) -> Result? {
    let rows = parts.first?.target.rows ?? 0
    precondition(
      parts.allSatisfy { $0.target.rows == rows }
        && parts.reduce(0) { $0 + $1.target.columns } + (metric.hasConstant ? 1 : 0) == metric.size
        && (bias != nil) == metric.hasConstant && (bias?.count ?? rows) == rows,
      "Parts, bias and the second moments fit together")
    let layout = RoundingLayout(parts)
    guard rows > 0, layout.roundedColumns > 0 else { return nil }
    guard let order = metric.order(fixed: layout.fixedColumns, threads: threads) else { return nil }
    let blocks = (rows - 1) / lanes + 1
    let done = mapTasks(blocks, threads: threads) { block in
      let own = block * lanes..<min((block + 1) * lanes, rows)
      let work = RowBlockRounding(
        parts: parts, bias: bias, rows: own, layout: layout, metric: metric)
      return work.run(order)
    }
    guard done.allSatisfy({ $0.bias.allSatisfy { $0.isFinite } }) else { return nil }
    var before = 0.0
    var after = 0.0
    var norm = 0.0
    for block in done {
      before += block.before
      after += block.after
      norm += block.norm
    }
    return Result(
      matrices: parts.indices.map { part in
        guard parts[part].isRounded, case .packed(let start) = parts[part].start else {
          return parts[part].start
        }
        return .packed(
          PackedMatrix(
            encoding: start.encoding, rows: rows, columns: start.columns,
            groupSize: start.groupSize, scaleExponent: start.scaleExponent,
            codes: done.flatMap { $0.parts[part].codes },
            parameters: done.flatMap { $0.parts[part].parameters }))
      },
      bias: bias.map { _ in done.flatMap(\.bias) },
      relativeError: (
        norm > 0 ? max(0, before / norm).squareRoot() : 0,
        norm > 0 ? max(0, after / norm).squareRoot() : 0
      ))
  }
}

/// Which columns of z belong to which group of which matrix.
struct RoundingLayout: Sendable {
  /// A run of columns whose weights share parameters.
  struct Group: Sendable {
    /// The part.
    let part: Int
    /// The group of each row of the part.
    let index: Int
    /// The columns of z.
    let columns: Range<Int>
    /// How levels follow from parameters.
    let basis: LevelBasis
  }

  /// The groups in order.
  let groups: [Group]
  /// The columns of z of each part.
  let columns: [Range<Int>]
  /// The columns of z whose weights stay as they are; `nil` when there are none.
  let fixedColumns: Range<Int>?

  var roundedColumns: Int { groups.reduce(0) { $0 + $1.columns.count } }

  init(_ parts: [SecondOrderRounding.Part]) {
    var groups: [Group] = []
    var columns: [Range<Int>] = []
    var fixed: Range<Int>?
    var first = 0
    for (number, part) in parts.enumerated() {
      let own = first..<first + part.target.columns
      columns.append(own)
      first = own.upperBound
      guard part.isRounded, case .packed(let packed) = part.start,
        let basis = LevelBasis(packed.encoding)
      else {
        if !own.isEmpty { fixed = fixed.map { $0.lowerBound..<own.upperBound } ?? own }
        continue
      }
      for group in 0..<packed.groupsPerRow {
        let start = own.lowerBound + group * packed.groupSize
        groups.append(
          Group(
            part: number, index: group,
            columns: start..<min(start + packed.groupSize, own.upperBound), basis: basis))
      }
    }
    self.groups = groups
    self.columns = columns
    fixedColumns = fixed
  }
}
