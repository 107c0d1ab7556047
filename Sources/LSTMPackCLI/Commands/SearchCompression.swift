import LSTMPackKit
import Synchronization

/// How `search` compresses by the plan that it finds: as `compress` will do it.
final class SearchCompression: Sendable {
  private let model: Model
  private let data: CalibrationData?
  private let tune: TuningBudget?
  private let seed: UInt64
  private let threads: Int
  private let updates = Mutex<Int?>(nil)

  init(model: Model, data: CalibrationData?, tune: TuningBudget?, seed: UInt64, threads: Int) {
    self.model = model
    self.data = data
    self.tune = tune
    self.seed = seed
    self.threads = threads
  }

  /// The name for programs.
  var name: String { data == nil ? "weightsOnly" : tune == nil ? "calibrated" : "tuned" }

  /// What was done to the plan as a whole, for people.
  var phrase: String {
    data == nil ? "" : tune == nil ? ", calibrated as a whole" : ", calibrated and tuned"
  }

  /// What `--tune` takes to do the same again: updates where one chain of LSTMs was tuned.
  var tuneWords: String? {
    guard let tune else { return nil }
    return updates.withLock { $0 }.map { "\($0)" } ?? tune.words
  }

  /// `nil` where weights alone decide: then the table has the matrices as they are written.
  var finish: PlanFinish? {
    guard let data else { return nil }
    let calibrated: PlanFinish.Make = { [self] (plan) throws(DiagnosticError) in
      var model = self.model
      _ = try CalibratedCompressor(plan: plan, data: data, threads: threads).compress(&model)
      return model
    }
    guard let tune else { return PlanFinish(compress: calibrated) }
    return PlanFinish(
      compress: calibrated,
      tune: { [self] (plan) throws(DiagnosticError) in
        var model = try calibrated(plan)
        // A budget of time becomes a number of updates once, so that all plans have the same chance.
        let budget = updates.withLock { $0 }.map(TuningBudget.updates) ?? tune
        let report = try ModelTuner(data: data, budget: budget, seed: seed, threads: threads)
          .tune(&model, original: self.model)
        if let made = report.repeatableUpdates { updates.withLock { $0 = $0 ?? made } }
        return model
      })
  }
}
