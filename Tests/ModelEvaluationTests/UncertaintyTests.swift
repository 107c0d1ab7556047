import Foundation
import LSTMCore
import LSTMRuntime
import ModelEvaluation
import Testing

/// Standard errors over groups of outputs.
@Suite struct UncertaintyTests {
  @Test func theErrorOfAMeanIsTheTextbooks() {
    var sums = GroupedSums(width: 2)
    let values = [1.0, 4, 2, 7, 5, 3]
    for (index, value) in values.enumerated() { sums.add([1, value], group: index) }
    let mean = sums.estimate { $0[1] / $0[0] }
    let expected = values.reduce(0, +) / 6
    let variance = values.reduce(0) { $0 + ($1 - expected) * ($1 - expected) } / 5
    #expect(abs(mean.value - expected) < 1e-12)
    #expect(abs(mean.standardError - (variance / 6).squareRoot()) < 1e-12)
  }

  @Test func oneGroupTellsNoError() {
    var sums = GroupedSums(width: 2)
    sums.add([1, 3], group: 0)
    sums.add([1, 5], group: 0)
    #expect(sums.estimate { $0[1] / $0[0] }.value == 4)
    #expect(sums.estimate { $0[1] / $0[0] }.standardError.isNaN)
  }

  /// Outputs of a sequence that are all alike are one observation, not a hundred.
  @Test func neighboursAreNotIndependent() {
    let groups = OutputGroups(sequences: 40, outputs: 100)
    var (grouped, alone) = (GroupedSums(width: 2), GroupedSums(width: 2))
    var random = SeededGenerator(seed: 1)
    for sequence in 0..<40 {
      let value = Double(random.normal())
      for output in 0..<100 {
        grouped.add([1, value], group: groups.group(sequence: sequence, output: output))
        alone.add([1, value], group: sequence * 100 + output)
      }
    }
    let errors = [grouped, alone].map { $0.estimate { $0[1] / $0[0] }.standardError }
    #expect(errors[0] > 8 * errors[1])
  }

  @Test(arguments: [(1, 1000), (4, 200), (16, 1), (100, 1), (5000, 3), (3, 2)])
  func groupsAreFewAndInOrder(sequences: Int, outputs: Int) {
    let groups = OutputGroups(sequences: sequences, outputs: outputs)
    let all = groups.groups(from: 0, count: sequences * outputs)
    #expect(all == all.sorted())
    #expect(all.first == 0)
    #expect(Set(all).count == (all.last ?? 0) + 1)
    #expect(Set(all).count <= 68)
    if sequences * outputs >= 128 { #expect(Set(all).count >= 30) }
  }
}
