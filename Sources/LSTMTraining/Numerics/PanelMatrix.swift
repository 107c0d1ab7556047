internal import LSTMRuntime

/// A matrix in the order in which products of a few rows read it: panels of 16 outputs, each with the
/// 16 weights of every input side by side, `[panel, inputs, 16]`.
///
/// A recurrent product is made at every step with the same weights; they are brought into this order
/// once in a segment. What a last panel has too much is zero.
@safe package final class PanelMatrix<Number: TrainingNumber>: Sendable {
  /// The outputs of a panel.
  package static var panelOutputs: Int { FloatKernel.panelOutputs }

  package let inputs: Int
  package let outputs: Int
  private let panels: NumberBuffer<Number>

  /// Zeros.
  package init(inputs: Int, outputs: Int) {
    self.inputs = inputs
    self.outputs = outputs
    let count = (outputs + Self.panelOutputs - 1) / Self.panelOutputs
    panels = NumberBuffer(count * Self.panelOutputs * inputs)
  }

  /// Takes over the weights of one input.
  ///
  /// - Parameters:
  ///   - input: Which one.
  ///   - weights: `[outputs]`.
  package func setInput(_ input: Int, to weights: UnsafePointer<Number>) {
    for first in stride(from: 0, to: outputs, by: Self.panelOutputs) {
      unsafe (panels.start + first * inputs + input * Self.panelOutputs).update(
        from: weights + first, count: min(Self.panelOutputs, outputs - first))
    }
  }

  /// Takes over the weights of some outputs.
  ///
  /// - Parameters:
  ///   - some: Which ones; they begin with a panel.
  ///   - weights: `[outputs, inputs]`.
  package func setOutputs(_ some: Range<Int>, to weights: UnsafePointer<Number>) {
    for first in stride(from: some.lowerBound, to: some.upperBound, by: Self.panelOutputs) {
      unsafe Number.transpose(
        weights + first * inputs, rows: min(Self.panelOutputs, some.upperBound - first),
        columns: inputs, into: panels.start + first * inputs, stride: Self.panelOutputs)
    }
  }

  /// y += x · w for some outputs, on the calling thread.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`.
  ///   - rows: The rows of x and y.
  ///   - some: Which outputs.
  ///   - y: `[rows, some.count]`.
  ///   - stride: The elements from one row of y to the next.
  package func addProduct(
    _ x: UnsafePointer<Number>, rows: Int, outputs some: Range<Int>,
    to y: UnsafeMutablePointer<Number>, stride: Int
  ) {
    guard !some.isEmpty else { return }
    unsafe Number.addPanelProduct(
      x, rows: rows, panels.start, inputs: inputs, outputs: some, to: y, stride: stride)
  }
}
