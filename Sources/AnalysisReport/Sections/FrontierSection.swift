/// Size against quality.
struct FrontierSection {
  /// Smaller changes, and gains, are drawn at the bottom.
  private static let leastChange = 1e-4

  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `frontier` shows; `nil` without a measurement.
  var context: [String: Any]? {
    let points = report.frontier.filter { $0.change != nil }
    guard !points.isEmpty else { return nil }
    let isShare = report.changesAreShares
    func text(_ point: ReportDocument.Point) -> String {
      "\(point.name): \(NumberFormat.bytes(point.byteCount)), "
        + "\(NumberFormat.change(point.change, isShare: isShare)) worse"
    }
    func series(_ name: String, _ own: [ReportDocument.Point], _ color: Int) -> LinePlot.Series {
      LinePlot.Series(
        name: name,
        points: own.sorted { $0.byteCount < $1.byteCount }.map {
          LinePlot.Point(
            x: Double($0.byteCount), y: max($0.change ?? 0, Self.leastChange), text: text($0))
        }, isLine: false, color: color)
    }
    var all = [series("one treatment for all", points.filter { !$0.isSuggested }, 0)]
    let suggested = points.filter(\.isSuggested)
    if !suggested.isEmpty { all.append(series("suggested plan", suggested, 1)) }
    let plot = LinePlot(
      title: "Size against quality", xTitle: "bytes of the LSTM matrices",
      yTitle: isShare ? "\(report.metric), worse by" : report.metric, series: all,
      isXLogarithmic: true, isYLogarithmic: true, xText: { NumberFormat.bytes(Int($0)) },
      yText: { isShare ? NumberFormat.short($0 * 100) + " %" : NumberFormat.short($0) })
    return [
      "plot": plot.context,
      "points": report.frontier.sorted { $0.byteCount > $1.byteCount }.map {
        point -> [String: Any] in
        [
          "name": point.name, "bytes": NumberFormat.bytes(point.byteCount),
          "ratio": NumberFormat.short(
            Double(report.lstmByteCount) / Double(max(1, point.byteCount))) + "×",
          "change": NumberFormat.change(point.change, isShare: isShare),
        ]
      },
    ]
  }
}
