#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Memory that begins at a cache line; what is empty has an address, too.
@safe package final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  /// The elements.
  package let start: UnsafeMutablePointer<Element>
  /// How many there are.
  package let count: Int
  private let pages: ZeroedPages?
  /// What is to be freed where there are no pages of their own.
  private let block: UnsafeMutableRawPointer?

  /// Memory of zeros, of which the system gives large pieces only where they are touched.
  ///
  /// - Parameters:
  ///   - count: How many elements.
  ///   - willBeFilled: Whether all of it will be touched; then pages may be huge.
  package init(zeros count: Int, willBeFilled: Bool = false) {
    self.count = count
    let byteCount = max(1, count) * MemoryLayout<Element>.stride
    if willBeFilled, byteCount >= ZeroedPages.hugeSize, let pages = ZeroedPages(byteCount) {
      self.pages = pages
      unsafe block = nil
      unsafe start = pages.start.bindMemory(to: Element.self, capacity: max(1, count))
      return
    }
    let alignment = 64
    guard let block = unsafe calloc(byteCount + alignment, 1)
    else { fatalError("no memory for \(count) elements") }
    pages = nil
    unsafe self.block = block
    unsafe start = block.alignedUp(toMultipleOf: alignment)
      .bindMemory(to: Element.self, capacity: max(1, count))
  }

  deinit { unsafe free(block) }

  /// The bytes that the elements take.
  var byteCount: Int { count * MemoryLayout<Element>.stride }
}
