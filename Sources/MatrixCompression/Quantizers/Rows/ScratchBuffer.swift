/// Memory for inner loops, freed with its owner.
@safe final class ScratchBuffer<Element: BitwiseCopyable> {
  /// The first element.
  @unsafe let base: UnsafeMutablePointer<Element>

  /// Allocates `count` elements.
  init(count: Int, zero: Element) {
    unsafe base = .allocate(capacity: max(count, 1))
    unsafe base.initialize(repeating: zero, count: max(count, 1))
  }

  deinit { unsafe base.deallocate() }
}
