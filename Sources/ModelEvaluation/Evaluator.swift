public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// Runs a model, or two side by side, over data and compares.
public struct Evaluator: Sendable {
  /// Called with the number of steps done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  /// What to compare with.
  public enum Reference: Sendable {
    /// Another model, run on the same data.
    case model(Model)
    /// What another run saved of it.
    case saved(SavedOutputs)
  }

  let candidate: Model
  let reference: Reference?
  let task: EvaluationReport.Task?
  let outputs: [String]?
  let cache: CachePointer.Settings?
  let threads: Int
  let kernels: KernelOptions
  let prefix: SharedPrefix?

  /// Creates an evaluator.
  ///
  /// - Parameters:
  ///   - candidate: The model that is judged.
  ///   - reference: What it is compared with, if anything.
  ///   - task: What the outputs mean; found out from data and model when `nil`.
  ///   - output: The output that is scored; the first one of the model when `nil`.
  ///   - cache: The cache with which a text is read a second time, if any.
  ///   - threads: How many threads may work.
  ///   - kernels: How products are computed, those of the reference, too.
  ///   - prefix: What candidates with the same graph share when they are evaluated on the same
  ///     sequences, if any.
  public init(
    candidate: Model, reference: Reference? = nil, task: EvaluationReport.Task? = nil,
    output: String? = nil, cache: CachePointer.Settings? = nil, threads: Int = 1,
    kernels: KernelOptions = KernelOptions(), prefix: SharedPrefix? = nil
  ) {
    self.prefix = prefix
    self.candidate = candidate
    self.reference = reference
    self.task = task
    outputs = output.map { [$0] }
    self.cache = cache
    self.threads = threads
    self.kernels = kernels
  }

  /// Evaluates.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - saving: Where to keep the candidate's outputs for later comparisons.
  ///   - progress: Called after each batch.
  /// - Returns: The report.
  /// - Throws: ``DiagnosticError`` for models that cannot be run, data that do not fit, or models
  ///   whose outputs differ in shape.
  public func evaluate(
    _ data: EvaluationData, saving: SavedOutputs.Recorder? = nil,
    progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> EvaluationReport {
    let data = try data.fitted(to: candidate).checked()
    do {
      switch data.content {
      case .text(let tokens, let streams):
        return try TextEvaluation(self, tokens: tokens, streams: streams)
          .run(data, saving: saving, progress: progress)
      case .sequences:
        guard cache == nil else {
          throw DiagnosticError(
            .badEvaluationData, "a cache is for texts, the data are sequences",
            hint: "give a text and --vocab, or leave out --cache-window")
        }
        return try SequenceEvaluation(self)
          .run(data, saving: saving, progress: progress)
      }
    } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
  }
}

/// A model on its way through the data.
struct EvaluationSubject {
  let model: DataModel
  var session: DataSession
  var report = EvaluationReport.Subject()

  init(
    _ model: Model, on data: EvaluationData, outputs: [String]?, carriesState: Bool,
    addingDecoderInput: Bool = false, kernels: KernelOptions, prefix: SharedPrefix? = nil
  ) throws {
    self.model = try DataModel(
      model, on: data, outputs: outputs, leavingOutSoftmax: true,
      addingDecoderInput: addingDecoderInput, kernels: kernels)
    session = DataSession(for: self.model, carriesState: carriesState, prefix: prefix)
    report.weightByteCount = self.model.prepared.weightByteCount
  }

  /// Runs a batch and counts its time.
  ///
  /// - Returns: What the model returns, at least one value.
  mutating func run(_ inputs: [String: Tensor], steps: Int, threads: Int) throws -> [Tensor] {
    let clock = ContinuousClock()
    var outputs: [Tensor] = []
    let time = try clock.measure {
      outputs = try model.run(inputs, session: &session, threads: threads)
    }
    report.seconds +=
      Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    report.steps += steps
    guard !outputs.isEmpty else {
      throw DiagnosticError(.badEvaluationData, "the model has no output")
    }
    return outputs
  }
}
