internal import Diagnostics
internal import LSTMCore

/// Labels in the form in which the outputs of a model are scored against them.
///
/// All that is decided is decided by what belongs to one sequence, never by the sizes of a batch: the
/// outputs come batch by batch, the labels of all sequences are there from the beginning.
struct ScoredLabels {
  /// What the outputs are taken for.
  let task: EvaluationReport.Task
  /// `[sequences, …]`: classes as whole numbers, or what the file had; `nil` without labels.
  let labels: Tensor?
  /// The scores of an output: classes, or values that stand side by side.
  let classes: Int
  /// Whether outputs that are yes or no are logits, not probabilities.
  let areLogits: Bool
  /// What a reader has to know about the choice of the task.
  let note: String?

  /// Decides what labels mean.
  ///
  /// - Parameters:
  ///   - labels: The labels of all sequences, `[sequences, …]`, if there are any.
  ///   - task: What the user says that the outputs are.
  ///   - sample: The outputs for some sequences, `[sequences, …, classes]`, or one value for each.
  ///   - sequences: How many sequences these are.
  ///   - endsInSoftmax: Whether a softmax was left out at the end of the model.
  /// - Throws: ``DiagnosticError`` when labels and outputs do not belong together.
  init(
    _ labels: Tensor?, task: EvaluationReport.Task?, sample: Tensor, sequences: Int,
    endsInSoftmax: Bool
  ) throws(DiagnosticError) {
    let values = sample.floats ?? []
    // A model may give one value for each sequence without an axis for it.
    let classes = sample.dims.count > 1 ? max(1, sample.dims.last ?? 1) : 1
    let rows = sample.count / max(1, sequences) / classes
    let isProbability = values.allSatisfy { (0...1).contains($0) }
    let isDistribution = endsInSoftmax || Score.areProbabilities(values, classes: classes)
    let own = labels.map { $0.count / max(1, $0.dims.first ?? 1) }

    let numbers = own == rows && classes > 1 ? labels?.asWholeNumbers : nil
    // Each output by itself, of a sigmoid: a row of labels may happen to hold a single one.
    let isOneEach = isProbability && !isDistribution && task != .classes
    let ones =
      own == rows * classes && !isOneEach && labels?.dims.last == classes
      ? labels?.placesOfOnes : nil
    let isYesOrNo = labels.map(Self.isYesOrNo) ?? true
    let hasOneEach = own == nil || own == rows * classes

    let found: EvaluationReport.Task
    if classes == 1 {
      found = isYesOrNo && isProbability ? .binary : .regression
    } else if labels == nil {
      found = isDistribution ? .classes : .regression
    } else if numbers != nil || ones != nil || !hasOneEach {
      found = .classes
    } else {
      found = isOneEach && isYesOrNo ? .binary : .regression
    }
    self.task = task ?? found
    self.classes = classes
    self.labels = self.task == .classes ? numbers ?? ones ?? labels : labels
    areLogits = self.task == .binary && !isProbability
    note =
      task == nil && found == .regression && labels != nil && isYesOrNo && !isProbability
      ? "the labels are 0 or 1 and the outputs are not probabilities, so they are scored as numbers; "
        + "give --task binary when the outputs are logits of yes"
      : nil
    if let labels {
      try check(labels, each: own ?? 0, rows: rows, isInClasses: numbers != nil || ones != nil)
    }
  }

  private static func isYesOrNo(_ labels: Tensor) -> Bool {
    labels.integers?.allSatisfy { $0 == 0 || $0 == 1 }
      ?? labels.floats?.allSatisfy { $0 == 0 || $0 == 1 } ?? true
  }

  /// Checks that each output has a label, and that it can be one.
  private func check(
    _ given: Tensor, each own: Int, rows: Int, isInClasses: Bool
  ) throws(DiagnosticError) {
    let problem: String?
    var hint: String?
    switch task {
    case .language: problem = "language models are evaluated on texts"
    case .binary, .regression:
      if own != rows * classes {
        problem = "expected \(Self.each(rows * classes)) \(outputText(rows)), found \(given.dims)"
      } else if task == .binary, !Self.isYesOrNo(given) {
        let values = given.floats ?? given.integers?.map { Float($0) } ?? []
        problem =
          "labels are 0 or 1, found \(values.first { $0 != 0 && $0 != 1 }.map { "\($0)" } ?? "?")"
      } else {
        problem = nil
      }
    case .classes:
      if classes == 1 {
        problem = "the model has a single score for each label, which tells no classes apart"
        hint = "give --task binary or --task regression"
      } else if !isInClasses, own == rows || own == rows * classes {
        problem =
          own == rows
          ? "labels are numbers of classes, found floating-point numbers"
          : "labels of classes have a one among zeros in each row of \(classes), found other values"
        hint = "give numbers of classes, or --task binary or --task regression"
      } else if !isInClasses {
        problem =
          "expected \(Self.each(rows)) \(outputText(rows)), "
          + "or a row of \(classes) with a one among zeros for each, found \(given.dims)"
      } else {
        problem = labels?.integers?.first { !(0..<classes).contains($0) }
          .map { "labels are from 0 to \(classes - 1), found \($0)" }
      }
    }
    guard let problem else { return }
    throw DiagnosticError(.badEvaluationData, object: "labels", problem, hint: hint)
  }

  private static func each(_ count: Int) -> String {
    count == 1 ? "a label for each sequence" : "\(count) labels for each sequence"
  }

  private func outputText(_ rows: Int) -> String {
    let scores = classes == 1 ? "" : " of \(classes) scores"
    return rows == 1
      ? "(the model has one output\(scores) for a sequence)"
      : "(the model has \(rows) outputs\(scores) for a sequence)"
  }
}
