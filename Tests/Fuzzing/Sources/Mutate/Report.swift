/// What became of all mutations.
struct Report {
  private(set) var count = 0
  private(set) var refused = 0
  private(set) var imported = 0
  private(set) var crashed = 0
  private(set) var slow = 0
  private(set) var overMemory = 0
  private(set) var slowestMilliseconds = 0
  private(set) var largestPeak = 0

  var hasFindings: Bool { crashed + slow + overMemory > 0 }

  /// Counts a mutation that was imported or refused; returns what is wrong with it, if anything.
  mutating func add(refused wasRefused: Bool, milliseconds: Int, peak: Int, limit: Int) -> String? {
    count += 1
    if wasRefused { refused += 1 } else { imported += 1 }
    slowestMilliseconds = max(slowestMilliseconds, milliseconds)
    largestPeak = max(largestPeak, peak)
    guard peak > limit else { return nil }
    overMemory += 1
    return "over memory: \(peak >> 20) MB, limit \(limit >> 20) MB"
  }

  /// Counts a mutation that ended its worker; returns what is wrong with it.
  mutating func add(signal: Int32, alarm: Int32, seconds: Int) -> String {
    count += 1
    if signal == alarm {
      slow += 1
      return "slow: over \(seconds) s"
    }
    crashed += 1
    return "crashed: signal \(signal)"
  }

  func text(format: String) -> String {
    """
    \(format): \(count) mutations, \(refused) refused, \(imported) imported, \(crashed) crashed, \
    \(slow) slow, \(overMemory) over memory, slowest \(slowestMilliseconds) ms, \
    largest peak \(largestPeak >> 20) MB
    """
  }
}
