/// Where the parameters of a network are in one run of numbers.
///
/// One run makes clipping, optimizers, averages and checkpoints loops over numbers. Kernels are laid
/// out as Keras has them: `[inputs, 4 · units]`, gates in the order input, forget, cell, output.
package struct ParameterLayout: Sendable {
  /// A matrix or vector of parameters.
  package struct Part: Equatable, Sendable {
    /// A stable name, for checkpoints and errors: `lstm1.kernel`.
    package let name: String
    /// The sizes, rows first.
    package let shape: [Int]
    /// Where its numbers are.
    package let range: Range<Int>
  }

  /// The parts of an LSTM layer.
  package struct LSTM: Sendable {
    /// `[inputs, 4 · units]`.
    package let kernel: Part
    /// `[units, 4 · units]`.
    package let recurrent: Part
    /// `[4 · units]`.
    package let bias: Part
  }

  /// `[vocabulary, size]`; `nil` for a network that reads numbers.
  package let embedding: Part?
  /// The LSTM layers.
  package let lstm: [LSTM]
  /// `[outputs, units]`; the embedding when they are tied.
  package let head: Part
  /// `[outputs]`.
  package let headBias: Part
  /// Every part once, in order.
  package let parts: [Part]

  /// How many parameters there are.
  package var count: Int { parts.last?.range.upperBound ?? 0 }

  package init(_ shape: NetworkShape) {
    var parts: [Part] = []
    func add(_ name: String, _ shape: [Int]) -> Part {
      let first = parts.last?.range.upperBound ?? 0
      let part = Part(name: name, shape: shape, range: first..<first + shape.reduce(1, *))
      parts.append(part)
      return part
    }
    if case .tokens(let vocabulary, let size) = shape.input {
      embedding = add("embedding", [vocabulary, size])
    } else {
      embedding = nil
    }
    lstm = shape.units.enumerated().map { index, units in
      let name = "lstm\(index + 1)"
      return LSTM(
        kernel: add("\(name).kernel", [shape.inputSize(ofLayer: index), 4 * units]),
        recurrent: add("\(name).recurrent", [units, 4 * units]),
        bias: add("\(name).bias", [4 * units]))
    }
    let last = shape.units.last ?? shape.inputSize
    if shape.tiesWeights, let embedding {
      head = embedding
    } else {
      head = add("dense.weights", [shape.outputs, last])
    }
    headBias = add("dense.bias", [shape.outputs])
    self.parts = parts
  }
}
