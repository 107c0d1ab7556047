public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// No matrix of the model can be compressed as asked.
  public static let nothingToCompress = Self("compression.nothing", .malformedInput)
  /// The plan asks for something that does not exist.
  public static let badPlan = Self("compression.badPlan", .usage)
}

/// Applies a plan to a model.
public struct ModelCompressor: Sendable {
  /// Called after each matrix with the number done and the number in all; one call at a time.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  let plan: CompressionPlan
  private let threads: Int

  /// Creates a compressor.
  ///
  /// - Parameters:
  ///   - plan: Which matrix gets which treatment.
  ///   - threads: How many threads may work at once; the result does not depend on it.
  public init(plan: CompressionPlan, threads: Int) {
    self.plan = plan
    self.threads = max(1, threads)
  }

  /// Compresses a model in place, so that each float matrix is freed once it is packed.
  ///
  /// - Parameters:
  ///   - model: The model. After an error it is unspecified.
  ///   - progress: Called after each matrix.
  /// - Returns: What became of each matrix.
  /// - Throws: ``DiagnosticError`` with code `badPlan` for a quantizer or group size that does not
  ///   exist; whatever a quantizer or the SVD throws, with the matrix named.
  public func compress(
    _ model: inout Model, progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> CompressionReport {
    let before = model.storedByteCounts
    var outcomes =
      plan.factorsMatrices
      ? try compressSideBySide(&model, progress: progress)
      : try compressInTurn(&model, progress: progress)
    // Factors that several matrices have in common count once.
    for (index, after) in model.storedByteCounts.enumerated() {
      outcomes[index].byteCountBefore = before[index]
      outcomes[index].byteCountAfter = after
    }
    return CompressionReport(matrices: outcomes, untouchedLayers: model.untouchedLayers)
  }

  /// One matrix after the other; quantizers spread the rows of each over the threads.
  private func compressInTurn(
    _ model: inout Model, progress: Progress
  ) throws(DiagnosticError) -> [MatrixOutcome] {
    let total = model.matrices.count
    var outcomes: [MatrixOutcome] = []
    try model.updateMatrices { (path, matrix) throws(DiagnosticError) in
      outcomes.append(try compress(&matrix, path: path, threads: threads))
      progress(outcomes.count, total)
    }
    return outcomes
  }

  /// A matrix for each thread: LAPACK's SVD runs on one.
  private func compressSideBySide(
    _ model: inout Model, progress: @escaping Progress
  ) throws(DiagnosticError) -> [MatrixOutcome] {
    let factors = try GateFactors(of: model, by: plan, threads: threads)
    let matrices = model.matrices
    let compressed = try mapTasks(matrices.count, threads: threads, progress: progress) {
      (index) throws(DiagnosticError) in
      var (path, matrix) = matrices[index]
      let outcome = try compress(&matrix, path: path, factors: factors, threads: 1)
      return (matrix, outcome)
    }
    var next = compressed.makeIterator()
    model.updateMatrices { _, matrix in
      if let (packed, _) = next.next() { matrix = packed }
    }
    return compressed.map(\.1)
  }
}
