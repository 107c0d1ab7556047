#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Memory that begins at a cache line.
@safe final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  /// The elements.
  let start: UnsafeMutablePointer<Element>
  /// How many there are.
  let count: Int
  /// What is to be freed.
  private let block: UnsafeMutableRawPointer

  /// Memory of zeros, of which the system gives large pieces only where they are touched.
  init(zeros count: Int) {
    let alignment = 64
    guard let block = unsafe calloc(max(1, count) * MemoryLayout<Element>.stride + alignment, 1)
    else { fatalError("no memory for \(count) elements") }
    unsafe self.block = block
    unsafe start = block.alignedUp(toMultipleOf: alignment)
      .bindMemory(to: Element.self, capacity: max(1, count))
    self.count = count
  }

  deinit { unsafe free(block) }

  /// The bytes that the elements take.
  var byteCount: Int { count * MemoryLayout<Element>.stride }
}
