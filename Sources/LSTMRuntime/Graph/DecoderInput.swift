package import Diagnostics
package import LSTMCore

/// The dense operation that makes the scores of an output.
package struct GraphDecoder: Sendable {
  /// The value that it reads: the hidden states of a language model.
  package let input: String
  /// The index of its layer in `Model.layers`.
  package let layer: Int?
  /// The one activation between it and the output, softmax left out; `nil` without any.
  package let function: Activation?
}

extension ModelGraph {
  /// The dense operation that makes the scores of an output.
  ///
  /// Between the two may be what keeps a row of scores for each row of the input: softmax, one other activation, biases, scales,
  /// and changes of shape.
  ///
  /// - Returns: `nil` when something else makes the output.
  /// - Throws: `DiagnosticError` with code `badSetting` for a node on the way.
  package func decoder(of output: String) throws(DiagnosticError) -> GraphDecoder? {
    let search = GraphSearch(self)
    var found = output
    var last = nodes.count
    var function: Activation?
    // Nodes come after those whose values they read; a graph where they do not cannot be run.
    while let index = search.maker(of: found), index < last {
      last = index
      let node = nodes[index]
      let varying = node.inputs.filter { !$0.isEmpty && !search.isConstant($0) }
      guard let input = varying.first else { return nil }
      found = input
      switch node.operation {
      case "keras.Dense", "onnx.Dense":
        return GraphDecoder(input: found, layer: node.layer, function: function)
      case "onnx.MatMul", "onnx.Gemm":
        let isTransposed = try node.flag("transA")
        return varying == [node.inputs[0]] && !isTransposed
          ? GraphDecoder(input: found, layer: node.layer, function: function) : nil
      case "identity", "onnx.Softmax", "onnx.LogSoftmax", "onnx.Cast": break
      case "onnx.Squeeze", "onnx.Unsqueeze", "onnx.Reshape", "onnx.Flatten":
        // Shapes may depend on the input of the model.
        guard input == node.inputs[0] else { return nil }
      case "onnx.Transpose":
        guard try node.integers("perm", in: .axes) == [1, 0, 2] else { return nil }
      case "onnx.Add", "onnx.Sub", "onnx.Mul", "onnx.Div":
        guard varying.count == 1 else { return nil }
      case "activation":
        let own = try node.activation()
        if [.softmax, .linear].contains(own.function) { break }
        guard function == nil else { return nil }
        function = own
      default: return nil
      }
    }
    return nil
  }

  /// The input of the dense operation that makes the scores of an output, where nothing but softmax, biases, scales and changes of
  /// shape is between the two: the hidden states of a language model.
  ///
  /// - Returns: The value; `nil` when something else makes the output.
  /// - Throws: `DiagnosticError` with code `badSetting` for a node on the way.
  func decoderInput(of output: String) throws(DiagnosticError) -> String? {
    guard let decoder = try decoder(of: output), decoder.function == nil else { return nil }
    return decoder.input
  }
}
