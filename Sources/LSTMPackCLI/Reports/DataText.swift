import LSTMPackKit

/// What `analyze` says of a model that it has run.
struct DataText {
  /// What the model was run on.
  struct Origin {
    /// `file`, `generated`, `statistics`, `seeded`, `layers` or `hook`.
    let source: String
    /// The file, if there is one.
    let name: String?
    /// What the inputs are, for people.
    let description: String
  }

  let analysis: DataAnalysis
  let origin: Origin

  /// The report for people.
  var text: String {
    var parts: [String] = []
    if let gates = analysis.gates {
      parts.append(
        """
        Gates on \(origin.description): share of values within 0.1 of 0 or 1, mean slope of the gate, \
        sensitivity = how far the gate moves with its inputs, and histogram from 0 to 1 (cell gate: \
        from -1 to 1):

        \(gateTable(gates))
        """)
    }
    if let direct = analysis.direct {
      parts.append(
        """
        How much worse is \(direct.original.metric) (original: \
        \(NumberText.significant(direct.original.value))\(sampleText)) when only that matrix is \
        compressed, and when all LSTM matrices are\(leftText(direct))\(calibrationText). \(changes.legend):

        \(changeTable(direct))
        """)
      if let unexercised = unexercisedText(direct) { parts.append(unexercised) }
      if let few = analysis.fewItems { parts.append(FewOutputsText.warning(few)) }
      if let last = direct.candidates.first?.drift.last?.step {
        parts.append(
          """
          Relative error of h after \(NumberText.count(last, "step")) when only that matrix is \
          compressed (\(NumberText.count(direct.driftSequences, "sequence")); c and all steps in --json):

          \(driftTable(direct))
          """)
      }
      if let comparison = analysis.firstOrder?.comparison(with: direct) {
        parts.append(comparisonText(comparison))
      }
      for failure in direct.failures.prefix(8) {
        parts.append("No score: \(failure.candidate): \(failure.reason)")
      }
      if direct.failures.count > 8 {
        parts.append("No score for \(direct.failures.count - 8) more candidates (all in --json).")
      }
    }
    parts += analysis.notes.map { "Note: \($0)." }
    for item in analysis.leftOut { parts.append("Not run: \(item.layer): \(item.reason)") }
    return parts.joined(separator: "\n\n")
  }

  private var changes: ChangeText {
    ChangeText(
      analysis.direct?.original ?? HookScore(metric: "", value: 0, higherIsBetter: false))
  }

  /// The matrices that no figure says anything about.
  private func unexercisedText(_ direct: DirectMeasurement) -> String? {
    guard !direct.unexercised.isEmpty else { return nil }
    let names = paths(direct.candidates).filter(direct.unexercised.contains).map(\.description)
    return
      "Not exercised: whatever is done to \(names.joined(separator: ", ")), no output changes in "
      + "any bit on these inputs. That says nothing of their worth; the suggested plan keeps them."
  }

  private var calibrationText: String {
    analysis.calibratesTogether
      ? ", calibrated"
      : analysis.isCalibrated
        ? ", each calibrated as if it were alone; `quantize` and `compress` calibrate them together"
        : ""
  }

  private var sampleText: String {
    guard let items = analysis.items else {
      return origin.source == "layers" ? ", of the layers by themselves" : ", by the hook"
    }
    let more = analysis.sureItems.flatMap { $0 > items ? ", all matrices on \($0)" : nil }
    return ", \(NumberText.count(items, "output")) of \(origin.description)\(more ?? "")"
  }

  private func comparisonText(_ comparison: FirstOrderRanking.Comparison) -> String {
    var text =
      "A first-order ranking, which needs two runs for each matrix, agrees with the measured "
      + "divergence of outputs with a rank correlation of "
      + "\(NumberText.fixed(comparison.rankCorrelation, 2)), with the change of the metric with one of "
      + "\(NumberText.fixed(comparison.rankCorrelationWithChange, 2))."
    if let worst = comparison.misleading.first {
      text +=
        " It misleads most on \(worst.path) at \(worst.treatment.phrase): place "
        + "\(NumberText.significant(worst.predictedRank)) instead of "
        + "\(NumberText.significant(worst.directRank))."
    }
    return text
  }

  // MARK: - Tables

  private static let bars = Array(" ▁▂▃▄▅▆▇█")

  private static func bars(_ histogram: [Int]) -> String {
    let largest = max(1, histogram.max() ?? 1)
    return String(
      histogram.map { count in
        count == 0 ? " " : bars[max(1, (count * 8 + largest - 1) / largest)]
      })
  }

  private func gateTable(_ gates: GateAnalysis) -> String {
    var table = TextTable([
      ("layer", .left), ("direction", .left), ("gate", .left), ("near 0 or 1", .right),
      ("slope", .right), ("sensitivity", .right), ("histogram", .left),
    ])
    for direction in gates.directions {
      for gate in Gate.allCases {
        let values = direction.statistics.gates[gate]
        table.add([
          direction.layer, direction.direction.rawValue, gate.description,
          // Of the cell gate the share means nothing: it lies between -1 and 1.
          gate == .cell ? "-" : NumberText.percent(values.nearlyBinaryShare),
          NumberText.fixed(values.meanSlope, 3),
          direction.sensitivities[gate].both.map { NumberText.fixed($0, 2) } ?? "-",
          "|\(Self.bars(values.histogram))|",
        ])
      }
    }
    return table.text
  }

  /// A line for each matrix with a bar for its worst treatment, a column for each treatment.
  private func changeTable(_ direct: DirectMeasurement) -> String {
    var table = TextTable(
      [("matrix", .left)] + direct.treatmentNames.map { ($0, .right) } + [("harm", .left)])
    let only = direct.candidates.filter { $0.scope == .only }
    let largest = only.compactMap(\.change).filter(\.isFinite).max() ?? 0
    for path in paths(only) {
      let own = only.filter { $0.path == path }
      let worst = own.compactMap(\.change).filter(\.isFinite).max() ?? 0
      table.add(
        [path.description]
          + direct.treatmentNames.map { name in
            own.first { $0.treatment.phrase == name }.map {
              changes.cell($0.change, error: $0.changeError)
            } ?? "-"
          } + [
            direct.unexercised.contains(path)
              ? "not exercised" : bar(largest > 0 ? worst / largest : 0)
          ])
    }
    table.add(
      ["all LSTM matrices"]
        + direct.treatmentNames.map { name in
          direct.uniform.first { $0.treatment.phrase == name }.map {
            changes.cell($0.change, error: $0.changeError)
          } ?? "-"
        } + [""])
    return table.text
  }

  /// What becomes of matrices that a treatment of all leaves out.
  private func leftText(_ direct: DirectMeasurement) -> String {
    let only = direct.candidates.filter { $0.scope == .only }
    let isWhole = direct.uniform.allSatisfy { uniform in
      paths(only).allSatisfy { path in
        only.contains { $0.path == path && $0.treatment == uniform.treatment }
      }
    }
    return isWhole ? "" : " (those with - are too small for it and stay as they are)"
  }

  private func bar(_ share: Double) -> String {
    let eighths = Int((min(max(share, 0), 1) * 64).rounded())
    let parts = Array("▏▎▍▌▋▊▉█")
    return String(repeating: "█", count: eighths / 8)
      + (eighths % 8 == 0 ? "" : String(parts[eighths % 8 - 1]))
  }

  private func driftTable(_ direct: DirectMeasurement) -> String {
    var table = TextTable(
      [("matrix", .left)] + direct.treatmentNames.map { ($0, .right) })
    let only = direct.candidates.filter { $0.scope == .only }
    for path in paths(only) {
      let own = only.filter { $0.path == path }
      table.add(
        [path.description]
          + direct.treatmentNames.map { name in
            own.first { $0.treatment.phrase == name }?.drift.last.map { NumberText.error($0.h) }
              ?? "-"
          })
    }
    return table.text
  }

  func paths(_ candidates: [DirectMeasurement.Candidate]) -> [MatrixPath] {
    var paths: [MatrixPath] = []
    for candidate in candidates where paths.last != candidate.path { paths.append(candidate.path) }
    return paths
  }
}
