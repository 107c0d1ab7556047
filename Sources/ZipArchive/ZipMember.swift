/// A member of an archive that is to be written.
@safe public struct ZipMember {
  /// Its name.
  public var name: String
  /// How large it is.
  public var byteCount: Int
  /// Writes its bytes to where they belong, as many as there are.
  public var write: (UnsafeMutableRawBufferPointer) -> Void

  /// A member whose bytes are written when the archive is made, so that they need not be in memory twice.
  public init(
    name: String, byteCount: Int, write: @escaping (UnsafeMutableRawBufferPointer) -> Void
  ) {
    self.name = name
    self.byteCount = byteCount
    unsafe self.write = write
  }

  /// A member with given bytes.
  public init(name: String, bytes: [UInt8]) {
    unsafe self.init(name: name, byteCount: bytes.count) { unsafe $0.copyBytes(from: bytes) }
  }
}
