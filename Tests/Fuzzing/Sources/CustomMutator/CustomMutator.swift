// For libFuzzer targets that change their bytes themselves, to get past checksums.

@_silgen_name("LLVMFuzzerMutate")
private func llvmFuzzerMutate(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int
) -> Int

/// Bytes as libFuzzer changes them.
///
/// - Parameters:
///   - bytes: The bytes.
///   - maximum: The most bytes that there may be afterwards.
/// - Returns: The changed bytes.
public func libFuzzerMutated(_ bytes: [UInt8], maximum: Int) -> [UInt8] {
  guard maximum > 0 else { return [] }
  let size = min(bytes.count, maximum)
  // One allocation of the full size, because libFuzzer works in place.
  var buffer = bytes.prefix(size) + [UInt8](repeating: 0, count: maximum - size)
  let newSize = unsafe buffer.withUnsafeMutableBufferPointer { pointer in
    guard let start = pointer.baseAddress else { return 0 }
    return unsafe llvmFuzzerMutate(start, size, maximum)
  }
  return Array(buffer.prefix(newSize))
}

/// Gives libFuzzer the bytes of a custom mutator.
///
/// - Parameters:
///   - bytes: The bytes.
///   - data: Where they go.
///   - maximum: How many fit.
/// - Returns: The number of bytes.
public func put(_ bytes: [UInt8], _ data: UnsafeMutablePointer<UInt8>, _ maximum: Int) -> Int {
  let size = min(bytes.count, maximum)
  for index in 0..<size { unsafe data[index] = bytes[index] }
  return size
}
