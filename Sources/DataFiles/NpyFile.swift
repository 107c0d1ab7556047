public import Diagnostics
public import FileSupport

/// One array in a file, as `numpy.save` writes it.
public enum NpyFile {
  /// Reads the array of an `.npy` of version 1, 2 or 3.
  ///
  /// Floats of 16, 32 and 64 bits become float32; booleans and integers become int64. An array in
  /// Fortran order is rearranged.
  ///
  /// - Parameter source: The file.
  /// - Returns: The array.
  /// - Throws: ``DiagnosticError`` with code `malformedDataFile`, with `unsupportedDataFile` when it
  ///   holds something else than numbers or a number that does not fit, with `limitExceeded`.
  public static func read(_ source: ByteSource) throws(DiagnosticError) -> NumericArray {
    do throws(DiagnosticError) {
      return try array(in: source)
    } catch { throw error.inFile(source.name) }
  }

  /// Reads the array; the file is not named in the errors, as it may be a member of an archive.
  static func array(in source: ByteSource) throws(DiagnosticError) -> NumericArray {
    let header = try NpyHeader(source)
    let elements = try NpyElements(source: source, header: header).read()
    return NumericArray(shape: header.shape, elements: elements)
  }

  /// The bytes of an `.npy` of version 1: float32 or int64, little-endian, in C order.
  ///
  /// They are the bytes that `numpy.save` of numpy 2 writes for the same array.
  ///
  /// - Parameter array: The array.
  /// - Returns: The whole file.
  public static func bytes(of array: NumericArray) -> [UInt8] {
    let header = header(of: array)
    let count = header.count + array.byteCount
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      unsafe write(header, array, to: UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
  }

  /// What stands before the elements of an array.
  static func header(of array: NumericArray) -> [UInt8] {
    switch array.elements {
    case .floats: header("<f4", array.shape)
    case .integers: header("<i8", array.shape)
    }
  }

  /// Writes the header and the elements of an array.
  static func write(
    _ header: [UInt8], _ array: NumericArray, to buffer: UnsafeMutableRawBufferPointer
  ) {
    unsafe buffer.copyBytes(from: header)
    let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[header.count...])
    switch array.elements {
    case .floats(let values):
      unsafe writeLittleEndian(values.lazy.map(\.bitPattern), to: rest)
    case .integers(let values): unsafe writeLittleEndian(values, to: rest)
    }
  }

  private static func header(_ type: String, _ shape: [Int]) -> [UInt8] {
    let alignment = 64
    // numpy leaves room for the first size to grow to 21 digits in place.
    let sizeDigits = 21
    let sizes = shape.map { "\($0)" }
    let tuple = sizes.count == 1 ? "(\(sizes[0]),)" : "(\(sizes.joined(separator: ", ")))"
    var text = "{'descr': '\(type)', 'fortran_order': False, 'shape': \(tuple), }"
    if let first = sizes.first {
      text += String(repeating: " ", count: sizeDigits - first.utf8.count)
    }
    let length = NpyHeader.magic.count + 4 + text.utf8.count + 1
    text += String(repeating: " ", count: alignment - length % alignment) + "\n"
    let count = text.utf8.count
    return NpyHeader.magic + [1, 0, UInt8(count & 255), UInt8(count >> 8)] + Array(text.utf8)
  }

  private static func writeLittleEndian<Item: FixedWidthInteger>(
    _ items: some Sequence<Item>, to buffer: UnsafeMutableRawBufferPointer
  ) {
    var offset = 0
    for item in items {
      unsafe buffer.storeBytes(of: item.littleEndian, toByteOffset: offset, as: Item.self)
      offset += MemoryLayout<Item>.size
    }
  }
}
