import LSTMCore

/// The crude rounding of `../shared/models/eval/crude_baseline.py`, one scale for each output row,
/// in double precision: squared errors of whole matrices.
enum CrudeRounding {
  /// The error of the method that belongs to a quantizer's name; `nil` when there is none.
  static func error(_ name: String, _ matrix: Matrix) -> Double? {
    let row: ([Double]) -> Double
    switch name {
    case "1": row = binary
    case "ternary", "ternary2": row = ternary
    case "2", "3", "4", "8": row = { uniform($0, bits: Int(name) ?? 0) }
    default: return nil
    }
    return (0..<matrix.rows).reduce(0) { $0 + row(matrix.row($1).map(Double.init)) }
  }

  private static func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(max(values.count, 1))
  }

  private static func sign(_ value: Double) -> Double { value > 0 ? 1 : value < 0 ? -1 : 0 }

  private static func error(_ a: [Double], _ b: [Double]) -> Double {
    zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  }

  private static func binary(_ w: [Double]) -> Double {
    let scale = mean(w.map(\.magnitude))
    return error(w, w.map { sign($0) * scale })
  }

  private static func ternary(_ w: [Double]) -> Double {
    let threshold = 0.7 * mean(w.map(\.magnitude))
    let kept = w.map(\.magnitude).filter { $0 > threshold }
    let scale = mean(kept)
    return error(w, w.map { $0.magnitude > threshold ? sign($0) * scale : 0 })
  }

  private static func uniform(_ w: [Double], bits: Int) -> Double {
    let half = Double(1 << (bits - 1))
    let full = (w.map(\.magnitude).max() ?? 0) / (half - 0.5)
    return (0..<15).map { k in
      let step = full > 0 ? full * (0.3 + 0.7 * Double(k) / 14) : 1
      return error(
        w, w.map { (min(max(($0 / step).rounded(.down), -half), half - 1) + 0.5) * step })
    }.min() ?? 0
  }
}
