package import LSTMTraining

/// The weights of one direction as products forward and back read them; set once for each update, read by all chunks.
@safe package final class CellMaps<Number: TrainingNumber>: Sendable {
  let inputs: Int
  let units: Int
  let outputs: Int
  /// `[4 · units, inputs]`, gates in the canonical order.
  package let kernel: NumberBuffer<Number>
  /// `[4 · units, outputs]`.
  package let recurrent: NumberBuffer<Number>
  /// `[4 · units]`; zeros without a bias.
  package let bias: NumberBuffer<Number>
  /// `[outputs, units]`; `nil` without a projection.
  package let projection: NumberBuffer<Number>?
  /// The recurrent matrix for steps forward and back.
  let forward: PanelMatrix<Number>
  let back: PanelMatrix<Number>

  package init(inputs: Int, units: Int, outputs: Int, isProjected: Bool) {
    self.inputs = inputs
    self.units = units
    self.outputs = outputs
    kernel = NumberBuffer(4 * units * inputs)
    recurrent = NumberBuffer(4 * units * outputs)
    bias = NumberBuffer(4 * units)
    projection = isProjected ? NumberBuffer(outputs * units) : nil
    forward = PanelMatrix(inputs: outputs, outputs: 4 * units)
    back = PanelMatrix(inputs: 4 * units, outputs: outputs)
  }

  /// Brings the recurrent matrix into the order of its products.
  package func prepare() {
    unsafe forward.setOutputs(0..<4 * units, to: recurrent.start)
    for row in 0..<4 * units { unsafe back.setInput(row, to: recurrent.start + row * outputs) }
  }
}

/// The gradients of the weights of one direction, summed over a chunk of sequences.
@safe package final class CellGradients<Number: TrainingNumber>: Sendable {
  /// As ``CellMaps/kernel``.
  package let kernel: NumberBuffer<Number>
  /// As ``CellMaps/recurrent``.
  package let recurrent: NumberBuffer<Number>
  /// As ``CellMaps/bias``.
  package let bias: NumberBuffer<Number>
  /// As ``CellMaps/projection``.
  package let projection: NumberBuffer<Number>?

  package init(_ maps: CellMaps<Number>) {
    kernel = NumberBuffer(maps.kernel.count)
    recurrent = NumberBuffer(maps.recurrent.count)
    bias = NumberBuffer(maps.bias.count)
    projection = maps.projection.map { NumberBuffer($0.count) }
  }

  var all: [NumberBuffer<Number>] { [kernel, recurrent, bias] + (projection.map { [$0] } ?? []) }

  /// Makes all of them zero.
  func clear() {
    for buffer in all { unsafe buffer.start.update(repeating: 0, count: buffer.count) }
  }

  /// Adds others.
  func add(_ other: CellGradients<Number>) {
    for (own, added) in zip(all, other.all) {
      for index in stride(from: 0, to: own.count, by: 8) {
        let count = min(8, own.count - index)
        unsafe Lanes.store(
          Lanes.load(own.start + index, count) + Lanes.load(added.start + index, count),
          own.start + index, count)
      }
    }
  }
}
