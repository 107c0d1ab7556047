import LSTMPackKit

/// What reports say of figures from very few outputs.
enum FewOutputsText {
  /// The warning.
  ///
  /// - Parameter count: The outputs that were scored, fewer than `EvaluationReport.fewItems`.
  /// - Returns: A paragraph.
  static func warning(_ count: Int) -> String {
    "Warning: only \(NumberText.count(count, "output")) \(count == 1 ? "was" : "were") scored; figures "
      + "of fewer than \(EvaluationReport.fewItems) are hardly more than a guess. Give more data."
  }
}
