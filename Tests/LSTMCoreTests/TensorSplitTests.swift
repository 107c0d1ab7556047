import Diagnostics
import LSTMCore
import Testing

@Suite struct TensorSplitTests {
  private let tensor = Tensor([5], [1, 2, 3, 4, 5])

  @Test func sizesAddUp() throws {
    #expect(try tensor.splitSizes([2, 3], parts: 2, axis: 0) == [2, 3])
    #expect(try tensor.splitSizes(nil, parts: 2, axis: 0) == [3, 2])
    #expect(try tensor.part(1, sizes: [2, 3], axis: 0) == Tensor([3], [3, 4, 5]))
  }

  /// Four times 2 to the power of 62 is nothing in 64 bits.
  @Test(arguments: [
    [1 << 62, 1 << 62, 1 << 62, 1 << 62, 5], [.max, .max, 7], [-1, 6], [2, 2],
  ])
  func sizesThatOnlySeemToAddUpAreAnError(sizes: [Int]) {
    #expect {
      try tensor.splitSizes(sizes, parts: sizes.count, axis: 0)
    } throws: { error in "\(error)" == "cuts 5 into \(sizes)" }
  }
}
