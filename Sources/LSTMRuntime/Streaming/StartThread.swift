#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Starts a thread, which ends with the body.
///
/// Queues will not do for bodies that last: they share a limited number of threads.
///
/// - Returns: Whether the system gave a thread.
func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  let kept = unsafe Unmanaged.passRetained(ThreadBody(body))
  #if canImport(Darwin)
    var thread: pthread_t?
    let status = unsafe pthread_create(&thread, nil, { runThread($0) }, kept.toOpaque())
    if status == 0, let thread { unsafe pthread_detach(thread) }
  #else
    var thread = pthread_t()
    let status = unsafe pthread_create(&thread, nil, { unsafe runThread($0) }, kept.toOpaque())
    if status == 0 { pthread_detach(thread) }
  #endif
  if status != 0 { unsafe kept.release() }
  return status == 0
}

private final class ThreadBody: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThread(_ body: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  if let body = unsafe body {
    unsafe Unmanaged<ThreadBody>.fromOpaque(body).takeRetainedValue().run()
  }
  return nil
}
