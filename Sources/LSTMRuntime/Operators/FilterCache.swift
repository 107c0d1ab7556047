internal import LSTMCore
internal import Synchronization

/// The filters of a convolution made ready for products, kept from call to call: a model that is run step
/// by step has the same ones at every step.
final class FilterCache: Sendable {
  /// The filters of a kernel.
  struct Filters: Sendable {
    /// The kernel with its axes in the order of the convolution.
    let kernel: Tensor
    /// The matrix of each group.
    let maps: [any LinearMap]
  }

  private let kept = Mutex<(source: Tensor, filters: Filters)?>(nil)

  /// The filters of a kernel.
  ///
  /// - Parameters:
  ///   - source: The kernel; where it is the same as at the last call, nothing is made.
  ///   - make: Makes the filters.
  /// - Returns: The filters.
  /// - Throws: What `make` throws.
  func filters(of source: Tensor, _ make: () throws -> Filters) rethrows -> Filters {
    if let known = kept.withLock({ $0 }), known.source == source { return known.filters }
    let made = try make()
    kept.withLock { $0 = (source, made) }
    return made
  }
}
