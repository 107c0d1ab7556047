internal import Diagnostics
internal import LSTMCore
internal import LSTMRuntime

/// Runs models over sequences and scores their outputs against labels and each other.
struct SequenceEvaluation {
  /// The sequences over which drift is measured.
  private static let driftSequences = 32

  private let evaluator: Evaluator

  init(_ evaluator: Evaluator) { self.evaluator = evaluator }

  func run(
    _ data: EvaluationData, saving: SavedOutputs.Recorder?, progress: Evaluator.Progress
  ) throws -> EvaluationReport {
    var candidate = try EvaluationSubject(
      evaluator.candidate, on: data, outputs: evaluator.outputs, carriesState: false,
      kernels: evaluator.kernels, prefix: evaluator.prefix)
    var base: EvaluationSubject?
    if case .model(let model)? = evaluator.reference {
      base = try EvaluationSubject(
        model, on: data, outputs: evaluator.outputs, carriesState: false,
        kernels: evaluator.kernels)
      guard base?.model.prepared.inputs.map(\.name) == candidate.model.prepared.inputs.map(\.name)
      else {
        throw DiagnosticError(
          .badEvaluationData,
          "the two models do not match: their inputs are "
            + [base?.model.prepared, candidate.model.prepared].compactMap { $0 }
            .map { $0.inputs.map(\.name).joined(separator: ", ") }.joined(separator: " and "))
      }
    }
    var saved: Tensor?
    if case .saved(let outputs)? = evaluator.reference {
      saved = try outputs.sequences(count: data.count)
    }
    var batches = try DataFeed(data, for: candidate.model)
    // Each model has a layout of its own.
    let others = try base.map {
      try DataFeed(data, for: $0.model, limit: batches.sequencesPerBatch)
    }
    if let others, others.sequencesPerBatch < batches.sequencesPerBatch {
      batches = try DataFeed(data, for: candidate.model, limit: others.sequencesPerBatch)
    }
    var scorer: SequenceScorer?
    var first = 0
    try batches.forEach { inputs, steps in
      let count = min(data.count - first, batches.sequencesPerBatch)
      let output = try batches.sequencesFirst(
        try candidate.run(inputs, steps: steps, threads: evaluator.threads)[0], count: count)
      saving?.add(output)
      var other = try saved?.sliced(
        starts: [first], ends: [first + count], axes: [0], steps: nil)
      if let others {
        let inputs = try others.part(first..<first + count)
        if let output = try base?.run(inputs, steps: steps, threads: evaluator.threads)[0] {
          other = try others.sequencesFirst(output, count: count)
        }
      }
      var current =
        try scorer
        ?? SequenceScorer(
          labels(data, sample: output, count: count, of: candidate.model.prepared),
          hasBase: other != nil, sequences: data.count, threads: evaluator.threads)
      try current.add(
        output, base: other, range: first..<first + count)
      scorer = current
      first += count
      progress(first, data.count)
    }
    guard let scorer else {
      throw DiagnosticError(.badEvaluationData, "there are no sequences")
    }
    var report = EvaluationReport(
      task: scorer.task, isSeeded: data.isSeeded, sequences: data.count, items: scorer.items,
      candidate: candidate.report, reference: base?.report)
    report.notes = data.notes + batches.changes
    report.candidate.metrics = scorer.candidateMetrics
    if saved != nil { report.reference = EvaluationReport.Subject() }
    report.reference?.metrics = scorer.baseMetrics
    report.similarity = scorer.similarity
    report.dropErrors = scorer.dropErrors
    report.notes += [scorer.note].compactMap { $0 }
    if case .model(let model)? = evaluator.reference {
      report.drift = try DriftMeasurement(
        base: model, other: evaluator.candidate, data: data, outputs: evaluator.outputs,
        threads: evaluator.threads
      ).measure(
        try [others ?? batches, batches].map {
          try $0.first(sequences: min(Self.driftSequences, batches.sequencesPerBatch), steps: .max)
        },
        sequences: min(Self.driftSequences, batches.sequencesPerBatch, data.count))
    }
    return report
  }

  /// What the labels mean, as the outputs for the first sequences tell.
  private func labels(
    _ data: EvaluationData, sample: Tensor, count: Int, of model: PreparedModel
  ) throws(DiagnosticError) -> ScoredLabels {
    try ScoredLabels(
      data.labels, task: evaluator.task, sample: sample, sequences: count,
      endsInSoftmax: model.leavesOutSoftmax)
  }
}
