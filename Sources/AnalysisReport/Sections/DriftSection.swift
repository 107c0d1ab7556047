import Foundation

/// The error of h and c over time, for each layer and treatment.
struct DriftSection {
  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `drift` shows; `nil` without a run.
  var context: [String: Any]? {
    let only = report.candidates.filter { $0.scope == "only" && !$0.drift.isEmpty }
    guard !only.isEmpty else { return nil }
    let layers = Dictionary(
      report.matrices.map { ($0.name, $0.layer) }, uniquingKeysWith: { first, _ in first })
    var names: [String] = []
    for matrix in report.matrices where !names.contains(matrix.layer) { names.append(matrix.layer) }
    return [
      "sequences": report.driftSequences,
      "steps": only[0].drift.map(\.step),
      "plots": names.flatMap { name -> [[String: Any]] in
        let own = only.filter { layers[$0.matrix] == name }
        guard !own.isEmpty else { return [] }
        return [plot(name, "h", own) { $0.h }.context, plot(name, "c", own) { $0.c }.context]
      },
      "rows": only.map { candidate -> [String: Any] in
        [
          "name": candidate.matrix, "treatment": candidate.treatment,
          "values": candidate.drift.map {
            "\(NumberFormat.short($0.h)) / \(NumberFormat.short($0.c))"
          },
        ]
      },
    ]
  }

  /// The root mean square over the matrices of a layer, a line for each treatment.
  private func plot(
    _ layer: String, _ quantity: String, _ candidates: [ReportDocument.Candidate],
    _ value: (_ drift: (step: Int, h: Double?, c: Double?)) -> Double?
  ) -> LinePlot {
    LinePlot(
      title: "\(layer): error of \(quantity)", xTitle: "step",
      yTitle: "relative error of \(quantity)",
      series: report.treatments.enumerated().compactMap { index, treatment in
        let own = candidates.filter { $0.treatment == treatment }
        guard let first = own.first else { return nil }
        return LinePlot.Series(
          name: treatment,
          points: first.drift.indices.compactMap { place in
            let values = own.compactMap {
              $0.drift.indices.contains(place) ? value($0.drift[place]) : nil
            }
            guard !values.isEmpty else { return nil }
            let mean = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
            return LinePlot.Point(
              x: Double(first.drift[place].step), y: mean,
              text: "\(treatment), step \(first.drift[place].step): \(NumberFormat.short(mean)), "
                + "root mean square over \(values.count) matrices")
          }, isDashed: index % 2 == 1, color: index)
      }, isXLogarithmic: true, isYLogarithmic: true)
  }
}
