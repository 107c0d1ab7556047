/// Adds sizes that came from a file.
///
/// - Parameters:
///   - sizes: The parts; each must be zero or positive.
///   - limit: The largest sum that is accepted.
///   - what: What is being sized, for the error text.
/// - Returns: The sum; 0 for no parts.
/// - Throws: ``DiagnosticError`` with code `limitExceeded` when a part is negative, or the sum
///   overflows or is above `limit`.
public func checkedSum(
  _ sizes: [Int], limit: Int, of what: @autoclosure () -> String
) throws(DiagnosticError) -> Int {
  var sum = 0
  for size in sizes {
    let (next, overflow) = sum.addingReportingOverflow(size)
    guard size >= 0, !overflow, next <= limit else {
      throw DiagnosticError(
        .limitExceeded, "\(what()) has sizes \(sizes), expected a sum of at most \(limit)")
    }
    sum = next
  }
  return sum
}

extension Int {
  /// The quotient rounded up, without the sum that may overflow.
  ///
  /// - Precondition: Neither is negative, and the divisor is not 0.
  public func dividedRoundingUp(by divisor: Int) -> Int {
    precondition(self >= 0 && divisor > 0, "sizes are not negative")
    return self / divisor + (self % divisor == 0 ? 0 : 1)
  }

  /// The integer that a computed number is when what is behind the point is cut off; `nil` for NaN,
  /// infinities and numbers beyond `Int`.
  public init?(cutting value: Float) { self.init(exactly: value.rounded(.towardZero)) }
}
