public import Diagnostics
public import LSTMCore
import MatrixCompression

extension ModelCompressor {
  /// Compresses one matrix as the plan says.
  ///
  /// - Parameters:
  ///   - matrix: The matrix; replaced when it is compressed.
  ///   - path: Its name, which the plan's rules look at.
  ///   - threads: How many threads may work; the result does not depend on it.
  /// - Returns: What became of it.
  /// - Throws: ``DiagnosticError`` as for a whole model.
  public func compress(
    _ matrix: inout WeightMatrix, path: MatrixPath, threads: Int
  ) throws(DiagnosticError) -> MatrixOutcome {
    try compress(&matrix, path: path, factors: GateFactors(), threads: threads)
  }

  func compress(
    _ matrix: inout WeightMatrix, path: MatrixPath, factors: GateFactors, threads: Int
  ) throws(DiagnosticError) -> MatrixOutcome {
    var outcome = MatrixOutcome(
      path: path, rows: matrix.rows, columns: matrix.columns, storageBefore: matrix.storageName,
      storageAfter: matrix.storageName, byteCountBefore: matrix.byteCount,
      byteCountAfter: matrix.byteCount, relativeError: 0, result: .compressed)
    do throws(DiagnosticError) {
      switch try replacement(
        for: matrix, treatment: plan.treatment(of: path), together: factors.results[path],
        threads: threads)
      {
      case .left(let reason, let isChoice):
        outcome.result = .left(reason: reason, isChoice: isChoice)
      case .replaced(let new, let relativeError):
        matrix = new
        outcome.storageAfter = new.storageName + (plan.treatment(of: path)?.sharing ?? "")
        if case .round(let rounding) = plan.treatment(of: path) {
          outcome.storageAfter += ", \(rounding.phrase)"
        }
        outcome.byteCountAfter = new.byteCount
        outcome.relativeError = relativeError
      }
    } catch { throw error.atObject(path.description) }
    return outcome
  }

  private enum Replacement {
    case left(reason: String, isChoice: Bool)
    case replaced(WeightMatrix, relativeError: Double)
  }

  private func replacement(
    for matrix: WeightMatrix, treatment: Treatment?,
    together: Result<WeightMatrix, DiagnosticError>?, threads: Int
  ) throws(DiagnosticError) -> Replacement {
    switch treatment {
    case nil: return .left(reason: "not selected", isChoice: true)
    case .keep(let reason, let isChoice): return .left(reason: reason, isChoice: isChoice)
    case .rank(let rank, _):
      return try factored(matrix, threads: threads) { (dense) throws(DiagnosticError) in
        if let together { return try together.get() }
        return try LowRank.truncate(dense, rank: rank, threads: threads)
      }
    case .energy(let share, _):
      return try factored(matrix, threads: threads) { (dense) throws(DiagnosticError) in
        if let together { return try together.get() }
        return try LowRank.truncate(dense, energy: share, threads: threads)
      }
    case .quantize(let name, let groupSize):
      guard let quantizer = Quantizers.quantizer(named: name) else {
        throw DiagnosticError(
          .badPlan, "there is no quantizer '\(name)'",
          hint: "the quantizers are \(Quantizers.all.map(\.name).joined(separator: ", "))"
        ).suggesting(for: name, among: Quantizers.all.map(\.name))
      }
      return try packed(matrix, threads: threads) { (dense) throws(DiagnosticError) in
        try quantizer.quantize(dense, groupSize: groupSize, threads: threads)
      }
    case .round(let rounding):
      if case .product = matrix {
        return .left(
          reason: "stored as \(matrix.storageName), and factors are not rounded", isChoice: false)
      }
      return try packed(matrix, threads: threads, pack: rounding.round)
    case .steps(let steps):
      var current = matrix
      for step in steps {
        switch try replacement(
          for: current, treatment: step, together: together, threads: threads)
        {
        case .left(let reason, let isChoice): return .left(reason: reason, isChoice: isChoice)
        case .replaced(let new, _): current = new
        }
      }
      return .replaced(
        current,
        relativeError: relativeError(of: current, against: matrix.dequantized, threads: threads))
    }
  }

  private func factored(
    _ matrix: WeightMatrix, threads: Int,
    truncate: (Matrix) throws(DiagnosticError) -> WeightMatrix
  ) throws(DiagnosticError) -> Replacement {
    guard case .dense(let dense) = matrix else {
      return .left(reason: "already stored as \(matrix.storageName)", isChoice: false)
    }
    let factors: WeightMatrix
    do throws(DiagnosticError) {
      factors = try truncate(dense)
    } catch {
      // A rank that saves nothing for this matrix may save much for the next.
      guard error.code == .rankTooHigh else { throw error }
      return .left(reason: error.problem, isChoice: false)
    }
    return .replaced(
      factors, relativeError: relativeError(of: factors, against: dense, threads: threads))
  }

  private func packed(
    _ matrix: WeightMatrix, threads: Int, pack: (Matrix) throws(DiagnosticError) -> PackedMatrix
  ) throws(DiagnosticError) -> Replacement {
    switch matrix {
    case .packed:
      return .left(reason: "already packed as \(matrix.storageName)", isChoice: false)
    case .dense(let dense):
      let packed = WeightMatrix.packed(try pack(dense))
      // Rows of one or two weights: a scale for each costs more than float16 would.
      guard packed.byteCount * 2 <= matrix.byteCount else {
        return .left(
          reason: "packed in rows of \(dense.columns) it would take "
            + "\(packed.byteCount * 8 / max(dense.elements.count, 1)) bits per weight, more than "
            + "float16", isChoice: false)
      }
      return .replaced(
        packed, relativeError: relativeError(of: packed, against: dense, threads: threads))
    case .product(let left, let right):
      // A factor that does not bear packing stays as it is beside one that does.
      var factors: [WeightMatrix] = []
      var reasons: [String] = []
      for factor in [left, right] {
        switch try packed(factor, threads: threads, pack: pack) {
        case .left(let reason, _):
          factors.append(factor)
          reasons.append(reason)
        case .replaced(let new, _): factors.append(new)
        }
      }
      guard reasons.count < 2 else {
        return .left(reason: "of its factors: \(reasons.joined(separator: "; "))", isChoice: false)
      }
      let product = WeightMatrix.product(left: factors[0], right: factors[1])
      return .replaced(
        product,
        relativeError: relativeError(of: product, against: matrix.dequantized, threads: threads))
    }
  }
}
