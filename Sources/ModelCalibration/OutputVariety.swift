import Diagnostics
import LSTMCore
import LSTMRuntime
import ModelEvaluation

/// Whether a model does different things on some inputs.
struct OutputVariety {
  /// Why the inputs do not exercise the model; `nil` when they do.
  let obstacle: String?

  /// The share of decisions that have to differ from the most frequent one.
  private static let leastShare = 0.02
  /// The spread of outputs that are numbers, of their root mean square.
  private static let leastSpread = 0.05

  /// Runs a model.
  ///
  /// - Throws: `DiagnosticError` when it cannot be run on the data.
  init(of model: Model, on data: EvaluationData, threads: Int) throws(DiagnosticError) {
    do {
      let prepared = try DataModel(model, on: data, leavingOutSoftmax: true)
      let feed = try DataFeed(data, for: prepared)
      var session = DataSession(for: prepared, carriesState: feed.carriesState)
      var values: [Float] = []
      var classes = 1
      try feed.forEach { inputs, _ in
        let output = try prepared.run(inputs, session: &session, threads: threads)[0]
        values += output.floats ?? []
        classes = output.dims.count > 1 ? max(1, output.dims.last ?? 1) : 1
      }
      obstacle =
        prepared.prepared.leavesOutSoftmax && classes > 1
        ? Self.obstacle(
          toClasses: RowScores(classes: classes, threads: threads)
            .top(values, rows: values.count / classes))
        : classes == 1 && values.allSatisfy { (0...1).contains($0) }
          ? Self.obstacle(toClasses: values.map { $0 > 0.5 ? 1 : 0 })
          : Self.obstacle(toNumbers: values, columns: classes)
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }

  private static func obstacle(toClasses classes: [Int]) -> String? {
    var counts: [Int: Int] = [:]
    for label in classes { counts[label, default: 0] += 1 }
    let others = classes.count - (counts.values.max() ?? 0)
    guard Double(others) < leastShare * Double(classes.count) else { return nil }
    return "it decides the same \(classes.count - others) of \(classes.count) times"
  }

  private static func obstacle(toNumbers values: [Float], columns: Int) -> String? {
    let rows = values.count / columns
    var (spread, size) = (0.0, 0.0)
    for column in 0..<columns {
      var (sum, squares) = (0.0, 0.0)
      for row in 0..<rows {
        let value = Double(values[row * columns + column])
        sum += value
        squares += value * value
      }
      spread += squares - sum * sum / Double(max(1, rows))
      size += squares
    }
    guard !(spread >= leastSpread * leastSpread * size) || size == 0 else { return nil }
    return "its outputs hardly change"
  }
}
