import FileSupport
import Foundation
import LSTMCore
import TestSupport

/// One row of `GOLDEN_WEIGHTS.tsv`: a tensor as the source framework sees it.
struct GoldenTensor: Hashable, CustomStringConvertible {
  var tensor: String
  var shape: String
  var sha256: String

  var description: String { "\(tensor) [\(shape)] \(sha256.prefix(12))" }

  /// A tensor of our own, mapped back to the layout of the source.
  init(_ tensor: String, shape: [Int], elements: [Float]) {
    self.tensor = tensor
    self.shape = shape.map(String.init).joined(separator: "x")
    let bytes = elements.flatMap { element in
      let bits = element.bitPattern
      return (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt32($0))) }
    }
    sha256 = hexadecimal(SHA256.digest(of: bytes))
  }

  private init(row: [Substring]) {
    tensor = String(row[3])
    shape = String(row[4])
    sha256 = String(row[10])
  }

  /// The rows of a file whose kind of node begins with `LSTM` and whose tensors are constant.
  static func rows(of file: String) throws -> [GoldenTensor] {
    let text = try String(
      contentsOfFile: SharedFolder.path("models/GOLDEN_WEIGHTS.tsv"), encoding: .utf8)
    let name = (file as NSString).lastPathComponent
    return text.split(separator: "\n").compactMap { line in
      let row = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard row[0] == name, row[2].hasPrefix("LSTM"), row[10].count == 64 else { return nil }
      return GoldenTensor(row: row)
    }
  }
}

/// The blocks of four gates side by side or on top of each other.
enum SourceLayout {
  /// `[inputs, 4H]` with the gates in an order: Keras' kernels.
  static func columns(_ matrices: PerGate<WeightMatrix>, order: [Gate]) -> (Int, [Float]) {
    let blocks = order.map { matrices[$0].dequantized }
    let inputs = blocks[0].columns
    var elements: [Float] = []
    for input in 0..<inputs {
      for block in blocks {
        for row in 0..<block.rows { elements.append(block[row, input]) }
      }
    }
    return (inputs, elements)
  }

  /// `[4H, inputs]` with the gates in an order: ONNX' W and R.
  static func rows(_ matrices: PerGate<WeightMatrix>, order: [Gate]) -> [Float] {
    order.flatMap { matrices[$0].dequantized.elements }
  }
}
