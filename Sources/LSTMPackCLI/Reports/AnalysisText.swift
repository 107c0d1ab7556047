import LSTMPackKit

/// What `analyze` says of a model.
struct AnalysisText {
  let analyses: [MatrixAnalysis]
  /// What running the model told, if it was run.
  let data: DataText?
  let model: Model
  let source: ByteSource
  /// How the model was read, for the next command.
  let modelWords: [String]
  /// The options with which compression is calibrated as this analysis was.
  let calibrationWords: [String]
  /// The options of the suggested plan.
  let planOptions: [String]
  /// The options with which a search scores models as this analysis did; `nil` when it cannot.
  let searchWords: [String]?

  /// The ranks at which the kept energy is shown: powers of two below the largest matrix size.
  private var ranks: [Int] {
    let largest = analyses.map { $0.singularValues.count }.max() ?? 0
    return [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].filter { $0 < largest }
  }

  private var verdict: Verdict {
    Verdict(analyses, data: data?.analysis, canSearch: searchWords != nil)
  }

  /// A plan under which the model is expected to stay as good: measured, or without a measurement
  /// the fewest bits of each matrix with a small error of its weights.
  var suggestedPlan: CompressionPlan {
    var plan = data?.analysis.suggestion?.plan ?? Verdict.plan(analyses)
    plan.options = planOptions
    return plan
  }

  /// The next command, which applies the suggested plan when it is in a file.
  private func nextCommand(planFile: String?) -> String {
    var words = ["lstmpack"]
    let name = shellWord(source.path ?? "-")
    if let planFile {
      words += ["compress", name, "--plan", shellWord(planFile)] + modelWords
    } else {
      let command = verdict.nextCommand
      words += [command[0], name] + command.dropFirst() + modelWords
      words += command[0] == "search" ? searchWords ?? [] : calibrationWords
    }
    return words.joined(separator: " ")
  }

  /// The report for people.
  ///
  /// - Parameter planFile: The file that has the suggested plan, if it was written.
  /// - Returns: Lines of text.
  func text(planFile: String?) -> String {
    """
    Singular values: stable rank = ‖W‖²/σ₁², effective rank = exp(entropy of σ); energy = share of \
    Σσ² that a rank keeps.

    \(spectrumTable.text)

    Relative error ‖W − Ŵ‖/‖W‖ with a scale or codebook for each row, at each bit width:

    \(errorTable.text)
    \(data.map { "\n\($0.text)\n" } ?? "")
    \(leftText)\(verdict.sentences.joined(separator: "\n"))
    Next: \(nextCommand(planFile: planFile))
    """
  }

  /// What is never compressed, in a line.
  private var leftText: String {
    let left = model.untouchedLayers
    guard !left.isEmpty else { return "" }
    let bytes = left.reduce(0) { $0 + $1.byteCount }
    return "Left as they are: \(left.count) other layers with \(NumberText.bytes(bytes)) "
      + "(`lstmpack inspect` has the reasons).\n"
  }

  private var spectrumTable: TextTable {
    // Ten columns of energy would not fit a terminal; JSON and CSV have them all.
    let shown = ranks.filter { [4, 16, 64, 256].contains($0) }
    var table = TextTable(
      [
        ("matrix", .left), ("shape", .right), ("σ₁", .right), ("stable", .right),
        ("effective", .right), ("break-even", .right),
      ] + shown.map { ("energy@\($0)", .right) }
        + [("rank@90%", .right), ("rank@99%", .right)])
    for analysis in analyses {
      table.add(
        [
          analysis.path.description, "\(analysis.rows)×\(analysis.columns)",
          NumberText.error(analysis.singularValues.first ?? 0),
          NumberText.fixed(analysis.stableRank, 1), NumberText.fixed(analysis.effectiveRank, 1),
          "\(analysis.breakEvenRank)",
        ]
          + shown.map {
            $0 < analysis.singularValues.count
              ? NumberText.percent(analysis.energy(atRank: $0)) : "-"
          }
          + ["\(analysis.rank(keepingEnergy: 0.9))", "\(analysis.rank(keepingEnergy: 0.99))"])
    }
    return table
  }

  private var errorTable: TextTable {
    let names = analyses.first?.quantizationErrors.map(\.quantizer) ?? []
    var table = TextTable(
      [("matrix", .left)] + names.map { (Quantizers.phrase($0), .right) }
        + [("kurtosis", .right), ("dead rows", .right)])
    for analysis in analyses {
      table.add(
        [analysis.path.description]
          + analysis.quantizationErrors.map { NumberText.error($0.relativeError) }
          + [NumberText.fixed(analysis.kurtosis, 1), "\(analysis.deadRows)"])
    }
    return table
  }

  /// One line for each matrix, RFC 4180.
  var csv: String {
    let ranks = ranks
    let names = analyses.first?.quantizationErrors.map(\.quantizer) ?? []
    var lines = [
      (["layer", "direction", "matrix", "gate", "rows", "columns", "norm", "sigma1"]
        + ["stableRank", "effectiveRank", "breakEvenRank", "rank90", "rank99"]
        + ranks.map { "energy@\($0)" } + names.map { "error@\($0)" } + ["kurtosis", "deadRows"])
        .joined(separator: ",")
    ]
    for analysis in analyses {
      let path = analysis.path
      let cells =
        [
          csvCell(path.layer), path.direction?.rawValue ?? "", path.role.rawValue,
          path.gate?.description ?? "", "\(analysis.rows)", "\(analysis.columns)",
          "\(analysis.norm)", "\(analysis.singularValues.first ?? 0)", "\(analysis.stableRank)",
          "\(analysis.effectiveRank)", "\(analysis.breakEvenRank)",
          "\(analysis.rank(keepingEnergy: 0.9))", "\(analysis.rank(keepingEnergy: 0.99))",
        ]
        + ranks.map { "\(analysis.energy(atRank: $0))" }
        + analysis.quantizationErrors.map { "\($0.relativeError)" }
        + ["\(analysis.kurtosis)", "\(analysis.deadRows)"]
      lines.append(cells.joined(separator: ","))
    }
    return lines.joined(separator: "\n")
  }

  private func csvCell(_ text: String) -> String {
    guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
    return "\""
      + text.split(separator: "\"", omittingEmptySubsequences: false)
      .joined(separator: "\"\"") + "\""
  }

  /// The report for programs.
  var json: JSONValue {
    let matrices: [JSONValue] = analyses.map { analysis in
      let path = analysis.path
      return [
        "matrix": .string(path.description), "layer": .string(path.layer),
        "direction": path.direction.map { .string($0.rawValue) } ?? .null,
        "role": .string(path.role.rawValue),
        "gate": path.gate.map { .string($0.description) } ?? .null,
        "rows": .integer(analysis.rows), "columns": .integer(analysis.columns),
        "norm": .number(analysis.norm),
        "singularValues": .array(analysis.singularValues.map { .number($0) }),
        "stableRank": .number(analysis.stableRank),
        "effectiveRank": .number(analysis.effectiveRank),
        "breakEvenRank": .integer(analysis.breakEvenRank),
        "energyAtRank": .array(
          ranks.filter { $0 < analysis.singularValues.count }.map {
            ["rank": .integer($0), "energy": .number(analysis.energy(atRank: $0))]
          }),
        "rankKeeping90Percent": .integer(analysis.rank(keepingEnergy: 0.9)),
        "rankKeeping99Percent": .integer(analysis.rank(keepingEnergy: 0.99)),
        "quantization": .array(
          analysis.quantizationErrors.map {
            [
              "bits": .string($0.quantizer), "bitsPerWeight": .number($0.bitsPerWeight),
              "relativeError": .number($0.relativeError),
            ]
          }), "kurtosis": .number(analysis.kurtosis), "deadRows": .integer(analysis.deadRows),
      ]
    }
    var object: JSONObject = [
      "schema": 2, "command": "analyze", "file": .string(source.name),
      "lstmByteCount": .integer(
        analyses.reduce(0) { $0 + $1.rows * $1.columns * MemoryLayout<Float>.size }),
      "matrices": .array(matrices),
    ]
    if let data {
      object["data"] = data.json
      object["frontier"] = .array(data.frontier)
    }
    object["suggestedPlan"] = suggestedPlan.json
    object["left"] = .array(left)
    object["verdict"] = .array(verdict.sentences.map { .string($0) })
    object["nextCommand"] = .string(nextCommand(planFile: nil))
    return .object(object)
  }

  /// The matrices that are no LSTM's, and the layers without any.
  private var left: [JSONValue] {
    let matrices: [JSONValue] = model.matrices.filter { !$0.path.isLSTM }.map {
      [
        "name": .string($0.path.description),
        "reason": "no LSTM matrix; `quantize --others` or a plan packs it",
        "byteCount": .integer($0.matrix.byteCount),
      ]
    }
    return matrices
      + model.untouchedLayers.map {
        [
          "name": .string($0.name), "reason": .string($0.reason),
          "byteCount": .integer($0.byteCount),
        ]
      }
  }
}
