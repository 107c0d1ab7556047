internal import LSTMCore

/// Rows of float32 numbers in memory that somebody else owns.
@unsafe struct Rows {
  /// The first element of the first row.
  let start: UnsafePointer<Float>
  /// How many elements lie between the starts of two rows.
  let stride: Int
  /// How many rows there are.
  let count: Int
}

/// Rows of float32 numbers that are written.
@unsafe struct MutableRows {
  /// The first element of the first row.
  let start: UnsafeMutablePointer<Float>
  /// How many elements lie between the starts of two rows.
  let stride: Int
}

/// A weight matrix W `[outputSize, inputSize]` ready to be applied: y = x · Wᵀ.
protocol LinearMap: Sendable {
  /// The columns of W.
  var inputSize: Int { get }
  /// The rows of W.
  var outputSize: Int { get }
  /// The bytes that the weights take in memory.
  var byteCount: Int { get }

  /// The bytes of scratch memory that ``apply(_:outputs:to:accumulate:scratch:)`` needs.
  func scratchByteCount(rows: Int) -> Int

  /// Computes some of the outputs for every row of x.
  ///
  /// - Parameters:
  ///   - x: Rows of `inputSize` elements.
  ///   - outputs: Which outputs; they are written to columns `0..<outputs.count` of y.
  ///   - y: As many rows as x.
  ///   - accumulate: Whether to add to what is in y.
  ///   - scratch: Memory that begins at a multiple of 64, for this call alone.
  func apply(
    _ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool,
    scratch: UnsafeMutableRawPointer)
}

extension LinearMap {
  /// Computes some of the outputs with scratch memory of its own.
  func apply(_ x: Rows, outputs: Range<Int>, to y: MutableRows, accumulate: Bool) {
    let byteCount = max(1, scratchByteCount(rows: unsafe x.count))
    unsafe withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 64) { scratch in
      guard let scratch = scratch.baseAddress else { return }
      unsafe apply(x, outputs: outputs, to: y, accumulate: accumulate, scratch: scratch)
    }
  }
}

/// Parts of scratch memory begin at multiples of this.
let scratchAlignment = 64

/// The bytes of so many elements, rounded up so that another part may follow.
func scratchBytes<Element>(_ count: Int, of: Element.Type) -> Int {
  (count * MemoryLayout<Element>.stride + scratchAlignment - 1) / scratchAlignment
    * scratchAlignment
}

/// Makes maps of weights.
enum LinearMaps {
  /// A map of one matrix: packed codes by the int8 kernels where int8 activations are asked for, else
  /// float32 weights by the float kernels; factors in turn.
  static func map(_ matrix: WeightMatrix, _ options: KernelOptions) -> any LinearMap {
    stack([matrix], options)
  }

  /// A map whose outputs are those of several matrices, one after the other.
  ///
  /// Neighbors that one kernel can take together become one map.
  ///
  /// - Precondition: All have the same number of columns.
  static func stack(_ matrices: [WeightMatrix], _ options: KernelOptions) -> any LinearMap {
    var parts: [any LinearMap] = []
    var rest = matrices[...]
    while let first = rest.first {
      if case .product(let left, let right) = first {
        // Gates that share their right factor: x goes through it once for all.
        let others = rest.dropFirst().map { $0.left(beside: right) }.prefix { $0 != nil }
        let lefts = [left] + others.compactMap { $0 }
        parts.append(FactoredMap(left: stack(lefts, options), right: map(right, options)))
        rest = rest.dropFirst(lefts.count)
      } else if let codes = int8Codes(first, options) {
        let alike = rest.map { int8Codes($0, options) }.prefix {
          $0.map { KernelWeights.canStack($0, codes) } ?? false
        }
        let weights = KernelWeights(alike.compactMap { $0 }, options.instructions)
        parts.append(Int8Map(weights, options.instructions))
        rest = rest.dropFirst(alike.count)
      } else {
        let alike = rest.prefix { !$0.isProduct && int8Codes($0, options) == nil }
        parts.append(DenseMap(stacking: Array(alike), options.instructions))
        rest = rest.dropFirst(alike.count)
      }
    }
    return parts.count == 1 ? parts[0] : StackedMap(parts: parts)
  }

  /// What the int8 kernels multiply; `nil` for what is multiplied in float32.
  private static func int8Codes(_ matrix: WeightMatrix, _ options: KernelOptions) -> PackedMatrix? {
    guard options.activations == .int8, case .packed(let packed) = matrix,
      KernelWeights.takes(packed)
    else { return nil }
    return packed
  }
}

extension WeightMatrix {
  fileprivate var isProduct: Bool { if case .product = self { true } else { false } }

  /// The left factor of a product with that right factor.
  fileprivate func left(beside right: WeightMatrix) -> WeightMatrix? {
    guard case .product(let left, let own) = self, own == right else { return nil }
    return left
  }
}
