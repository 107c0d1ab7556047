/// A tensor to be written into a model.
public struct ONNXNewTensor: Sendable {
  /// Its name.
  public var name: String
  /// The sizes, outermost first.
  public var dims: [Int]
  /// The type of the elements, by ONNX' number.
  public var dataType: Int
  /// The elements, little-endian; types of 4 and 2 bits with the first element in the lowest bits.
  public var bytes: [UInt8]

  /// Creates a tensor.
  public init(name: String, dims: [Int], dataType: Int, bytes: [UInt8]) {
    self.name = name
    self.dims = dims
    self.dataType = dataType
    self.bytes = bytes
  }

  /// A tensor of integers of 64 bits.
  public init(name: String, dims: [Int], integers: [Int]) {
    self.init(
      name: name, dims: dims, dataType: ONNXTensor.ElementType.int64.rawValue,
      bytes: integers.flatMap { value in
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      })
  }

  /// The message `TensorProto`.
  public var message: [UInt8] {
    var writer = WireWriter()
    for size in dims { writer.integer(1, Int64(size)) }
    writer.integer(2, Int64(dataType))
    writer.text(8, name)
    writer.field(9, bytes)
    return writer.bytes
  }
}

/// A node to be written into a model.
public struct ONNXNewNode: Sendable {
  /// The value of an attribute.
  public enum Attribute: Sendable {
    /// An integer.
    case int(Int)
    /// A number.
    case float(Float)
    /// Integers.
    case ints([Int])
    /// Texts.
    case strings([String])
    /// Text.
    case string(String)
    /// Numbers.
    case floats([Float])
    /// A tensor.
    case tensor(ONNXNewTensor)
  }

  /// The operator.
  public var opType: String
  /// The domain; empty for the standard operators.
  public var domain: String
  /// The name.
  public var name: String
  /// The names of the inputs.
  public var inputs: [String]
  /// The names of the outputs.
  public var outputs: [String]
  /// The attributes in order.
  public var attributes: [(name: String, value: Attribute)]

  /// Creates a node.
  public init(
    _ opType: String, domain: String = "", name: String = "", inputs: [String],
    outputs: [String], attributes: [(name: String, value: Attribute)] = []
  ) {
    self.opType = opType
    self.domain = domain
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.attributes = attributes
  }

  /// The message `NodeProto`.
  public var message: [UInt8] {
    var writer = WireWriter()
    for input in inputs { writer.text(1, input) }
    for output in outputs { writer.text(2, output) }
    if !name.isEmpty { writer.text(3, name) }
    writer.text(4, opType)
    for (name, value) in attributes { writer.field(5, Self.message(name, value)) }
    if !domain.isEmpty { writer.text(7, domain) }
    return writer.bytes
  }

  static func message(_ name: String, _ value: Attribute) -> [UInt8] {
    var writer = WireWriter()
    writer.text(1, name)
    let type: Int64
    switch value {
    case .float(let number):
      writer.float(2, number)
      type = 1
    case .int(let number):
      writer.integer(3, Int64(number))
      type = 2
    case .string(let text):
      writer.text(4, text)
      type = 3
    case .tensor(let tensor):
      writer.field(5, tensor.message)
      type = 4
    case .floats(let numbers):
      for number in numbers { writer.float(7, number) }
      type = 6
    case .ints(let numbers):
      for number in numbers { writer.integer(8, Int64(number)) }
      type = 7
    case .strings(let texts):
      for text in texts { writer.text(9, text) }
      type = 8
    }
    writer.integer(20, type)
    return writer.bytes
  }
}
