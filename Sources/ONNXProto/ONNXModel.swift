/// An ONNX model as Swift values; weights stay in the file until they are read.
public struct ONNXModel: Sendable {
  /// The version of the format.
  public var irVersion: Int
  /// The program that wrote it, and its version.
  public var producer: String
  /// The version of each operator set, by domain; the default domain is the empty string.
  public var opsets: [String: Int]
  /// The main graph.
  public var graph: ONNXGraph
  /// The functions that the model defines, called like operators.
  public var functions: [ONNXFunction]
}

/// A graph: the main one, or the body of an `If`, `Loop` or `Scan`.
public struct ONNXGraph: Sendable {
  /// The nodes in order of evaluation.
  public var nodes: [ONNXNode]
  /// The constants.
  public var initializers: [ONNXTensor]
  /// The names of the inputs; before IR version 4 also of the initializers.
  public var inputs: [String]
  /// The names of the outputs.
  public var outputs: [String]
  /// What the file says of the inputs, by name.
  public var inputTypes: [String: ONNXValueType] = [:]
  /// Where it begins in the file; no two graphs begin at one place.
  public var start = 0
}

/// The type of a value: a tensor's element type and shape.
public struct ONNXValueType: Equatable, Sendable {
  /// The type of the elements; `nil` when it is not said or not one that lstmpack reads.
  public var elementType: ONNXTensor.ElementType?
  /// The sizes, `nil` for one that is open; `nil` when the shape is not said.
  public var shape: [Int?]?
}

/// A function that a model defines.
public struct ONNXFunction: Sendable {
  /// Its name, the operator type of its calls.
  public var name: String
  /// Its domain.
  public var domain: String
  /// The formal inputs.
  public var inputs: [String]
  /// The formal outputs.
  public var outputs: [String]
  /// The body.
  public var nodes: [ONNXNode]
  /// The operator sets of the body.
  public var opsets: [String: Int]
  /// Where it begins in the file.
  public var start = 0
}

/// An operator applied to named values.
public struct ONNXNode: Sendable {
  /// The name; may be empty.
  public var name: String
  /// The operator, for example `LSTM`.
  public var opType: String
  /// The domain of the operator; empty or `ai.onnx` for the standard ones.
  public var domain: String
  /// The names of the inputs; a missing one is empty.
  public var inputs: [String]
  /// The names of the outputs.
  public var outputs: [String]
  /// The attributes by name.
  public var attributes: [String: ONNXAttribute]
  /// The names of the attributes in the order of the file.
  public var attributeNames: [String]

  /// Whether the operator is one of the standard.
  public var isStandard: Bool { domain.isEmpty || domain == "ai.onnx" }

  /// An input by position; `nil` when it is missing.
  public func input(_ index: Int) -> String? {
    inputs.indices.contains(index) && !inputs[index].isEmpty ? inputs[index] : nil
  }
}

/// The value of an attribute.
public enum ONNXAttribute: Sendable {
  /// A number.
  case float(Float)
  /// An integer.
  case int(Int64)
  /// Text or bytes.
  case string([UInt8])
  /// A tensor.
  case tensor(ONNXTensor)
  /// A graph: the body of a control-flow operator.
  case graph(ONNXGraph)
  /// Numbers.
  case floats([Float])
  /// Integers.
  case ints([Int64])
  /// Texts.
  case strings([[UInt8]])
  /// Graphs.
  case graphs([ONNXGraph])
  /// In a function: the value of the call's attribute of this name.
  case reference(String)
  /// A kind that lstmpack does not read; the number is ONNX' `AttributeType`.
  case other(Int)
}
