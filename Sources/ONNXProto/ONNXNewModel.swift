/// An input or output of a model to be written.
public struct ONNXNewValue: Sendable {
  /// A size along an axis.
  public enum Size: Sendable {
    /// A number.
    case fixed(Int)
    /// Any number, the same wherever the name stands.
    case named(String)
  }

  /// The name.
  public var name: String
  /// The type of the elements.
  public var elementType: ONNXTensor.ElementType
  /// The sizes, outermost first; `nil` to leave them out.
  public var sizes: [Size]?

  /// Creates a value.
  public init(name: String, elementType: ONNXTensor.ElementType, sizes: [Size]?) {
    self.name = name
    self.elementType = elementType
    self.sizes = sizes
  }

  /// The message `ValueInfoProto`.
  var message: [UInt8] {
    var tensor = WireWriter()
    tensor.integer(1, Int64(elementType.rawValue))
    if let sizes {
      var shape = WireWriter()
      for size in sizes {
        var dimension = WireWriter()
        switch size {
        case .fixed(let count): dimension.integer(1, Int64(count))
        case .named(let name): dimension.text(2, name)
        }
        shape.field(1, dimension.bytes)
      }
      tensor.field(2, shape.bytes)
    }
    var type = WireWriter()
    type.field(1, tensor.bytes)
    var writer = WireWriter()
    writer.text(1, name)
    writer.field(2, type.bytes)
    return writer.bytes
  }
}

/// A whole model to be written, with the standard operators alone.
public struct ONNXNewModel: Sendable {
  /// The version of the format.
  public var irVersion: Int
  /// The version of the operators.
  public var opset: Int
  /// The program that made it.
  public var producer: String
  /// The nodes, each after those whose values it reads.
  public var nodes: [ONNXNewNode]
  /// The constants.
  public var initializers: [ONNXNewTensor]
  /// What the model is given.
  public var inputs: [ONNXNewValue]
  /// What it returns.
  public var outputs: [ONNXNewValue]

  /// The version of the format that a version of the operators came with.
  ///
  /// Before operator set 18 any will do. Source: ONNX, `docs/Versioning.md`.
  public static func leastIRVersion(forOpset opset: Int) -> Int {
    switch opset {
    case 25...: 13
    case 24: 12
    case 23: 11
    case 21...22: 10
    case 18...20: 8
    default: 0
    }
  }

  /// Creates a model.
  public init(
    irVersion: Int, opset: Int, producer: String, nodes: [ONNXNewNode],
    initializers: [ONNXNewTensor], inputs: [ONNXNewValue], outputs: [ONNXNewValue]
  ) {
    self.irVersion = irVersion
    self.opset = opset
    self.producer = producer
    self.nodes = nodes
    self.initializers = initializers
    self.inputs = inputs
    self.outputs = outputs
  }

  /// The message `ModelProto`.
  public var bytes: [UInt8] {
    var graph = WireWriter()
    for node in nodes { graph.field(1, node.message) }
    graph.text(2, "model")
    for tensor in initializers { graph.field(5, tensor.message) }
    for input in inputs { graph.field(11, input.message) }
    for output in outputs { graph.field(12, output.message) }
    var operators = WireWriter()
    operators.text(1, "")
    operators.integer(2, Int64(opset))
    var writer = WireWriter()
    writer.integer(1, Int64(irVersion))
    writer.text(2, producer)
    writer.field(7, graph.bytes)
    writer.field(8, operators.bytes)
    return writer.bytes
  }
}
