import LSTMPackKit

/// What `search` says.
struct SearchText {
  let result: SearchResult
  let table: TreatmentTable
  let goal: SearchGoal
  let source: ByteSource
  let planPath: String
  /// How the model was read, for the next command.
  let modelWords: [String]
  /// What scored the models.
  let data: String
  /// How the plan was compressed.
  let compression: SearchCompression
  /// The options with which `compress` does it again, for the plan.
  let planOptions: [String]
  /// The outputs that plans are scored on, when there are few of them.
  let fewItems: Int?
  /// What a reader has to know of the data.
  let notes: [String]

  /// The plan of a point.
  func plan(_ point: SearchPoint) -> CompressionPlan {
    var plan = table.plan(
      point.choices, unexercised: result.unexercised, reason: PlanSearch.reasonToKeep)
    plan.options = planOptions
    return plan
  }

  private var metric: String { result.original.metric }

  private var changes: ChangeText { ChangeText(result.original) }

  /// A change that is allowed.
  private func allowed(_ share: Double) -> String {
    changes.isShare ? NumberText.percent(share, digits: 2) : NumberText.error(share)
  }

  private var goalText: String {
    switch goal {
    case .byteCount(let count): "at most \(NumberText.bytes(count))"
    case .drop(let share): "\(metric) worse by at most \(allowed(share))"
    }
  }

  /// What is thrown when no plan reaches the goal.
  var failure: DiagnosticError {
    let smallest = result.frontier.last.map { NumberText.bytes($0.byteCount) }
    return DiagnosticError(
      .goalNotReached, "no plan that was tried reaches the goal: \(goalText)",
      hint: smallest.map { "the smallest plan has \($0); give a larger budget" })
  }

  /// The report for people.
  var text: String {
    var parts = [
      """
      Scored by \(data): \(metric) of the original is \
      \(NumberText.significant(result.original.value)), its LSTM matrices have \
      \(NumberText.bytes(table.byteCount)). \(result.evaluations) scores.

      The best plans found\(table.isCalibrated ? ", each matrix calibrated as if it were alone" : ""):

      \(frontierTable)
      """,
      pickText,
    ]
    for failure in result.failures.prefix(5) {
      parts.append("No score: \(failure.candidate): \(failure.reason)")
    }
    if result.failures.count > 5 {
      parts.append("No score for \(result.failures.count - 5) more candidates.")
    }
    if !result.unexercised.isEmpty {
      let names = table.rows.map(\.path).filter(result.unexercised.contains).map(\.description)
      parts.append(
        "Not exercised: whatever is done to \(names.joined(separator: ", ")), no output changes in any "
          + "bit on these inputs. That says nothing of their worth; plans keep them.")
    }
    if let fewItems { parts.append(FewOutputsText.warning(fewItems)) }
    parts += notes.map { "Note: \($0)." }
    if let best = result.best { parts.append(bestText(best)) }
    return parts.joined(separator: "\n\n")
  }

  private var frontierTable: String {
    var table = TextTable([
      ("size", .right), ("ratio", .right), (metric, .right), ("worse by", .right), ("plan", .note),
    ])
    for point in result.frontier {
      table.add([
        NumberText.bytes(point.byteCount),
        NumberText.ratio(self.table.byteCount, point.byteCount),
        NumberText.significant(point.score.value),
        changes.full(point.change, error: point.score.changeError),
        point.uniform.map(\.phrase) ?? "mixed",
      ])
    }
    return table.text
  }

  private var pickText: String {
    result.picks.map { pick in
      let name = pick.name.prefix(1).uppercased() + pick.name.dropFirst()
      guard let point = pick.point else {
        return "\(name): no plan stays within \(allowed(pick.allowedChange))."
      }
      return "\(name) (at most \(allowed(pick.allowedChange)) worse): "
        + "\(NumberText.bytes(point.byteCount)), "
        + "\(NumberText.ratio(table.byteCount, point.byteCount)), "
        + "\(metric) \(NumberText.significant(point.score.value)), "
        + "\(point.uniform.map { "\($0.phrase) everywhere" } ?? "mixed")."
    }.joined(separator: "\n")
  }

  private func bestText(_ best: SearchPoint) -> String {
    var text =
      "Found for \(goalText)\(compression.phrase): \(NumberText.bytes(best.byteCount)) "
      + "(\(NumberText.ratio(table.byteCount, best.byteCount))), "
      + "\(metric) \(NumberText.significant(best.score.value)), "
      + changes.sentence(best.change, error: best.score.changeError)
    if let uniform = result.uniform, best.uniform == nil {
      text +=
        "; \(uniform.uniform?.phrase ?? "one treatment") everywhere: "
        + "\(NumberText.bytes(uniform.byteCount)), "
        + changes.sentence(uniform.change, error: uniform.score.changeError)
    }
    text += ".\n\n\(planTable(best))\n\nWritten: \(planPath)\n"
    let words =
      ["lstmpack", "compress", shellWord(source.path ?? "-"), "--plan", shellWord(planPath)]
      + modelWords
    return text + "Next: \(words.joined(separator: " "))"
  }

  private func planTable(_ best: SearchPoint) -> String {
    var table = TextTable([("matrix", .left)] + Gate.allCases.map { ($0.description, .left) })
    var lines: [(name: String, cells: [Gate: String])] = []
    for (row, choice) in zip(self.table.rows, best.choices) {
      let path = row.path
      guard let gate = path.gate else { continue }
      let name = MatrixPath(layer: path.layer, role: path.role, direction: path.direction)
        .description
      let phrase = choice.map { row.cells[$0].treatment.phrase } ?? "as it is"
      if lines.last?.name == name {
        lines[lines.count - 1].cells[gate] = phrase
      } else {
        lines.append((name, [gate: phrase]))
      }
    }
    for line in lines { table.add([line.name] + Gate.allCases.map { line.cells[$0] ?? "-" }) }
    return table.text
  }

  /// The report for programs.
  var json: JSONValue {
    func object(_ point: SearchPoint) -> JSONValue {
      var object: JSONObject = [
        "byteCount": .integer(point.byteCount),
        "ratio": .number(Double(table.byteCount) / Double(max(1, point.byteCount))),
        "value": .number(point.score.value),
        "change": point.change.isFinite ? .number(point.change) : .null,
        "changeError": point.score.changeError.map { .number($0) } ?? .null,
      ]
      object["uniform"] = point.uniform.map { .string($0.phrase) }
      object["plan"] = plan(point).json
      return .object(object)
    }
    return [
      "schema": 1, "command": "search", "file": .string(source.name), "data": .string(data),
      "goal": .string(goalText), "metric": .string(metric),
      "higherIsBetter": .bool(result.original.higherIsBetter),
      "original": .number(result.original.value), "lstmByteCount": .integer(table.byteCount),
      "compression": .string(compression.name),
      "evaluations": .integer(result.evaluations), "best": result.best.map(object) ?? .null,
      "uniform": result.uniform.map(object) ?? .null,
      "frontier": .array(result.frontier.map(object)),
      "picks": .array(
        result.picks.map {
          [
            "name": .string($0.name), "allowedChange": .number($0.allowedChange),
            "point": $0.point.map(object) ?? .null,
          ]
        }),
      "notExercised": .array(
        table.rows.map(\.path).filter(result.unexercised.contains)
          .map { .string($0.description) }),
      "fewOutputs": .bool(fewItems != nil), "notes": .array(notes.map { .string($0) }),
      "failures": .array(
        result.failures.map {
          ["candidate": .string($0.candidate), "reason": .string($0.reason)]
        }),
    ]
  }
}

extension DiagnosticError.Code {
  /// No plan reaches the budget or the allowed drop.
  static let goalNotReached = Self("cli.goalNotReached", .failure)
}
