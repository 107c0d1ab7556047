/// An element of a vector of sizes that a graph computes, as far as it is known without running it.
enum SizeTerm: Equatable {
  /// An integer.
  case number(Int)
  /// The size of axes, folded.
  case axes([Int])
  /// Anything.
  case unknown

  /// The most elements of a vector that is followed, and the most axes in one.
  static let lengthLimit = 64
  static let axesLimit = 8

  /// The product of two.
  static func * (a: SizeTerm, b: SizeTerm) -> SizeTerm {
    switch (a, b) {
    case (.number(1), let other), (let other, .number(1)): return other
    case (.number(let a), .number(let b)):
      let (product, overflow) = a.multipliedReportingOverflow(by: b)
      return overflow ? .unknown : .number(product)
    case (.axes(let a), .axes(let b)) where a.count + b.count <= axesLimit: return .axes(a + b)
    default: return .unknown
    }
  }
}
