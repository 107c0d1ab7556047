/// The matrices by the treatments, colored by what each costs.
struct HeatMap {
  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// Where one color ends: shares of the score, or distances of outputs.
  private static let changeLimits = [0.0005, 0.002, 0.005, 0.01, 0.03, 0.1]
  /// The same for relative errors of weights or of h.
  private static let errorLimits = [0.01, 0.05, 0.1, 0.2, 0.35, 0.5]

  /// What the template `heat` shows.
  var context: [String: Any] {
    report.candidates.isEmpty
      ? ["views": [weights]] : ["views": [changes("only"), changes("allBut"), drift, weights]]
  }

  private struct Cell {
    let value: Double?
    let text: String
    let detail: String
  }

  private func view(
    _ id: String, _ name: String, _ caption: String, _ columns: [String], _ limits: [Double],
    legend: (Double) -> String, _ cell: (ReportDocument.Matrix, String) -> Cell?
  ) -> [String: Any] {
    var last = ""
    let rows: [[String: Any]] = report.matrices.map { matrix in
      let startsGroup = matrix.group != last
      last = matrix.group
      return [
        "name": matrix.name, "startsGroup": startsGroup,
        "cells": columns.map { column -> [String: Any] in
          guard let cell = cell(matrix, column) else {
            return [
              "text": "", "level": "none", "detail": "\(matrix.name), \(column): not possible",
            ]
          }
          return [
            "text": cell.text, "level": Self.level(cell.value, limits),
            "detail": "\(matrix.name), \(column): \(cell.detail)",
          ]
        },
      ]
    }
    return [
      "id": id, "panel": id == "drift" ? "drift-view" : id, "width": columns.count, "name": name,
      "caption": caption, "isFirst": id == "only" || report.candidates.isEmpty,
      "columns": columns, "rows": rows,
      "legend": (0...limits.count).map { level -> [String: Any] in
        [
          "level": level,
          "text": level < limits.count
            ? "≤ " + legend(limits[level]) : "> " + legend(limits[level - 1]),
        ]
      },
    ]
  }

  private static func level(_ value: Double?, _ limits: [Double]) -> String {
    guard let value, value.isFinite else { return "none" }
    return "\(limits.firstIndex { value <= $0 } ?? limits.count)"
  }

  private func changes(_ scope: String) -> [String: Any] {
    let cells = Dictionary(
      report.candidates.filter { $0.scope == scope }.map { ("\($0.matrix)|\($0.treatment)", $0) },
      uniquingKeysWith: { first, _ in first })
    let isShare = report.changesAreShares
    let what = isShare ? "How much worse \(report.metric) is" : report.metric
    return view(
      scope, scope == "only" ? "only this matrix" : "all but this matrix",
      scope == "only"
        ? "\(what) when only that matrix is compressed. ±: no more than chance; n. e.: not exercised."
        : "\(what) when every LSTM matrix but that one is compressed: where the number is smaller "
          + "than in the other rows, keeping the matrix helps most.",
      report.treatments, Self.changeLimits,
      legend: { NumberFormat.change($0, isShare: isShare) }
    ) { matrix, treatment in
      cells["\(matrix.name)|\(treatment)"].map { candidate in
        guard candidate.isExercised else {
          return Cell(
            value: nil, text: "n. e.",
            detail: "not exercised: no treatment of this matrix changes any output on these inputs")
        }
        let noise = candidate.changeError.map { NumberFormat.change(2 * $0, isShare: isShare) }
        return Cell(
          value: candidate.isNoise ? 0 : candidate.change.map { max(0, $0) },
          text: candidate.isNoise
            ? "±" + (noise ?? "") : NumberFormat.change(candidate.change, isShare: isShare),
          detail: "\(report.metric) \(NumberFormat.score(candidate.value)), "
            + "\(NumberFormat.change(candidate.change, isShare: isShare)) worse"
            + (noise.map { " (± \($0), two standard errors)" } ?? "")
            + (candidate.divergence.map { ", outputs differ by \(NumberFormat.short($0))" } ?? "")
            + ", the matrix has \(NumberFormat.bytes(candidate.byteCount))")
      }
    }
  }

  private var drift: [String: Any] {
    let only = report.candidates.filter { $0.scope == "only" }
    let cells = Dictionary(
      only.map { ("\($0.matrix)|\($0.treatment)", $0) }, uniquingKeysWith: { first, _ in first })
    let step = only.first?.drift.last?.step ?? 0
    return view(
      "drift", "error of h",
      "Relative error of h after \(step) steps when only that matrix is compressed.",
      report.treatments, Self.errorLimits, legend: { NumberFormat.short($0) }
    ) { matrix, treatment in
      cells["\(matrix.name)|\(treatment)"].map { candidate in
        Cell(
          value: candidate.drift.last?.h, text: NumberFormat.short(candidate.drift.last?.h),
          detail: candidate.drift.map {
            "step \($0.step): h \(NumberFormat.short($0.h)), c \(NumberFormat.short($0.c))"
          }.joined(separator: "; "))
      }
    }
  }

  private var weights: [String: Any] {
    view(
      "weights", "error of the weights",
      "Relative error of the weights, ‖W − Ŵ‖ / ‖W‖, with a scale or codebook for each row.",
      report.matrices.first?.errors.map(\.treatment) ?? [], Self.errorLimits,
      legend: { NumberFormat.short($0) }
    ) { matrix, treatment in
      matrix.errors.first { $0.treatment == treatment }.map {
        Cell(
          value: $0.value, text: NumberFormat.short($0.value),
          detail: "relative error \(NumberFormat.short($0.value))")
      }
    }
  }
}
