/// What became of all mutants.
struct Report {
  private(set) var mutants = 0
  private(set) var read = 0
  private(set) var findings: [String: Int] = [:]
  private(set) var slowest = 0
  private(set) var largest = 0
  /// How often each step was done, by kind.
  private(set) var steps: [String: [String: Int]] = [:]

  /// Counts a step that begins.
  mutating func begin(kind: String, step: String) {
    steps[kind, default: [:]][step, default: 0] += 1
  }

  /// Counts a mutant that is done with; returns what is wrong with it, if anything.
  mutating func end(milliseconds: Int, peak: Int, limit: Int, wasRead: Bool) -> String? {
    mutants += 1
    if wasRead { read += 1 }
    slowest = max(slowest, milliseconds)
    largest = max(largest, peak)
    guard peak > limit else { return nil }
    return "memory \(peak >> 20) MB, limit \(limit >> 20) MB"
  }

  /// Counts a mutant that ended its worker.
  mutating func end() { mutants += 1 }

  /// Counts a finding.
  mutating func note(_ finding: String) { findings[finding, default: 0] += 1 }

  var text: String {
    var lines = [
      "\(mutants) mutants, \(read) of them read, \(steps.values.flatMap(\.values).reduce(0, +)) steps, "
        + "slowest \(slowest) ms, largest peak \(largest >> 20) MB"
    ]
    for (kind, counts) in steps.sorted(by: { $0.key < $1.key }) {
      let parts = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      lines.append("\(kind): \(parts.joined(separator: ", "))")
    }
    let sum = findings.values.reduce(0, +)
    lines.append(
      findings.isEmpty
        ? "no finding"
        : "\(sum) findings: "
          + findings.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
          .joined(separator: ", "))
    return lines.joined(separator: "\n")
  }
}
