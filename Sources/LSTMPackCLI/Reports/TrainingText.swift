import Foundation
import LSTMPackKit

/// What `train` says while it works.
struct TrainingText {
  let trainer: LSTMTrainer
  let isText: Bool
  private let start = ContinuousClock.now

  init(trainer: LSTMTrainer, isText: Bool) {
    self.trainer = trainer
    self.isText = isText
  }

  /// The network, in a line.
  var beginning: String {
    let shape = trainer.settings.shape
    let input =
      switch shape.input {
      case .tokens(let count, let size): "\(count) tokens, embedding \(size)"
      case .numbers(let count): "\(count) numbers a step"
      }
    let layers = shape.units.map(String.init).joined(separator: " and ")
    let gates = trainer.settings.gates
    var kind = gates.kind.rawValue
    if gates.kind == .gumbel { kind += " (\(gates.temperature), \(gates.noiseProbability))" }
    if gates.kind == .sharpened { kind += " (\(gates.temperature))" }
    return "\(input), LSTM \(layers), \(shape.outputs) outputs, \(kind) gates: "
      + "\(trainer.parameterCount) parameters, \(trainer.settings.threads) threads"
  }

  /// An epoch, in a line.
  func epoch(_ record: EpochRecord) -> String {
    let total = trainer.settings.schedule.epochs
    var parts = [
      "epoch \(record.epoch)/\(total)", "rate \(NumberText.significant(record.learningRate))",
      isText
        ? "perplexity \(loss(record.trainingLoss)), validation \(loss(record.validationLoss))"
        : "loss \(loss(record.trainingLoss)), validation \(loss(record.validationLoss))",
    ]
    if !isText, let accuracy = record.validationAccuracy {
      parts.append("accuracy \(NumberText.percent(accuracy))")
    }
    parts += [rate(record.rowsPerSecond), Self.time(record.seconds)]
    if record.isBest { parts.append("best") }
    if record.isAveraged { parts.append("averaged") }
    if !trainer.progress.isFinished {
      parts.append("left \(Self.time(Double(total - record.epoch) * record.seconds))")
    }
    return parts.joined(separator: "  ")
  }

  /// The running epoch, in a line.
  func segment(_ done: Int, of total: Int) -> String {
    let seconds = max(1e-3, trainer.secondsOfEpoch)
    let left = seconds * Double(total - done) / Double(max(1, done))
    return "epoch \(trainer.progress.epochs.count + 1)  \(done * 100 / max(1, total)) %  "
      + "\(isText ? "perplexity" : "loss") \(loss(trainer.runningLoss))  \(rate(trainer.rowsPerSecond))  "
      + "left \(Self.time(left))"
  }

  /// A loss as people read it: for a text its perplexity.
  private func loss(_ loss: Double) -> String {
    isText ? NumberText.fixed(exp(loss), 2) : NumberText.significant(loss)
  }

  private func rate(_ rows: Double) -> String {
    "\(Int(rows)) \(isText ? "tokens" : "labels")/s"
  }

  /// Seconds as people say them: `45 s`, `3 min 20 s`, `1 h 5 min`.
  static func time(_ seconds: Double) -> String {
    let whole = Int(min(max(seconds, 0), 1e9).rounded())
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }
}

/// The losses of each epoch, as a file.
struct TrainingLog {
  let epochs: [EpochRecord]
  let isJSON: Bool
  let isText: Bool

  var text: String {
    if isJSON {
      return epochs.map { Self.json($0, isText: isText).serialized() + "\n" }.joined()
    }
    let header = [
      "epoch", "learning_rate", "training_loss", "training_perplexity", "validation_loss",
      "validation_perplexity", "validation_accuracy", "best", "averaged", "rows_per_second",
      "seconds",
    ]
    let lines = epochs.map { record in
      [
        "\(record.epoch)", "\(record.learningRate)", "\(record.trainingLoss)",
        isText ? "\(exp(record.trainingLoss))" : "", "\(record.validationLoss)",
        isText ? "\(exp(record.validationLoss))" : "",
        record.validationAccuracy.map { "\($0)" } ?? "", record.isBest ? "1" : "0",
        record.isAveraged ? "1" : "0", NumberText.fixed(record.rowsPerSecond, 1),
        NumberText.fixed(record.seconds, 2),
      ].joined(separator: ",")
    }
    return ([header.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
  }

  /// An epoch as an object.
  static func json(_ record: EpochRecord, isText: Bool) -> JSONValue {
    var object: JSONObject = [
      "epoch": .integer(record.epoch), "learningRate": .number(record.learningRate),
      "trainingLoss": .number(record.trainingLoss),
      "validationLoss": .number(record.validationLoss),
    ]
    if isText {
      object["trainingPerplexity"] = .number(exp(record.trainingLoss))
      object["validationPerplexity"] = .number(exp(record.validationLoss))
    }
    object["validationAccuracy"] = record.validationAccuracy.map { .number($0) }
    object["isBest"] = .bool(record.isBest)
    object["isAveraged"] = .bool(record.isAveraged)
    object["rowsPerSecond"] = .number(record.rowsPerSecond)
    object["seconds"] = .number(record.seconds)
    return .object(object)
  }
}

/// What `train` reports at the end.
struct TrainingReport {
  let trainer: LSTMTrainer
  let data: LoadedTrainingData
  let files: TrainingFiles
  let test: TrainingTest?
  let byteCount: Int

  var text: String {
    var lines: [String] = []
    if let best = trainer.progress.best {
      lines.append(
        "Best epoch \(best.epoch) of \(trainer.progress.epochs.count): validation "
          + score(best.validationLoss, best.validationAccuracy))
    }
    if let test {
      let others = test.others.map { ", with \($0.gates.rawValue) gates " + score($0.loss, nil) }
      lines.append("Test: " + score(test.loss, test.accuracy) + others.joined())
    }
    lines.append("Wrote \(files.out): \(NumberText.bytes(byteCount))")
    if data.vocabulary != nil { lines.append("Wrote \(files.vocabulary)") }
    lines.append("Saved the run in \(files.checkpoint)")
    return lines.joined(separator: "\n")
  }

  private func score(_ loss: Double, _ accuracy: Double?) -> String {
    data.isText
      ? "perplexity \(NumberText.fixed(exp(loss), 3))"
      : "loss \(NumberText.significant(loss))"
        + (accuracy.map { ", accuracy \(NumberText.percent($0))" } ?? "")
  }

  var json: JSONValue {
    var report: JSONObject = [
      "schema": 1, "output": .string(files.out), "byteCount": .integer(byteCount),
      "checkpoint": .string(files.checkpoint),
      "parameters": .integer(trainer.parameterCount),
      "epochs": .array(
        trainer.progress.epochs.map { TrainingLog.json($0, isText: data.isText) }),
    ]
    if data.vocabulary != nil { report["vocabulary"] = .string(files.vocabulary) }
    report["bestEpoch"] = trainer.progress.best.map { .integer($0.epoch) }
    if let test {
      report["testLoss"] = .number(test.loss)
      if data.isText { report["testPerplexity"] = .number(exp(test.loss)) }
      report["testAccuracy"] = test.accuracy.map { .number($0) }
      var others = JSONObject()
      for other in test.others { others[other.gates.rawValue] = .number(other.loss) }
      if !test.others.isEmpty { report["testLossWithOtherGates"] = .object(others) }
    }
    return .object(report)
  }
}
