/// The cheap ranking beside what was measured.
struct FirstOrderSection {
  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `first` shows; `nil` without a ranking.
  var context: [String: Any]? {
    guard !report.expected.isEmpty else { return nil }
    let measured = Dictionary(
      report.candidates.filter { $0.scope == "only" }.map {
        ("\($0.matrix)|\($0.treatment)", $0.divergence ?? $0.change)
      }, uniquingKeysWith: { first, _ in first })
    let points = report.expected.compactMap { item -> LinePlot.Point? in
      guard let found = measured["\(item.matrix)|\(item.treatment)"], let value = found, value > 0,
        item.value > 0
      else { return nil }
      return LinePlot.Point(
        x: item.value, y: value,
        text: "\(item.matrix), \(item.treatment): expected \(NumberFormat.short(item.value)), "
          + "measured \(NumberFormat.short(value))")
    }
    return [
      "plot": LinePlot(
        title: "Expected and measured", xTitle: "expected divergence of the outputs",
        yTitle: "measured", series: [LinePlot.Series(name: "", points: points, isLine: false)],
        isXLogarithmic: true, isYLogarithmic: true
      ).context, "correlation": NumberFormat.short(report.rankCorrelation),
      "withChange": NumberFormat.short(report.rankCorrelationWithChange),
      "misleading": report.misleading.map {
        [
          "name": $0.matrix, "treatment": $0.treatment,
          "predicted": NumberFormat.short($0.predicted), "direct": NumberFormat.short($0.direct),
        ]
      },
    ]
  }
}
