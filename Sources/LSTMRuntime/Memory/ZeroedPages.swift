#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Pages of zeros from the system, huge ones where it has them.
///
/// A page is given when it is touched. For the weights of a large model that is most of the time of
/// loading when pages are of 4 KiB; with pages of 2 MiB it takes a quarter of the time.
@safe package final class ZeroedPages: @unchecked Sendable {
  /// The bytes of a huge page on most processors.
  package static let hugeSize = 1 << 21

  /// The first byte, at a multiple of `hugeSize`.
  package let start: UnsafeMutableRawPointer
  private let mapping: UnsafeMutableRawPointer
  private let mappedCount: Int

  /// `nil` when the system has no room.
  package init?(_ byteCount: Int) {
    // What is not touched before and after costs addresses alone.
    mappedCount = byteCount + Self.hugeSize
    let mapping = unsafe mmap(
      nil, mappedCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else { return nil }
    unsafe self.mapping = mapping
    unsafe start = mapping.alignedUp(toMultipleOf: Self.hugeSize)
    #if os(Linux)
      // Not for the last part of a page, which would take memory that nobody asked for.
      _ = unsafe madvise(start, byteCount / Self.hugeSize * Self.hugeSize, MADV_HUGEPAGE)
    #endif
  }

  deinit { unsafe munmap(mapping, mappedCount) }
}
