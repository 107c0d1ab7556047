import Foundation
import Synchronization

/// Threads that do one task together, each its own part, and wait for each other at barriers.
///
/// A training step has hundreds of short phases, one for each step of time; waking threads for each
/// would take longer than the phases.
package final class WorkerTeam: Sendable {
  /// The number of workers, the caller's thread among them.
  package let count: Int
  private let barrier: SpinBarrier
  private let task = Mutex<(@Sendable (Worker) -> Void)?>(nil)
  private let starts: [DispatchSemaphore]
  private let ends = DispatchSemaphore(value: 0)

  /// Starts the threads.
  package init(_ count: Int) {
    self.count = max(1, count)
    barrier = SpinBarrier(max(1, count))
    starts = (1..<max(1, count)).map { _ in DispatchSemaphore(value: 0) }
    for (index, start) in starts.enumerated() {
      let worker = Worker(index: index + 1, count: self.count, barrier: barrier)
      let thread = Thread { [weak self] in
        while true {
          start.wait()
          guard let team = self, let task = team.task.withLock({ $0 }) else { return }
          task(worker)
          team.ends.signal()
        }
      }
      thread.start()
    }
  }

  deinit {
    // Without a task the threads end.
    for start in starts { start.signal() }
  }

  /// Runs a task on every worker and returns when all are done.
  package func run(_ body: @escaping @Sendable (Worker) -> Void) {
    task.withLock { $0 = body }
    for start in starts { start.signal() }
    body(Worker(index: 0, count: count, barrier: barrier))
    for _ in starts { ends.wait() }
    task.withLock { $0 = nil }
  }
}

/// One of the workers of a team.
package struct Worker: Sendable {
  /// Which one, from 0.
  let index: Int
  /// How many there are.
  let count: Int
  fileprivate let barrier: SpinBarrier

  /// Waits until every worker is here; what they wrote before can be read after.
  func wait() { barrier.wait() }

  /// This worker's part of `total` things, in whole groups of `multiple`.
  func part(of total: Int, multiple: Int = 1) -> Range<Int> {
    let groups = (total + multiple - 1) / multiple
    let first = groups * index / count * multiple
    let end = groups * (index + 1) / count * multiple
    return min(first, total)..<min(end, total)
  }
}

/// A barrier that threads wait at without going to sleep.
private final class SpinBarrier: Sendable {
  /// The turns after which a waiting thread lets others run.
  private static let patience = 4096

  private let count: Int
  private let arrived = Atomic<Int>(0)
  private let generation = Atomic<Int>(0)

  init(_ count: Int) { self.count = count }

  func wait() {
    guard count > 1 else { return }
    let current = generation.load(ordering: .acquiring)
    if arrived.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue == count {
      arrived.store(0, ordering: .relaxed)
      generation.wrappingAdd(1, ordering: .acquiringAndReleasing)
      return
    }
    var turns = 0
    while generation.load(ordering: .acquiring) == current {
      turns += 1
      if turns > Self.patience { sched_yield() }
    }
  }
}
