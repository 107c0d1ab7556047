import CustomMutator
import FuzzSupport

/// One input of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  unsafe fuzzOnce(data, size, format: "bvq")
}

/// Changes a file and leaves most of its checksums right.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ seed: CUnsignedInt
) -> Int {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  // One in eight with checksums that are wrong.
  guard seed % 8 != 0, var parts = BVQParts(bytes),
    let part = BVQParts.Part(rawValue: Int(seed / 8) % BVQParts.Part.allCases.count)
  else { return unsafe put(libFuzzerMutated(bytes, maximum: maximum), data, maximum) }
  parts[part] = libFuzzerMutated(parts[part], maximum: maximum)
  return unsafe put(parts.assembled(keepingHeader: part == .header), data, maximum)
}
