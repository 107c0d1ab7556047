#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// The text of the last error of each thread.
enum LastError {
  /// The slot in which a thread keeps its text, freed with the thread.
  private static let slot: pthread_key_t = {
    var key = pthread_key_t()
    unsafe pthread_key_create(&key) { unsafe free($0) }
    return key
  }()

  nonisolated(unsafe) private static let none: UnsafePointer<CChar> = {
    let empty = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
    unsafe empty.initialize(to: 0)
    return unsafe UnsafePointer(empty)
  }()

  /// Keeps a text for this thread.
  static func set(_ text: String) {
    unsafe free(pthread_getspecific(slot))
    unsafe pthread_setspecific(slot, strdup(text))
  }

  /// The text of this thread; empty without one.
  static var text: UnsafePointer<CChar> {
    guard let text = unsafe pthread_getspecific(slot) else { return unsafe none }
    return unsafe UnsafePointer(text.assumingMemoryBound(to: CChar.self))
  }
}
