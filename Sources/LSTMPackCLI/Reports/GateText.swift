import LSTMPackKit

/// What `analyze --data` says of the gates.
struct GateText {
  let analysis: GateAnalysis
  let dataName: String

  /// The report for people.
  var text: String {
    var parts = [
      """
      Gates on \(dataName): share of values within 0.1 of 0 or 1, mean slope of the gate, and \
      histogram from 0 to 1 (cell gate: from -1 to 1):

      \(gateTable)
      """
    ]
    let last = analysis.drifts.first?.relativeErrors.last?.step ?? 0
    if last > 0 {
      parts.append(
        """
        Relative error of h after \(last) step\(last == 1 ? "" : "s") when only that matrix is \
        compressed (\(analysis.driftSequences) sequences; all steps in --json):

        \(driftTable)
        """)
    }
    for item in analysis.leftOut {
      parts.append("Not run: \(item.layer): \(item.reason)")
    }
    return parts.joined(separator: "\n\n")
  }

  private static let bars = Array(" ▁▂▃▄▅▆▇█")

  private static func bars(_ histogram: [Int]) -> String {
    let largest = max(1, histogram.max() ?? 1)
    return String(
      histogram.map { count in
        count == 0 ? " " : bars[max(1, (count * 8 + largest - 1) / largest)]
      })
  }

  private var gateTable: String {
    var table = TextTable([
      ("layer", .left), ("direction", .left), ("gate", .left), ("near 0 or 1", .right),
      ("slope", .right), ("histogram", .left),
    ])
    for direction in analysis.directions {
      for gate in Gate.allCases {
        let values = direction.statistics.gates[gate]
        table.add([
          direction.layer, direction.direction.rawValue, gate.description,
          // Of the cell gate the share means nothing: it lies between -1 and 1.
          gate == .cell ? "-" : NumberText.percent(values.nearlyBinaryShare),
          NumberText.fixed(values.meanSlope, 3), "|\(Self.bars(values.histogram))|",
        ])
      }
    }
    return table.text
  }

  /// A line for each matrix, a column for each candidate that any matrix has.
  private var driftTable: String {
    var titles: [String] = []
    for drift in analysis.drifts where !titles.contains(Self.title(drift)) {
      titles.append(Self.title(drift))
    }
    var table = TextTable([("matrix", .left)] + titles.map { ($0, .right) })
    var paths: [MatrixPath] = []
    for drift in analysis.drifts where paths.last != drift.path { paths.append(drift.path) }
    let cells = Dictionary(
      analysis.drifts.map { ("\($0.path)|\(Self.title($0))", $0.relativeErrors.last?.value) },
      uniquingKeysWith: { first, _ in first })
    for path in paths {
      table.add(
        [path.description]
          + titles.map { title in
            (cells["\(path)|\(title)"] ?? nil).map(NumberText.error) ?? "-"
          })
    }
    return table.text
  }

  private static func title(_ drift: GateAnalysis.MatrixDrift) -> String {
    drift.quantizer.map { Quantizers.phrase($0) } ?? drift.rank.map { "rank \($0)" } ?? "?"
  }

  /// The report for programs.
  var json: JSONValue {
    var gates: [JSONValue] = []
    for direction in analysis.directions {
      for gate in Gate.allCases {
        let values = direction.statistics.gates[gate]
        let range = GateStatistics.range(of: gate)
        gates.append([
          "layer": .string(direction.layer), "direction": .string(direction.direction.rawValue),
          "gate": .string(gate.description), "count": .integer(values.count),
          "nearlyBinaryShare": .number(values.nearlyBinaryShare),
          "meanSlope": values.meanSlope.isFinite ? .number(values.meanSlope) : .null,
          "histogram": .array(values.histogram.map { .integer($0) }),
          "histogramRange": [
            .number(Double(range.lowerBound)), .number(Double(range.upperBound)),
          ],
        ])
      }
    }
    let drifts: [JSONValue] = analysis.drifts.map { drift in
      var object: JSONObject = ["matrix": .string(drift.path.description)]
      object["bits"] = drift.quantizer.map { .string($0) }
      object["rank"] = drift.rank.map { .integer($0) }
      object["relativeErrors"] = .array(
        drift.relativeErrors.map {
          ["step": .integer($0.step), "value": $0.value.isFinite ? .number($0.value) : .null]
        })
      return .object(object)
    }
    return [
      "file": .string(dataName), "gates": .array(gates),
      "driftSequences": .integer(analysis.driftSequences),
      "driftSteps": .integer(analysis.driftSteps), "drift": .array(drifts),
      "leftOut": .array(
        analysis.leftOut.map { ["layer": .string($0.layer), "reason": .string($0.reason)] }),
    ]
  }
}
