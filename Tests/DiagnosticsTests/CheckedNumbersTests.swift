import Diagnostics
import Testing

@Suite struct CheckedNumbersTests {
  @Test(arguments: [([], 0), ([0, 0], 0), ([3, 4], 7), ([100], 100)])
  func adds(sizes: [Int], sum: Int) throws {
    #expect(try checkedSum(sizes, limit: 100, of: "x") == sum)
  }

  @Test(arguments: [
    [101], [99, 2], [-1, 2],
    // Four of them wrap round to 5.
    [1 << 62, 1 << 62, 1 << 62, 1 << 62, 5], [Int.max, Int.max],
  ])
  func aSumBeyondTheLimitIsAnError(sizes: [Int]) {
    #expect {
      try checkedSum(sizes, limit: 100, of: "x")
    } throws: { error in
      "\(error)" == "x has sizes \(sizes), expected a sum of at most 100"
    }
  }

  @Test func dividesRoundingUp() {
    #expect(0.dividedRoundingUp(by: 3) == 0)
    #expect(6.dividedRoundingUp(by: 3) == 2)
    #expect(7.dividedRoundingUp(by: 3) == 3)
    #expect(5.dividedRoundingUp(by: .max) == 1)
    #expect(Int.max.dividedRoundingUp(by: 1) == .max)
  }

  @Test func cutsFloats() {
    #expect(Int(cutting: 2.9) == 2)
    #expect(Int(cutting: -2.9) == -2)
    #expect(Int(cutting: 1e19) == nil)
    #expect(Int(cutting: .nan) == nil)
    #expect(Int(cutting: -.infinity) == nil)
  }
}
