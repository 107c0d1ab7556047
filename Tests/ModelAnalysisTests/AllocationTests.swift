import LSTMCore
import ModelAnalysis
import TestSupport
import Testing

@Suite struct AllocationTests {
  private typealias Option = TreatmentAllocation.Option

  /// Options whose harm falls with the bytes, with noise.
  private func options(_ numbers: inout SeededNumbers, count: Int) -> [[Option]] {
    (0..<count).map { _ in
      let scale = Double.random(in: 0.1...3, using: &numbers)
      return [Option(cell: nil, byteCount: 400, harm: 0)]
        + (0..<4).map { cell in
          let byteCount = 60 * (cell + 1) + Int.random(in: 0..<20, using: &numbers)
          return Option(
            cell: cell, byteCount: byteCount,
            harm: scale * Double.random(in: 0.5...1.5, using: &numbers) / Double(byteCount))
        }
    }
  }

  @Test(arguments: 0..<20)
  func everyChoiceIsTheBestOfItsSize(seed: Int) {
    var numbers = SeededNumbers(seed: UInt64(seed))
    let options = options(&numbers, count: 4)
    let allocation = TreatmentAllocation(options)
    // All 5⁴ combinations.
    var all: [(byteCount: Int, harm: Double)] = [(0, 0)]
    for row in options {
      all = all.flatMap { sum in row.map { (sum.byteCount + $0.byteCount, sum.harm + $0.harm) } }
    }
    for choice in allocation.choices {
      let best = all.filter { $0.byteCount <= choice.byteCount }.map(\.harm).min() ?? .infinity
      #expect(choice.harm <= best + 1e-12)
    }
    #expect(allocation.choices.first?.harm == 0)
    for (a, b) in zip(allocation.choices, allocation.choices.dropFirst()) {
      #expect(b.byteCount < a.byteCount && b.harm >= a.harm)
    }
    #expect(allocation.choices.last?.byteCount == all.map(\.byteCount).min())
  }

  @Test func choicesFitBudgets() {
    var numbers = SeededNumbers(seed: 3)
    let allocation = TreatmentAllocation(options(&numbers, count: 6))
    let smallest = allocation.choices.last?.byteCount ?? 0
    #expect(allocation.choice(fitting: smallest - 1) == nil)
    #expect(allocation.choice(fitting: smallest)?.byteCount == smallest)
    let middle = allocation.choice(fitting: 1200)
    #expect((middle?.byteCount ?? .max) <= 1200)
    #expect(allocation.choice(harmingAtMost: 0) == allocation.choices.last { $0.harm == 0 })
  }

  @Test func gainsByChanceCountAsNoHarm() {
    let hull = TreatmentAllocation.hull([
      Option(cell: nil, byteCount: 100, harm: 0), Option(cell: 0, byteCount: 50, harm: -0.3),
      Option(cell: 1, byteCount: 20, harm: 0.1),
    ])
    #expect(hull.map(\.cell) == [0, 1])
    #expect(hull.map(\.harm) == [0, 0.1])
  }
}
