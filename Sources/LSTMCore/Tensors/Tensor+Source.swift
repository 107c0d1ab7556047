extension SourceTensor {
  /// A tensor as float32, or as the smallest signed integers that hold its elements.
  public init(_ tensor: Tensor, name: String) {
    func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
      words.flatMap { word in
        (0..<Word.bitWidth / 8).map { UInt8(truncatingIfNeeded: word >> Word(8 * $0)) }
      }
    }
    switch tensor.elements {
    case .floats(let values):
      self.init(
        name: name, shape: tensor.dims, elementType: .float32,
        bytes: bytes(values.map(\.bitPattern)))
    case .integers(let values):
      let (low, high) = (values.min() ?? 0, values.max() ?? 0)
      func fits<Small: FixedWidthInteger>(_: Small.Type) -> Bool {
        low >= Int64(Small.min) && high <= Int64(Small.max)
      }
      let (type, bytes): (ElementType, [UInt8]) =
        fits(Int8.self)
        ? (.int8, values.map { UInt8(truncatingIfNeeded: $0) })
        : fits(Int16.self)
          ? (.int16, bytes(values.map { Int16(truncatingIfNeeded: $0) }))
          : fits(Int32.self)
            ? (.int32, bytes(values.map { Int32(truncatingIfNeeded: $0) }))
            : (.int64, bytes(values))
      self.init(name: name, shape: tensor.dims, elementType: type, bytes: bytes)
    }
  }
}

extension SourceTensor {
  /// A tensor of floating-point numbers, rounded to the nearest of a type.
  ///
  /// - Precondition: `elementType` is a floating-point type, and `values` has the elements of `shape`.
  public init(_ values: [Float], name: String, shape: [Int], elementType: ElementType) {
    func bytes<Word: FixedWidthInteger>(_ word: (Float) -> Word) -> [UInt8] {
      let size = Word.bitWidth / 8
      var result = [UInt8](repeating: 0, count: values.count * size)
      for (index, value) in values.enumerated() {
        let word = word(value)
        for byte in 0..<size {
          result[index * size + byte] = UInt8(truncatingIfNeeded: word >> Word(8 * byte))
        }
      }
      return result
    }
    let stored: [UInt8]
    switch elementType {
    case .float16: stored = bytes { Float16($0).bitPattern }
    case .bfloat16:
      stored = bytes { value in
        // To the nearest, to the even one of two; numbers that are none stay so.
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (UInt64(bits) + 0x7FFF + UInt64(bits >> 16 & 1)) >> 16)
      }
    case .float64: stored = bytes { Double($0).bitPattern }
    case .float32: stored = bytes { $0.bitPattern }
    default: preconditionFailure("Floating-point numbers are not stored as integers")
    }
    self.init(name: name, shape: shape, elementType: elementType, bytes: stored)
  }
}

extension Tensor {
  /// The numbers of a tensor of the source: floating-point ones as float32, others as integers.
  public init(_ source: SourceTensor) {
    let size = source.elementType.byteCount
    func words<Word: FixedWidthInteger>(_: Word.Type) -> [Word] {
      stride(from: 0, to: source.bytes.count, by: size).map { start in
        (0..<size).reduce(Word(0)) {
          $0 | Word(truncatingIfNeeded: source.bytes[start + $1]) << Word(8 * $1)
        }
      }
    }
    let elements: Elements =
      switch source.elementType {
      case .float16: .floats(words(UInt16.self).map { Float(half: $0) })
      case .bfloat16: .floats(words(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) })
      case .float32: .floats(words(UInt32.self).map { Float(bitPattern: $0) })
      case .float64: .floats(words(UInt64.self).map { Float(Double(bitPattern: $0)) })
      case .int8: .integers(words(UInt8.self).map { Int64(Int8(bitPattern: $0)) })
      case .int16: .integers(words(UInt16.self).map { Int64(Int16(bitPattern: $0)) })
      case .int32: .integers(words(UInt32.self).map { Int64(Int32(bitPattern: $0)) })
      case .int64, .uint64: .integers(words(UInt64.self).map { Int64(bitPattern: $0) })
      case .uint8, .bool: .integers(words(UInt8.self).map { Int64($0) })
      case .uint16: .integers(words(UInt16.self).map { Int64($0) })
      case .uint32: .integers(words(UInt32.self).map { Int64($0) })
      }
    self.init(dims: source.shape, elements: elements)
  }
}
