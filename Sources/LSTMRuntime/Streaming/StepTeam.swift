internal import CPackedKernels
internal import Dispatch
internal import Synchronization

#if canImport(Darwin)
  internal import Darwin
#else
  internal import Glibc
#endif

/// Threads that take the steps of a streamed model together, each with rows of its own.
///
/// Between two steps they spin for about as long as a step takes and then sleep, so that a stream that
/// runs hands over within a microsecond, and one that waits costs nothing.
final class StepTeam: Sendable {
  /// Turns of spinning before a thread lets others run; 50 to 300 microseconds, as long as the
  /// processor takes for `cpk_relax`.
  private static let patience = 5_000

  /// The number of workers, the caller's thread among them.
  let count: Int
  private let shared: Shared
  /// The caller's thread.
  private let own: StepWorker

  /// What the threads see; the team itself may go while they sleep.
  private final class Shared: Sendable {
    /// Written before the first round begins.
    nonisolated(unsafe) var count = 1
    let round = Counter()
    let isEnding = Atomic<Bool>(false)
    let arrived = Counter()
    let generation = Counter()
    /// Written before a round begins, when all wait for it, and read after.
    nonisolated(unsafe) var task: (@Sendable (StepWorker) -> Void)?
    let sleeping: [SleepFlag]

    init(_ mostWorkers: Int) {
      sleeping = (1..<mostWorkers).map { _ in SleepFlag() }
    }
  }

  /// A number on a cache line of its own, so that whoever waits for it is not slowed by others.
  private final class Counter: Sendable {
    private let before = SIMD16<Int>()
    let value = Atomic<Int>(0)
    private let after = SIMD16<Int>()
  }

  /// Whether a thread sleeps, and what wakes it.
  private final class SleepFlag: Sendable {
    let isSet = Atomic<Bool>(false)
    let signal = DispatchSemaphore(value: 0)
  }

  /// Starts the threads, fewer when the system has no more.
  init(_ wanted: Int) {
    let shared = Shared(max(1, wanted))
    var started = 1
    while started < wanted, startThread({ [index = started] in Self.work(shared, index) }) {
      started += 1
    }
    unsafe shared.count = started
    count = started
    self.shared = shared
    own = Self.worker(shared, 0)
  }

  deinit {
    shared.isEnding.store(true, ordering: .sequentiallyConsistent)
    Self.wake(shared)
  }

  /// Runs a task on every worker; returns when all are done.
  ///
  /// - Parameter body: The task, which is kept until the next one: it must not hold what holds the team.
  func run(_ body: @escaping @Sendable (StepWorker) -> Void) {
    guard count > 1 else { return body(StepWorker(index: 0, count: 1, wait: {})) }
    unsafe shared.task = body
    Self.wake(shared)
    body(own)
    Self.barrier(shared)
  }

  private static func worker(_ shared: Shared, _ index: Int) -> StepWorker {
    unsafe StepWorker(index: index, count: shared.count) { barrier(shared) }
  }

  private static func wake(_ shared: Shared) {
    shared.round.value.wrappingAdd(1, ordering: .sequentiallyConsistent)
    for flag in shared.sleeping
    where flag.isSet.exchange(false, ordering: .sequentiallyConsistent) {
      flag.signal.signal()
    }
  }

  private static func work(_ shared: Shared, _ index: Int) {
    var last = 0
    let flag = shared.sleeping[index - 1]
    // Made in the first round, when it is known how many there are.
    var known: StepWorker?
    while true {
      var turns = 0
      while shared.round.value.load(ordering: .sequentiallyConsistent) == last {
        turns += 1
        guard turns > patience else {
          cpk_relax()
          continue
        }
        flag.isSet.store(true, ordering: .sequentiallyConsistent)
        if shared.round.value.load(ordering: .sequentiallyConsistent) == last
          || !flag.isSet.exchange(false, ordering: .sequentiallyConsistent)
        {
          // Either nothing has come yet, or whoever woke us has signaled.
          flag.signal.wait()
        }
        turns = 0
      }
      last += 1
      if shared.isEnding.load(ordering: .sequentiallyConsistent) { return }
      let worker = known ?? worker(shared, index)
      known = worker
      unsafe shared.task?(worker)
      barrier(shared)
    }
  }

  private static func barrier(_ shared: Shared) {
    let current = shared.generation.value.load(ordering: .acquiring)
    let arrived = shared.arrived.value.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
    if unsafe arrived == shared.count {
      shared.arrived.value.store(0, ordering: .relaxed)
      shared.generation.value.wrappingAdd(1, ordering: .acquiringAndReleasing)
      return
    }
    var turns = 0
    while shared.generation.value.load(ordering: .acquiring) == current {
      turns += 1
      cpk_relax()
      if turns > patience { sched_yield() }
    }
  }
}

/// One of the threads of a step.
struct StepWorker: Sendable {
  /// Which one, from 0.
  let index: Int
  /// How many there are.
  let count: Int
  /// Waits until every worker is here; what they wrote before can be read after.
  let wait: @Sendable () -> Void

  /// This worker's part of `total` rows, in whole blocks of the kernels.
  func part(of total: Int) -> Range<Int> {
    let size = KernelWeights.blockRows
    let blocks = (total + size - 1) / size
    let (first, end) = (blocks * index / count * size, blocks * (index + 1) / count * size)
    return min(first, total)..<min(end, total)
  }
}
