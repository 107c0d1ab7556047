internal import CCrypto
internal import CDeflate
public import Diagnostics

/// SHA-256 (FIPS 180-4), by libcrypto.
@safe
public struct SHA256: ~Copyable {
  private let context: OpaquePointer

  /// Starts a digest.
  public init() {
    guard let context = unsafe EVP_MD_CTX_new(),
      unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    else { preconditionFailure("libcrypto has no SHA-256") }
    unsafe self.context = context
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  /// Adds bytes.
  public func update(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { buffer in
      _ = unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
    }
  }

  /// The digest of all bytes added, 32 bytes.
  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe EVP_DigestFinal_ex(context, &digest, nil)
    return digest
  }

  /// The digest of some bytes, 32 bytes.
  public static func digest(of bytes: [UInt8]) -> [UInt8] {
    let hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }
}

/// CRC-32 (ISO 3309, as in zlib, PNG and Python's `zlib.crc32`) of some bytes, by libdeflate.
///
/// - Parameters:
///   - bytes: The bytes.
///   - previous: The checksum of the bytes before them, for data in pieces.
/// - Returns: The checksum of all bytes up to the end of `bytes`.
public func crc32(_ bytes: [UInt8], after previous: UInt32 = 0) -> UInt32 {
  // libdeflate starts anew when it is given no buffer.
  if bytes.isEmpty { return previous }
  return unsafe bytes.withUnsafeBytes { buffer in
    unsafe libdeflate_crc32(previous, buffer.baseAddress, buffer.count)
  }
}

/// Bytes as lower-case hexadecimal.
public func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(
    decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

extension ByteSource {
  /// The SHA-256 of all bytes, as lower-case hexadecimal; reads in pieces of 1 MiB.
  ///
  /// - Throws: As ``bytes(in:)``.
  public func sha256() throws(DiagnosticError) -> String {
    let hash = SHA256()
    var offset = 0
    while offset < count {
      let end = min(count, offset + (1 << 20))
      hash.update(try bytes(in: offset..<end))
      offset = end
    }
    return hexadecimal(hash.finalize())
  }
}
