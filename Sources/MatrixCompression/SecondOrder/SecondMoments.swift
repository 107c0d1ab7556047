internal import LSTMCore
internal import OneDNN

/// The second moments of what a linear map reads: Σ z zᵀ in the compressed model, and Σ z̄ zᵀ with z̄ what the
/// original model reads at the same step.
///
/// Products of up to ``rowsPerProduct`` rows are float32, their sums float64. Results do not depend on the number
/// of threads.
public struct SecondMoments: Equatable, Sendable {
  /// The number of elements of z.
  public let size: Int
  /// The number of rows that were added.
  public private(set) var count = 0
  /// Σ z zᵀ, `[size, size]`.
  public private(set) var own: [Double]
  /// Σ z̄ zᵀ, `[size, size]`, rows by z̄.
  public private(set) var cross: [Double]

  /// The rows of one float32 product.
  public static let rowsPerProduct = 512
  /// The rows of a result that one task computes.
  private static let rowsPerTask = 128

  /// Moments of nothing.
  public init(size: Int) {
    self.size = size
    own = [Double](repeating: 0, count: size * size)
    cross = own
  }

  /// Moments that were kept, of a model as it is.
  ///
  /// - Parameters:
  ///   - size: The number of elements of z.
  ///   - count: The number of rows.
  ///   - lowerTriangle: As ``lowerTriangle`` gave them.
  /// - Precondition: There are as many elements as the triangle has.
  public init(size: Int, count: Int, lowerTriangle: [Float]) {
    precondition(lowerTriangle.count == size * (size + 1) / 2, "The triangle has its diagonal")
    self.init(size: size)
    self.count = count
    var next = 0
    for row in 0..<size {
      for column in 0...row {
        let sum = Double(lowerTriangle[next]) * Double(count)
        own[row * size + column] = sum
        own[column * size + row] = sum
        next += 1
      }
    }
    cross = own
  }

  /// Σ z zᵀ / count, row by row as far as the diagonal.
  public var lowerTriangle: [Float] {
    var values: [Float] = []
    values.reserveCapacity(size * (size + 1) / 2)
    for row in 0..<size {
      for column in 0...row {
        values.append(Float(own[row * size + column] / Double(max(1, count))))
      }
    }
    return values
  }

  /// Adds rows.
  ///
  /// - Parameters:
  ///   - rows: z of each step, `[rows, size]`.
  ///   - original: z̄ of the same steps, `[rows, size]`.
  ///   - threads: How many threads may work.
  /// - Precondition: Both have as many elements, whole rows.
  public mutating func add(_ rows: [Float], original: [Float], threads: Int = 1) {
    precondition(
      rows.count == original.count && (size == 0 ? rows.isEmpty : rows.count % size == 0),
      "Both models read rows of this size at the same steps")
    guard size > 0, !rows.isEmpty else { return }
    let rowCount = rows.count / size
    count += rowCount
    for first in stride(from: 0, to: rowCount, by: Self.rowsPerProduct) {
      let part = first..<min(first + Self.rowsPerProduct, rowCount)
      Self.add(rows, rows, part, size: size, to: &own, threads: threads)
      Self.add(original, rows, part, size: size, to: &cross, threads: threads)
    }
  }

  /// Adds Σ aᵀ b over some rows.
  private static func add(
    _ a: [Float], _ b: [Float], _ rows: Range<Int>, size: Int, to sums: inout [Double],
    threads: Int
  ) {
    unsafe a.withUnsafeBufferPointer { a in
      unsafe b.withUnsafeBufferPointer { b in
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          guard let a = a.baseAddress, let b = b.baseAddress, let sums = sums.baseAddress else {
            return
          }
          let work = unsafe MomentWork(
            a: a + rows.lowerBound * size, b: b + rows.lowerBound * size, sums: sums)
          forEachTask((size - 1) / rowsPerTask + 1, threads: threads) { task in
            let first = task * rowsPerTask
            let count = min(rowsPerTask, size - first)
            let product = ScratchBuffer<Float>(count: count * size, zero: 0)
            unsafe OneDNN.multiply(
              x: work.a + first, xStride: size, isXTransposed: true, rows: count,
              inputs: rows.count, w: work.b, wStride: size, outputs: size, y: product.base,
              yStride: size, accumulate: false)
            let own = unsafe work.sums + first * size
            for index in 0..<count * size { unsafe own[index] += Double(product.base[index]) }
          }
        }
      }
    }
  }
}

/// Shared by the threads; each adds to its own rows.
@unsafe private struct MomentWork: @unchecked Sendable {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  let sums: UnsafeMutablePointer<Double>
}
