import LSTMPackKit

/// What `eval` says.
struct EvaluationText {
  let report: EvaluationReport
  let name: String
  let referenceName: String?
  let dataName: String?
  /// What inputs without data are.
  let syntheticInputs: String?
  let seed: UInt64
  let activations: Activations

  private var dataText: String {
    syntheticInputs.map { "\($0); give --data to measure quality" } ?? dataName ?? "?"
  }

  /// The report for people.
  var text: String {
    var parts = [
      "data: \(dataText): \(NumberText.count(report.sequences, "sequence")), "
        + "\(NumberText.count(report.items, "output")) scored as "
        + report.task.rawValue
    ]
    if let cache = report.cache {
      parts[0] +=
        "\ncache: window \(cache.window), theta \(NumberText.significant(cache.theta)), lambda "
        + NumberText.significant(cache.lambda)
    }
    parts.append(modelTable)
    if !report.similarity.isEmpty { parts.append(similarityTable) }
    if !report.drift.isEmpty {
      parts.append(
        "Relative error of h, c and outputs after so many steps"
          + (report.isSeeded ? ", on synthetic inputs" : "") + ":\n\n" + driftTable)
    }
    if report.items < EvaluationReport.fewItems {
      parts.append(FewOutputsText.warning(report.items))
    }
    parts += report.notes.map { "Note: \($0)." }
    return parts.joined(separator: "\n\n")
  }

  private static func value(_ value: MeanAndError) -> String {
    let error =
      value.standardError.isFinite ? " ± \(NumberText.error(value.standardError))" : ""
    return NumberText.significant(value.value) + error
  }

  private var modelTable: String {
    var table = TextTable(
      [("", .left), (name, .right)]
        + (report.reference == nil ? [] : [(referenceName ?? "reference", .right)])
        + (report.reference == nil ? [] : [("worse by", .right)]))
    let subjects = [report.candidate] + (report.reference.map { [$0] } ?? [])
    for (index, metric) in report.candidate.metrics.enumerated() {
      var cells = [metric.name]
      for subject in subjects {
        cells.append(
          subject.metrics.indices.contains(index) ? Self.value(subject.metrics[index].value) : "-")
      }
      if report.reference != nil {
        cells.append(
          report.drop(inMetric: metric.name).map {
            ChangeText.shares.full($0, error: report.dropErrors[metric.name])
          } ?? "-")
      }
      table.add(cells)
    }
    func add(_ title: String, _ value: (EvaluationReport.Subject) -> String) {
      let filler = report.reference == nil ? [] : [""]
      table.add([title] + subjects.map(value) + filler)
    }
    add("weights") { $0.weightByteCount == 0 ? "-" : NumberText.bytes($0.weightByteCount) }
    add("steps/s, \(activations.rawValue)") {
      $0.seconds == 0 ? "-" : NumberText.fixed($0.stepsPerSecond, 0)
    }
    if subjects.contains(where: { $0.streamed != nil }) {
      add("streamed step, \(Activations.int8.rawValue)") {
        $0.streamed.map { NumberText.significant($0.secondsPerStep * 1e6) + " µs" } ?? "-"
      }
    }
    return table.text
  }

  private var similarityTable: String {
    var table = TextTable([("between the two", .left), ("", .right)])
    for metric in report.similarity { table.add([metric.name, Self.value(metric.value)]) }
    return table.text
  }

  private var driftTable: String {
    let steps = Drift.steps.filter { step in
      report.drift.contains { $0.relativeErrors.contains { $0.step == step } }
    }
    var table = TextTable(
      [("layer", .left), ("", .left)] + steps.map { ("\($0)", .right) })
    for drift in report.drift {
      table.add(
        [drift.name, drift.quantity]
          + steps.map { step in
            drift.relativeErrors.first { $0.step == step }.map { NumberText.error($0.value) } ?? "-"
          })
    }
    return table.text
  }

  /// The report for programs.
  var json: JSONValue {
    var object: JSONObject = [
      "schema": 1, "command": "eval", "file": .string(name),
    ]
    object["reference"] = referenceName.map { .string($0) }
    object["data"] = report.isSeeded ? ["seed": .integer(Int(seed))] : .string(dataName ?? "")
    object["madeUpInputs"] = .bool(report.isSeeded)
    object["task"] = .string(report.task.rawValue)
    object["sequences"] = .integer(report.sequences)
    object["items"] = .integer(report.items)
    object["cache"] = report.cache.map {
      [
        "window": .integer($0.window), "theta": Self.number($0.theta),
        "lambda": Self.number($0.lambda),
      ]
    }
    object["activations"] = .string(activations.rawValue)
    object["model"] = Self.json(report.candidate)
    object["referenceModel"] = report.reference.map(Self.json)
    object["similarity"] = .array(report.similarity.map(Self.json))
    object["drops"] = .object(
      report.candidate.metrics.reduce(into: JSONObject()) { drops, metric in
        drops[metric.name] = report.drop(inMetric: metric.name).map(Self.number)
      })
    object["dropErrors"] = .object(
      report.candidate.metrics.reduce(into: JSONObject()) { errors, metric in
        errors[metric.name] = report.dropErrors[metric.name].map(Self.number)
      })
    object["fewOutputs"] = .bool(report.items < EvaluationReport.fewItems)
    object["drift"] = .array(
      report.drift.map { drift in
        [
          "layer": .string(drift.name), "quantity": .string(drift.quantity),
          "relativeErrors": .array(
            drift.relativeErrors.map {
              ["step": .integer($0.step), "value": Self.number($0.value)]
            }),
        ]
      })
    object["notes"] = .array(report.notes.map { .string($0) })
    return .object(object)
  }

  private static func json(_ subject: EvaluationReport.Subject) -> JSONValue {
    var object: JSONObject = [
      "metrics": .array(subject.metrics.map(json)),
      "weightBytes": .integer(subject.weightByteCount), "steps": .integer(subject.steps),
      "seconds": number(subject.seconds), "stepsPerSecond": number(subject.stepsPerSecond),
      "streamedStep": subject.streamed.map {
        [
          "activations": .string(Activations.int8.rawValue), "threads": 1,
          "medianSecondsPerStep": number($0.secondsPerStep),
        ]
      } ?? .null,
    ]
    if let obstacle = subject.streamingObstacle {
      object["streamedStepReason"] = .string(obstacle.description)
    }
    return .object(object)
  }

  private static func json(_ metric: EvaluationReport.Metric) -> JSONValue {
    [
      "name": .string(metric.name), "value": number(metric.value.value),
      "standardError": number(metric.value.standardError),
      "higherIsBetter": .bool(metric.higherIsBetter),
    ]
  }

  /// JSON has no infinity and no "not a number".
  private static func number(_ value: Double) -> JSONValue {
    value.isFinite ? .number(value) : .null
  }
}
