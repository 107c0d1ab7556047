import Diagnostics
import LSTMCore
import Testing

/// Padding beyond what the frameworks' fixtures have (`Tests/Fixtures/runtime/graph_padding.onnx`).
@Suite struct TensorPaddingTests {
  private let row = Tensor(dims: [3], elements: .integers([1, 2, 3]))

  private func padded(
    _ tensor: Tensor, _ padding: Tensor.Padding, _ before: Int, _ after: Int, value: Float = 0
  ) throws -> [Int]? {
    try tensor.padded(
      padding, value: value, before: [before], after: [after], allow: { _ in }
    ).integers
  }

  @Test func eachModeContinuesInItsWay() throws {
    #expect(try padded(row, .constant, 1, 2, value: 9) == [9, 1, 2, 3, 9, 9])
    #expect(try padded(row, .reflect, 2, 2) == [3, 2, 1, 2, 3, 2, 1])
    #expect(try padded(row, .edge, 1, 2) == [1, 1, 2, 3, 3, 3])
    #expect(try padded(row, .wrap, 2, 4) == [2, 3, 1, 2, 3, 1, 2, 3, 1])
    #expect(try padded(row, .edge, -1, 0) == [2, 3])
    #expect(try padded(row, .constant, -4, 2, value: 7) == [7])
  }

  @Test func whatCannotBeContinuedIsAnError() {
    for (padding, before, after, text) in [
      (Tensor.Padding.reflect, 3, 0, "mirrors more elements than an axis of 3 has beside its edge"),
      (.constant, -2, -2, "pads shape [3] by [-2] and [-2]"),
      (.edge, .min, 0, "pads shape [3] by [-9223372036854775808] and [0]"),
      (.constant, .max, 0, "pads shape [3] by [9223372036854775807] and [0]"),
    ] {
      #expect { try padded(row, padding, before, after) } throws: {
        ($0 as? DiagnosticError)?.problem == text
      }
    }
    let empty = Tensor(dims: [0], elements: .integers([]))
    #expect(throws: DiagnosticError.self) { try padded(empty, .edge, 1, 0) }
    #expect(throws: DiagnosticError.self) { try padded(row, .constant, 1, 0, value: 0.5) }
  }

  @Test func aResultThatIsTooLargeIsNotMade() {
    #expect(throws: CancellationError.self) {
      try row.padded(.edge, before: [1 << 30], after: [0]) { _ in throw CancellationError() }
    }
  }
}
