public import Diagnostics
import Foundation
public import LSTMCore
import LinearAlgebra
import MatrixCompression

/// Analyses the matrices of a model from the weights alone.
public struct ModelAnalyzer: Sendable {
  private let threads: Int

  /// Creates an analyzer.
  ///
  /// - Parameter threads: How many matrices may be analysed at once; results do not depend on it.
  public init(threads: Int) { self.threads = max(1, threads) }

  /// Analyses every LSTM matrix of a model.
  ///
  /// - Parameters:
  ///   - model: The model; packed and factored matrices are analysed as written out.
  ///   - progress: Called after each matrix with the number done and the number in all.
  /// - Returns: One analysis for each LSTM matrix, in the order of `Model.matrices`.
  /// - Throws: ``DiagnosticError`` with the matrix named when the SVD does not converge.
  public func analyze(
    _ model: Model, progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(DiagnosticError) -> [MatrixAnalysis] {
    let matrices = model.matrices.filter(\.path.isLSTM)
    return try mapTasks(matrices.count, threads: threads, progress: progress) {
      (index) throws(DiagnosticError) in
      let (path, matrix) = matrices[index]
      do throws(DiagnosticError) { return try analyze(matrix.dequantized, path: path) } catch {
        throw error.atObject(path.description)
      }
    }
  }

  private func analyze(
    _ matrix: Matrix, path: MatrixPath
  ) throws(DiagnosticError) -> MatrixAnalysis {
    let singularValues = try SingularValueDecomposition.values(of: matrix).map(Double.init)
    let energy = singularValues.reduce(0) { $0 + $1 * $1 }
    let largest = singularValues.first ?? 0
    var errors: [MatrixAnalysis.QuantizationError] = []
    for quantizer in Quantizers.all {
      let packed = WeightMatrix.packed(
        try quantizer.quantize(matrix, groupSize: nil, threads: 1))
      errors.append(
        MatrixAnalysis.QuantizationError(
          quantizer: quantizer.name, bitsPerWeight: packed.bitsPerWeight,
          relativeError: relativeError(of: packed, against: matrix)))
    }
    let moments = Moments(matrix.elements)
    return MatrixAnalysis(
      path: path, rows: matrix.rows, columns: matrix.columns, norm: moments.norm,
      singularValues: singularValues,
      stableRank: largest > 0 ? energy / (largest * largest) : 0,
      effectiveRank: effectiveRank(singularValues),
      breakEvenRank: LowRank.breakEvenRank(rows: matrix.rows, columns: matrix.columns),
      quantizationErrors: errors, kurtosis: moments.kurtosis,
      deadRows: deadRows(matrix, rootMeanSquare: moments.rootMeanSquare))
  }

  private func effectiveRank(_ singularValues: [Double]) -> Double {
    let sum = singularValues.reduce(0, +)
    guard sum > 0 else { return 0 }
    var entropy = 0.0
    for value in singularValues where value > 0 {
      entropy -= value / sum * log(value / sum)
    }
    return exp(entropy)
  }

  private func deadRows(_ matrix: Matrix, rootMeanSquare: Double) -> Int {
    (0..<matrix.rows).count { row in
      matrix.row(row).allSatisfy { Double(abs($0)) < 1e-3 * rootMeanSquare }
    }
  }
}

/// Moments of some elements, in double precision.
private struct Moments {
  var norm = 0.0
  var rootMeanSquare = 0.0
  var kurtosis = 0.0

  init(_ elements: [Float]) {
    guard !elements.isEmpty else { return }
    let count = Double(elements.count)
    var sum = 0.0
    var squares = 0.0
    for element in elements {
      sum += Double(element)
      squares += Double(element) * Double(element)
    }
    let mean = sum / count
    var second = 0.0
    var fourth = 0.0
    for element in elements {
      let square = (Double(element) - mean) * (Double(element) - mean)
      second += square
      fourth += square * square
    }
    norm = squares.squareRoot()
    rootMeanSquare = (squares / count).squareRoot()
    kurtosis = second > 0 ? count * fourth / (second * second) : 0
  }
}
