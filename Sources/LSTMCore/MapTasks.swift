import Synchronization

/// Makes a value for each of `count` tasks, several at a time.
///
/// - Parameters:
///   - count: How many tasks.
///   - threads: How many may be at work.
///   - progress: Called after each task, one call at a time, with how many are done.
///   - body: Makes the value of a task.
/// - Returns: The values, in the order of the tasks.
/// - Throws: What the first task that fails throws; the others are done all the same.
public func mapTasks<Value: Sendable, Failure: Error>(
  _ count: Int, threads: Int, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil,
  _ body: @Sendable (Int) throws(Failure) -> Value
) throws(Failure) -> [Value] {
  try taskResults(count, threads: threads, progress: progress, body)
    .map { (result) throws(Failure) in try result.get() }
}

/// Makes a value for each of `count` tasks, as `mapTasks` does, and keeps what failed.
public func taskResults<Value: Sendable, Failure: Error>(
  _ count: Int, threads: Int, progress: (@Sendable (_ done: Int, _ total: Int) -> Void)? = nil,
  _ body: @Sendable (Int) throws(Failure) -> Value
) -> [Result<Value, Failure>] {
  let done = Mutex(0)
  return unsafe [Result<Value, Failure>](unsafeUninitializedCapacity: count) { buffer, filled in
    filled = count
    guard let start = buffer.baseAddress else { return }
    let places = unsafe Places(start: start)
    forEachTask(count, threads: threads) { task in
      let place = unsafe places.start + task
      do throws(Failure) { unsafe place.initialize(to: .success(try body(task))) } catch {
        unsafe place.initialize(to: .failure(error))
      }
      guard let progress else { return }
      done.withLock {
        $0 += 1
        progress($0, count)
      }
    }
  }
}

/// Shared by the threads; each task writes its own place.
@unsafe private struct Places<Element>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Element>
}
