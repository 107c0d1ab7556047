/// What was not compressed, not run or not scored, and why.
struct LeftOutSection {
  private let report: ReportDocument

  init(_ report: ReportDocument) { self.report = report }

  /// What the template `left` shows; `nil` when nothing was left out.
  var context: [String: Any]? {
    let rows: [[String: Any]] =
      report.left.map {
        ["name": $0.name, "bytes": NumberFormat.bytes($0.byteCount), "reason": $0.reason]
      } + report.notRun.map { ["name": $0.name, "bytes": "", "reason": "not run: \($0.reason)"] }
      + report.failures.map {
        ["name": $0.name, "bytes": "", "reason": "no score: \($0.reason)"]
      }
    return rows.isEmpty ? nil : ["rows": rows]
  }
}
