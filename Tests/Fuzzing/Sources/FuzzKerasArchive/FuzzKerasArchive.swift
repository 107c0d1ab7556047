import CustomMutator
import FuzzSupport

/// One input of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  unsafe fuzzOnce(data, size, format: "keras-archive")
}

/// Changes a file and leaves most of its checksums right.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ maximum: Int, _ seed: CUnsignedInt
) -> Int {
  var bytes = unsafe Array(UnsafeBufferPointer(start: data, count: size))
  let members = StoredMember.all(in: bytes)
  // One in four changes the archive around the members.
  guard seed % 4 != 0, !members.isEmpty else {
    return unsafe put(libFuzzerMutated(bytes, maximum: maximum), data, maximum)
  }
  let member = members[Int(seed / 4) % members.count]
  // The size stays: a member that became shorter is filled up with what JSON ignores.
  var content = libFuzzerMutated(Array(bytes[member.range]), maximum: member.range.count)
  content += [UInt8](repeating: 0x20, count: member.range.count - content.count)
  bytes.replaceSubrange(member.range, with: content)
  member.seal(&bytes)
  return unsafe put(bytes, data, maximum)
}
