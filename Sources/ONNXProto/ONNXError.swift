public import Diagnostics

extension DiagnosticError.Code {
  /// The bytes are not an ONNX model.
  public static let malformedONNX = Self("onnx.malformed", .malformedInput)
  /// The model uses a feature of ONNX that lstmpack does not read.
  public static let unsupportedONNX = Self("onnx.unsupported", .malformedInput)
  /// External data is not where the model may keep it.
  public static let externalData = Self("onnx.externalData", .malformedInput)
}

/// Limits on what a model may declare.
public enum ONNXLimit {
  /// Levels of graphs in graphs.
  public static let graphDepth = 32
  /// Nodes, initializers, attributes and functions, all together.
  public static let objects = 2_000_000
  /// Elements of a tensor.
  public static let tensorElements = 1 << 31
  /// Sizes of a tensor's shape.
  public static let rank = 16
  /// Bytes of the flat part of a message: names and lists of numbers.
  public static let messageBytes = 64 << 20
}
