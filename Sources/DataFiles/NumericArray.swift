/// An array of numbers with a shape, in C order: the last index runs fastest.
public struct NumericArray: Equatable, Sendable {
  /// The numbers of an array.
  public enum Elements: Equatable, Sendable {
    /// What was float16, float32 or float64.
    case floats([Float])
    /// What was an integer or a boolean.
    case integers([Int64])
  }

  /// The sizes of the dimensions; empty for a single number.
  public let shape: [Int]
  /// The numbers, in C order.
  public let elements: Elements

  /// Creates an array.
  ///
  /// - Parameters:
  ///   - shape: The sizes of the dimensions, none negative and at most
  ///     ``DataFileLimit/dimensions`` of them.
  ///   - elements: As many numbers as the shape says.
  public init(shape: [Int], elements: Elements) {
    precondition(shape.count <= DataFileLimit.dimensions && shape.allSatisfy { $0 >= 0 })
    self.shape = shape
    self.elements = elements
    precondition(count == (shape.contains(0) ? 0 : shape.reduce(1, *)))
  }

  /// The number of elements.
  public var count: Int {
    switch elements {
    case .floats(let values): values.count
    case .integers(let values): values.count
    }
  }

  /// The bytes of the elements in a file: four each for floats, eight for integers.
  var byteCount: Int {
    switch elements {
    case .floats(let values): values.count * MemoryLayout<Float>.size
    case .integers(let values): values.count * MemoryLayout<Int64>.size
    }
  }

  /// The elements as float32; integers are rounded to the nearest.
  public var floats: [Float] {
    switch elements {
    case .floats(let values): values
    case .integers(let values): values.map(Float.init)
    }
  }

  /// The elements when they are integers; `nil` for floats.
  public var integers: [Int64]? {
    switch elements {
    case .floats: nil
    case .integers(let values): values
    }
  }
}
