internal import Diagnostics
internal import LSTMCore

extension ModelGraph {
  /// The input of the dense operation that makes the scores of an output: the hidden states of a
  /// language model.
  ///
  /// Between the two may be what keeps a row of scores for each row of the input: softmax, biases,
  /// scales, and changes of shape.
  ///
  /// - Returns: The value; `nil` when something else makes the output.
  /// - Throws: `DiagnosticError` with code `badSetting` for a node on the way.
  func decoderInput(of output: String) throws(DiagnosticError) -> String? {
    let search = GraphSearch(self)
    var found = output
    var last = nodes.count
    // Nodes come after those whose values they read; a graph where they do not cannot be run.
    while let index = search.maker(of: found), index < last {
      last = index
      let node = nodes[index]
      let varying = node.inputs.filter { !$0.isEmpty && !search.isConstant($0) }
      guard let input = varying.first else { return nil }
      found = input
      switch node.operation {
      case "keras.Dense", "onnx.Dense": return found
      case "onnx.MatMul", "onnx.Gemm":
        let isTransposed = try node.flag("transA")
        return varying == [node.inputs[0]] && !isTransposed ? found : nil
      case "identity", "onnx.Softmax", "onnx.LogSoftmax", "onnx.Cast": break
      case "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Reshape", "onnx.Flatten":
        // Shapes may depend on the input of the model.
        guard input == node.inputs[0] else { return nil }
      case "onnx.Transpose":
        guard try node.integers("perm", in: .axes) == [1, 0, 2] else { return nil }
      case "onnx.Add", "onnx.Sub", "onnx.Mul", "onnx.Div":
        guard varying.count == 1 else { return nil }
      case "activation":
        guard [.softmax, .linear].contains(try node.activation().function) else { return nil }
      default: return nil
      }
    }
    return nil
  }
}
