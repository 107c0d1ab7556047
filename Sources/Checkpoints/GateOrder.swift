import LSTMCore

/// The order in which a format stores the gates.
///
/// This is the only place for orders other than the canonical one of `Gate`.
struct GateOrder: Sendable {
  /// The gates as they stand in the file.
  let gates: [Gate]

  /// ONNX `LSTM`: W, R and B.
  static let onnx = GateOrder(gates: [.input, .output, .forget, .cell])
  /// Keras 2 and 3: kernel, recurrent kernel and bias; CuDNN's too.
  static let keras = GateOrder(gates: [.input, .forget, .cell, .output])

  /// PyTorch: `weight_ih`, `weight_hh` and both biases; it calls the cell gate g.
  static let torch = GateOrder(gates: [.input, .forget, .cell, .output])
  /// TensorFlow 1: the kernel of its cells; it calls the cell gate j.
  static let tensorFlow = GateOrder(gates: [.input, .cell, .forget, .output])

  /// The block of a gate, from zero.
  func position(of gate: Gate) -> Int { gates.firstIndex(of: gate) ?? 0 }

  /// The letters in order, for reports: `i f c o`.
  var description: String {
    gates.map { gate in
      switch gate {
      case .input: "i"
      case .forget: "f"
      case .cell: "c"
      case .output: "o"
      }
    }.joined(separator: " ")
  }

  /// Cuts a vector of four blocks, `[4H]`, into one for each gate.
  func split(_ vector: ArraySlice<Float>) -> PerGate<[Float]> {
    let size = vector.count / 4
    return PerGate { gate in
      let start = vector.startIndex + position(of: gate) * size
      return Array(vector[start..<start + size])
    }
  }
}
