import Dispatch
import Synchronization

/// Calls `body` for each of `count` tasks, several at a time.
///
/// Which thread does which task is not said, so results must not depend on it.
public func forEachTask(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
  let workers = min(threads, count)
  guard workers > 1 else {
    for task in 0..<max(0, count) { body(task) }
    return
  }
  let next = Atomic<Int>(0)
  DispatchQueue.concurrentPerform(iterations: workers) { _ in
    while true {
      let task = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard task < count else { return }
      body(task)
    }
  }
}
