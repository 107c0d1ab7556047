import LSTMPackKit

/// What calibration did, in the report of a compression.
struct CalibrationText {
  let report: CalibrationReport

  /// The account for people.
  var text: String {
    var lines = ["Calibrated on \(report.data.description) (\(amount))."]
    var table = TextTable([
      ("divergence by layer", .left), ("weights only", .right), ("symmetric", .right),
      ("asymmetric", .right), ("taken", .left),
    ])
    for layer in report.layers where layer.obstacle == nil {
      table.add(
        [layer.name]
          + [CalibrationReport.Choice.weightsOnly, .symmetric, .asymmetric].map { choice in
            layer.divergences[choice].map(NumberText.error) ?? "-"
          } + [Self.words(layer.chosen)])
    }
    if !table.isEmpty { lines.append(table.text) }
    for layer in report.layers {
      if let obstacle = layer.obstacle {
        lines.append("\(layer.name) is not calibrated: \(obstacle).")
      }
    }
    if let scores { lines.append(scores) }
    if report.isWorse {
      lines.append(
        "Calibration is dropped: all layers together are nearer to the original with weights alone."
      )
    }
    if report.items < EvaluationReport.fewItems {
      lines.append(FewOutputsText.warning(report.items))
    }
    for note in report.data.fitted.notes { lines.append("Note: \(note).") }
    return lines.joined(separator: "\n")
  }

  private var amount: String {
    NumberText.count(report.data.fitted.steps, "step") + ", judged by "
      + NumberText.count(report.items, "output")
      + (report.data.isJudgedOnItself ? ", not held out" : " held out")
  }

  private var scores: String? {
    guard let original = report.original, let before = report.weightsOnly,
      let after = report.calibrated
    else { return nil }
    let values = [original, before, after].map { NumberText.significant($0.value) }
    return (report.data.isJudgedOnItself ? "The same data's" : "Held-out")
      + " \(original.metric): original \(values[0]), weights only \(values[1]), "
      + "calibrated \(values[2])."
  }

  private static func words(_ choice: CalibrationReport.Choice) -> String {
    choice == .weightsOnly ? "weights only" : choice.rawValue
  }

  /// What the `.bvq` records: what the codes were chosen on, and what each layer took.
  var record: JSONValue {
    [
      "data": .string(report.data.description), "steps": .integer(report.data.fitted.steps),
      "taken": .array(report.layers.map { .string($0.chosen.rawValue) }),
    ]
  }

  /// The account for programs.
  var json: JSONValue {
    var object: JSONObject = [
      "data": .string(report.data.description), "steps": .integer(report.data.fitted.steps),
      "outputs": .integer(report.items), "heldOut": .bool(!report.data.isJudgedOnItself),
      "dropped": .bool(report.isWorse),
    ]
    for (name, score) in [
      ("original", report.original), ("weightsOnly", report.weightsOnly),
      ("calibrated", report.calibrated),
    ] {
      object[name] = score.map { score in
        var object: JSONObject = ["metric": .string(score.metric), "value": .number(score.value)]
        object["divergence"] = score.divergence.map { .number($0) }
        return .object(object)
      }
    }
    object["layers"] = .array(
      report.layers.map { layer in
        var object: JSONObject = [
          "layer": .string(layer.name), "chosen": .string(layer.chosen.rawValue),
        ]
        for choice in [CalibrationReport.Choice.weightsOnly, .symmetric, .asymmetric] {
          object[choice.rawValue] = layer.divergences[choice].map { .number($0) }
        }
        object["reason"] = layer.obstacle.map { .string($0) }
        return .object(object)
      })
    return .object(object)
  }
}
