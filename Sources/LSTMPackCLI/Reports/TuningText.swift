import LSTMPackKit

/// What tuning did, in the report of a compression.
struct TuningText {
  let report: TuningReport

  /// The account for people.
  var text: String {
    var lines: [String] = []
    for chain in report.chains {
      let names = chain.layers.joined(separator: ", ")
      if let obstacle = chain.obstacle {
        lines.append("\(names) not tuned\(chain.updates > 0 ? " further" : ""): \(obstacle).")
      }
      if chain.updates > 0 {
        lines.append(
          "Tuned \(names): \(NumberText.count(chain.updates, "update")), "
            + (chain.loss.map(Self.words) ?? "")
            + (chain.copies.map { "; " + Self.words($0) } ?? "") + ".")
      }
    }
    let before = report.before
    if let after = report.after {
      lines.append(
        "Held-out \(before.metric): \(NumberText.significant(before.value)) before tuning, "
          + "\(NumberText.significant(after.value)) after it (\(NumberText.fixed(report.seconds, 0)) s)."
      )
      if let divergence = before.divergence, let now = after.divergence, divergence != before.value
      {
        lines.append(
          "Held-out divergence: \(NumberText.error(divergence)) before, \(NumberText.error(now)) after."
        )
      }
    }
    if report.after?.divergence == report.before.divergence {
      lines.append("No state that was judged is better, so the model before tuning is kept.")
    }
    if report.budget == .best {
      lines.append(
        "The last updates gained less than 1 % on held-out data, or none. --tune best gives the same file again, on any number "
          + "of threads.")
    } else if let updates = report.repeatableUpdates {
      lines.append("--tune \(updates) gives the same file again, on any number of threads.")
    }
    return lines.joined(separator: "\n")
  }

  private static func words(_ copies: DataCopies.Kind) -> String {
    switch copies {
    case .written: "the text is short, so also on text that the original writes"
    case .mixed: "the data are few, so also on mixtures of them"
    }
  }

  private static func words(_ loss: TuningReport.Loss) -> String {
    switch loss {
    case .outputs: "by the divergence of the outputs"
    case .sampledOutputs: "by the divergence of the outputs at some of the classes"
    case .curvature: "by the mean curvature of the outputs' divergence"
    case .hiddenStates: "by the squared error of the LSTM's own outputs"
    }
  }

  /// The account for programs.
  var json: JSONValue {
    var object: JSONObject = ["seconds": .number(report.seconds)]
    for (name, score) in [("before", Optional(report.before)), ("after", report.after)] {
      object[name] = score.map { score in
        var object: JSONObject = ["metric": .string(score.metric), "value": .number(score.value)]
        object["divergence"] = score.divergence.map { .number($0) }
        return .object(object)
      }
    }
    object["chains"] = .array(
      report.chains.map { chain in
        var object: JSONObject = [
          "layers": .array(chain.layers.map { .string($0) }), "updates": .integer(chain.updates),
        ]
        object["loss"] = chain.loss.map { .string($0.rawValue) }
        object["copies"] = chain.copies.map { .string($0.rawValue) }
        object["heldOut"] = .array(
          chain.divergences.map {
            ["updates": .integer($0.updates), "divergence": .number($0.divergence)]
          })
        object["reason"] = chain.obstacle.map { .string($0) }
        return .object(object)
      })
    return .object(object)
  }

  /// What the `.bvq` records.
  var record: JSONValue {
    ["updates": .array(report.chains.map { .integer($0.updates) })]
  }
}
