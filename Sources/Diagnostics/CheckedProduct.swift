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
  var product = 1
  var isZero = false
  for size in sizes {
    guard size >= 0 else {
      throw DiagnosticError(.limitExceeded, "\(what()) has a negative size in \(sizes)")
    }
    if size == 0 { isZero = true }
  }
  if isZero { return 0 }
  for size in sizes {
    let (next, overflow) = product.multipliedReportingOverflow(by: size)
    guard !overflow, next <= limit else {
      throw DiagnosticError(
        .limitExceeded, "\(what()) declares \(sizes) elements, above the limit of \(limit)")
    }
    product = next
  }
  return product
}
