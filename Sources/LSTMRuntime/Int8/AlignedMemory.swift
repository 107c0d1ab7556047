/// Memory that begins at a cache line, filled once and then only read.
@safe final class AlignedMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  /// The elements.
  let start: UnsafeMutablePointer<Element>
  /// How many there are.
  let count: Int

  /// Memory of zeros.
  init(zeros count: Int) {
    let bytes = max(1, count) * MemoryLayout<Element>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    unsafe start = memory.bindMemory(to: Element.self, capacity: max(1, count))
    self.count = count
  }

  deinit { unsafe start.deallocate() }

  /// The bytes that the elements take.
  var byteCount: Int { count * MemoryLayout<Element>.stride }
}
