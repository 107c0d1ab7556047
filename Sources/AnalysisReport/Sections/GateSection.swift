/// How the values of each gate are spread.
struct GateSection {
  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `gates` shows; `nil` without a run.
  var context: [String: Any]? {
    guard !report.gates.isEmpty else { return nil }
    return [
      "gates": report.gates.map { gate -> [String: Any] in
        let range = gate.range.count == 2 ? (gate.range[0], gate.range[1]) : (0, 1)
        return [
          "name": [gate.layer, gate.direction, gate.gate].filter { !$0.isEmpty }
            .joined(separator: "/"),
          // Of the cell gate the share means nothing: it lies between -1 and 1.
          "share": gate.gate == "cell" ? "–" : NumberFormat.percent(gate.share),
          "slope": NumberFormat.short(gate.slope),
          "sensitivities": gate.sensitivity.map { NumberFormat.short($0) },
          "histogram": Histogram(counts: gate.histogram, range: range).context,
        ]
      }
    ]
  }
}
