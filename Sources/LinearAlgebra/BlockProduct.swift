import Dispatch
internal import LSTMCore

/// The product of a narrow block and the transpose of a matrix, `block · matrixᵀ`.
///
/// Written here and not left to a BLAS: every element is summed in one fixed order, so the bytes
/// do not depend on the number of threads, the library or the processor.
///
/// - Parameters:
///   - block: `[width, inner]`.
///   - matrix: `[outer, inner]`.
///   - threads: How many threads may work.
/// - Returns: `[width, outer]`.
func multiply(_ block: Matrix, byTransposeOf matrix: Matrix, threads: Int) -> Matrix {
  let (width, inner, outer) = (block.rows, block.columns, matrix.rows)
  let panels = (width + 7) / 8
  // Panels of eight vectors, interleaved: one load gives the same element of all eight.
  var packed = [SIMD8<Float>](repeating: .zero, count: panels * inner)
  for row in 0..<width {
    for k in 0..<inner { packed[row / 8 * inner + k][row % 8] = block[row, k] }
  }
  var results = [SIMD8<Float>](repeating: .zero, count: panels * outer)
  unsafe packed.withUnsafeBufferPointer { packed in
    unsafe matrix.elements.withUnsafeBufferPointer { elements in
      unsafe results.withUnsafeMutableBufferPointer { results in
        guard let packed = packed.baseAddress, let elements = elements.baseAddress,
          let results = results.baseAddress
        else { return }
        let work = unsafe ProductWork(
          packed: packed, elements: elements, results: results, inner: inner, outer: outer,
          panels: panels)
        let parts = max(1, min(threads, outer / 64))
        if parts == 1 {
          unsafe work.multiply(rows: 0..<outer)
        } else {
          DispatchQueue.concurrentPerform(iterations: parts) { part in
            unsafe work.multiply(rows: outer * part / parts..<outer * (part + 1) / parts)
          }
        }
      }
    }
  }
  var product = Matrix(zeros: width, outer)
  for row in 0..<width {
    for o in 0..<outer { product[row, o] = results[row / 8 * outer + o][row % 8] }
  }
  return product
}

/// Shared by the threads; each writes the results of its own rows.
@unsafe private struct ProductWork: @unchecked Sendable {
  let packed: UnsafePointer<SIMD8<Float>>
  let elements: UnsafePointer<Float>
  let results: UnsafeMutablePointer<SIMD8<Float>>
  let inner: Int
  let outer: Int
  let panels: Int

  func multiply(rows: Range<Int>) {
    var row = rows.lowerBound
    while row < rows.upperBound {
      let rest = rows.upperBound - row
      for panel in 0..<(unsafe panels) {
        let vectors = unsafe packed + panel * inner
        let target = unsafe results + panel * outer + row
        if rest >= 4 {
          unsafe four(elements + row * inner, vectors, target)
        } else {
          for i in 0..<rest { unsafe one(elements + (row + i) * inner, vectors, target + i) }
        }
      }
      row += min(rest, 4)
    }
  }

  /// Four rows share each load of the panel; a row's sum has the same order as in ``one``.
  @inline(__always)
  private func four(
    _ a: UnsafePointer<Float>, _ vectors: UnsafePointer<SIMD8<Float>>,
    _ target: UnsafeMutablePointer<SIMD8<Float>>
  ) {
    var (s0, s1, s2, s3) = (
      SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero
    )
    for k in 0..<(unsafe inner) {
      let vector = unsafe vectors[k]
      s0 += unsafe vector * a[k]
      s1 += unsafe vector * a[inner + k]
      s2 += unsafe vector * a[2 * inner + k]
      s3 += unsafe vector * a[3 * inner + k]
    }
    unsafe (target[0], target[1], target[2], target[3]) = (s0, s1, s2, s3)
  }

  @inline(__always)
  private func one(
    _ a: UnsafePointer<Float>, _ vectors: UnsafePointer<SIMD8<Float>>,
    _ target: UnsafeMutablePointer<SIMD8<Float>>
  ) {
    var sum = SIMD8<Float>.zero
    for k in 0..<(unsafe inner) { unsafe sum += vectors[k] * a[k] }
    unsafe target[0] = sum
  }
}
