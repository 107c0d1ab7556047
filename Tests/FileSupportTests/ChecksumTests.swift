import FileSupport
import Testing

struct ChecksumTests {
  /// FIPS 180-4, the examples of NIST.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func sha256(_ text: String, _ digest: String) {
    #expect(hexadecimal(SHA256.digest(of: Array(text.utf8))) == digest)
  }

  @Test func sha256OfAMillionLetters() {
    let hash = SHA256()
    for _ in 0..<1000 { hash.update([UInt8](repeating: UInt8(ascii: "a"), count: 1000)) }
    #expect(
      hexadecimal(hash.finalize())
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  /// The check value of the CRC catalogue, and values of Python's `zlib.crc32`.
  @Test(arguments: [
    ("123456789", UInt32(0xCBF4_3926)), ("", 0), ("a", 0xE8B7_BE43),
    ("The quick brown fox jumps over the lazy dog", 0x414F_A339),
  ])
  func crc(_ text: String, _ expected: UInt32) {
    #expect(crc32(Array(text.utf8)) == expected)
  }

  @Test func crcInPieces() {
    let bytes = Array("123456789".utf8)
    for split in 0...bytes.count {
      #expect(
        crc32(Array(bytes[split...]), after: crc32(Array(bytes[..<split]))) == 0xCBF4_3926)
    }
  }

  @Test func hexadecimalIsLowerCase() {
    #expect(hexadecimal([0x00, 0x0F, 0xAB, 0xFF]) == "000fabff")
    #expect(hexadecimal([]) == "")
  }
}
