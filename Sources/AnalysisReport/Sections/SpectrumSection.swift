/// The singular values of the gates of each layer, direction and role.
struct SpectrumSection {
  /// About so many points make a curve.
  private static let pointLimit = 80

  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `spectra` shows.
  var context: [String: Any] {
    var groups: [(name: String, matrices: [ReportDocument.Matrix])] = []
    for matrix in report.matrices {
      if groups.last?.name == matrix.group {
        groups[groups.count - 1].matrices.append(matrix)
      } else {
        groups.append((matrix.group, [matrix]))
      }
    }
    return [
      "plots": groups.map { plot($0.name, $0.matrices).context },
      "matrices": report.matrices.map { matrix -> [String: Any] in
        [
          "name": matrix.name, "shape": "\(matrix.rows) × \(matrix.columns)",
          "first": NumberFormat.short(matrix.singularValues.first),
          "stable": NumberFormat.short(matrix.stableRank),
          "effective": NumberFormat.short(matrix.effectiveRank),
          "breakEven": matrix.breakEvenRank, "rank90": matrix.rank90, "rank99": matrix.rank99,
          "kurtosis": NumberFormat.short(matrix.kurtosis), "dead": matrix.deadRows,
        ]
      },
    ]
  }

  private func plot(_ name: String, _ matrices: [ReportDocument.Matrix]) -> LinePlot {
    let breakEven = matrices.first?.breakEvenRank ?? 0
    return LinePlot(
      title: "\(name): singular values", xTitle: "number of the singular value",
      yTitle: "singular value",
      series: matrices.enumerated().map { index, matrix in
        LinePlot.Series(
          name: matrix.gate.isEmpty ? matrix.role : matrix.gate, points: points(matrix),
          isDashed: index % 2 == 1, color: index)
      },
      marks: breakEven > 0
        ? [LinePlot.Mark(x: Double(breakEven), text: "break-even rank \(breakEven)")] : [],
      isYLogarithmic: true)
  }

  private func points(_ matrix: ReportDocument.Matrix) -> [LinePlot.Point] {
    let values = matrix.singularValues
    let step = max(1, values.count / Self.pointLimit)
    return values.indices.filter { $0 % step == 0 || $0 == values.count - 1 }.map {
      LinePlot.Point(
        x: Double($0 + 1), y: values[$0],
        text: "\(matrix.name): σ\($0 + 1) = \(NumberFormat.short(values[$0]))")
    }
  }
}
