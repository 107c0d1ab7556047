#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Pages of zeros from the system, huge ones where it has them.
///
/// A page is given when it is touched. On an AMD EPYC touching 17 MB takes 11 ms with pages of 4 KiB and
/// 2.8 ms with pages of 2 MiB.
@safe final class ZeroedPages: @unchecked Sendable {
  /// The bytes of a huge page on most processors.
  static let hugeSize = 1 << 21

  /// The first byte, at a multiple of `hugeSize`.
  let start: UnsafeMutableRawPointer
  private let mapping: UnsafeMutableRawPointer
  private let mappedCount: Int

  /// `nil` when the system has no room.
  init?(_ byteCount: Int) {
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
