/// Multiplies sizes that came from a file.
///
/// - Parameters:
///   - sizes: The factors; each must be zero or positive.
///   - limit: The largest product that is accepted.
///   - what: What is being sized, for the error text.
/// - Returns: The product; 1 for no factors.
/// - Throws: ``DiagnosticError`` with code `limitExceeded` when a factor is negative, when the
///   product overflows or when it is above `limit`.
public func checkedProduct(
  _ sizes: [Int], limit: Int, of what: @autoclosure () -> String
) throws(DiagnosticError) -> Int {
  for size in sizes where size < 0 {
    throw DiagnosticError(.limitExceeded, "\(what()) has a negative size in \(sizes)")
  }
  var product = 1
  // Without the zeros, so that the product of some of the sizes is within the limit, too.
  for size in sizes where size > 0 {
    let (next, overflow) = product.multipliedReportingOverflow(by: size)
    guard !overflow, next <= limit else {
      throw DiagnosticError(
        .limitExceeded, "\(what()) declares \(sizes) elements, above the limit of \(limit)")
    }
    product = next
  }
  return sizes.contains(0) ? 0 : product
}
