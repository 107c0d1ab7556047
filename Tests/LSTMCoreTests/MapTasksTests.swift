import LSTMCore
import Synchronization
import Testing

@Suite struct MapTasksTests {
  private struct Odd: Error, Equatable { let task: Int }

  @Test(arguments: [1, 2, 5])
  func valuesComeInTheOrderOfTasks(threads: Int) {
    #expect(mapTasks(100, threads: threads) { $0 * $0 } == (0..<100).map { $0 * $0 })
    #expect(mapTasks(0, threads: threads) { "\($0)" }.isEmpty)
  }

  @Test(arguments: [1, 3])
  func theFirstFailureIsThrownAndAllAreKept(threads: Int) {
    let task: @Sendable (Int) throws(Odd) -> String = { (index) throws(Odd) in
      if index % 2 == 1 { throw Odd(task: index) }
      return "\(index)"
    }
    #expect(throws: Odd(task: 1)) { try mapTasks(8, threads: threads, task) }
    let results = taskResults(8, threads: threads, task)
    #expect(results.map { try? $0.get() } == ["0", nil, "2", nil, "4", nil, "6", nil])
  }

  @Test(arguments: [1, 4])
  func progressCountsEachTaskOnce(threads: Int) {
    let seen = Mutex<[Int]>([])
    let progress: @Sendable (Int, Int) -> Void = { done, total in
      seen.withLock { $0.append(total == 50 ? done : -1) }
    }
    _ = mapTasks(50, threads: threads, progress: progress) { $0 }
    #expect(seen.withLock { $0 } == Array(1...50))
  }
}
