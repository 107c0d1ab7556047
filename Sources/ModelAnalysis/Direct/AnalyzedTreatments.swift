public import LSTMCore
import MatrixCompression
public import ModelCompression

/// The treatments whose effect on a running model is measured.
public enum AnalyzedTreatments {
  /// How many ranks are tried for a matrix: powers of two below its break-even rank.
  private static let rankCount = 2

  /// Those of `analyze`: each bit width, then the largest ranks that save something.
  public static func forAnalysis(_ matrix: Matrix) -> [Treatment] {
    Quantizers.analyzed.map { .quantize($0, groupSize: nil) } + ranks(matrix).map { .rank($0) }
  }

  /// Those of `search`: each bit width, and factors of 4 bits.
  public static func forSearch(_ matrix: Matrix) -> [Treatment] {
    Quantizers.analyzed.map { .quantize($0, groupSize: nil) }
      + ranks(matrix).map { .steps([.rank($0), .quantize("4", groupSize: nil)]) }
  }

  private static func ranks(_ matrix: Matrix) -> [Int] {
    let breakEven = LowRank.breakEvenRank(rows: matrix.rows, columns: matrix.columns)
    return (0..<20).map { 1 << $0 }.filter { $0 < breakEven }.suffix(rankCount).reversed()
  }
}
