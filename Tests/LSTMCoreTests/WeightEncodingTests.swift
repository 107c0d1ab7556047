import LSTMCore
import Testing

@Suite struct WeightEncodingTests {
  /// A row of pseudo-random legal codes.
  static func codes(_ encoding: any WeightEncoding, count: Int, seed: UInt32) -> [UInt16] {
    var state = seed &* 2_654_435_761 &+ 12345
    return (0..<count).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt16(Int(state >> 12) % encoding.levelCount)
    }
  }

  @Test func numbersAndNamesAreThoseOnDisk() {
    let listed = WeightEncodings.all.map { "\($0.id) \($0.name) \($0.parametersPerGroup)" }
    #expect(
      listed == [
        "1 float16 0", "2 binary 1", "3 ternary2 1", "4 ternary5in8 1", "5 codebook2 4",
        "6 uniform3 2", "7 uniform4 2", "8 uniform8 2",
      ])
    #expect(WeightEncodings.encoding(id: 4)?.name == "ternary5in8")
    #expect(WeightEncodings.encoding(id: 0) == nil)
    #expect(WeightEncodings.encoding(id: 999) == nil)
  }

  @Test(arguments: WeightEncodings.all.map(\.id))
  func unpackUndoesPack(id: UInt16) throws {
    let encoding = try #require(WeightEncodings.encoding(id: id))
    for count in 0...130 {
      let codes = Self.codes(encoding, count: count, seed: UInt32(count))
      let bytes = encoding.pack(codes)
      #expect(bytes.count == encoding.rowByteCount(columns: count))
      #expect(encoding.unpack(bytes[...], columns: count) == codes)
      // A slice that does not start at zero reads the same.
      #expect(encoding.unpack(([7] + bytes + [9])[1..<bytes.count + 1], columns: count) == codes)
      #expect(encoding.unpack((bytes + [0])[...], columns: count) == nil)
      if count > 0 { #expect(encoding.unpack(bytes.dropLast(), columns: count) == nil) }
    }
  }

  @Test(arguments: [
    (UInt16(2), 1), (3, 2), (5, 2), (6, 3), (7, 4), (8, 8), (1, 16),
  ])
  func paddingIsZeroAndChecked(id: UInt16, width: Int) throws {
    let encoding = try #require(WeightEncodings.encoding(id: id))
    for count in 1...130 {
      var bytes = encoding.pack(Self.codes(encoding, count: count, seed: 3))
      let used = (count * width) % 8
      guard used > 0 else { continue }
      #expect(bytes[bytes.count - 1] >> UInt8(used) == 0)
      for bit in used..<8 {
        bytes[bytes.count - 1] ^= 1 << UInt8(bit)
        #expect(encoding.unpack(bytes[...], columns: count) == nil)
        bytes[bytes.count - 1] ^= 1 << UInt8(bit)
      }
    }
  }

  @Test func layoutsAreAsDrawn() {
    #expect(BinaryEncoding().pack([1, 0, 0, 0, 0, 0, 0, 1, 0, 1]) == [0x81, 0x02])
    #expect(Ternary2Encoding().pack([1, 2, 0, 1, 2]) == [0b0100_1001, 0b10])
    #expect(Ternary5In8Encoding().pack([1, 2, 0, 1, 2, 2]) == [1 + 6 + 27 + 162, 2])
    #expect(Codebook2Encoding().pack([3, 0, 1, 2]) == [0b1001_0011])
    #expect(UniformEncoding.uniform3.pack([7, 0, 5, 1]) == [0b0100_0111, 0b0000_0011])
    #expect(UniformEncoding.uniform4.pack([1, 15, 9]) == [0xF1, 0x09])
    #expect(UniformEncoding.uniform8.pack([1, 255]) == [1, 255])
    #expect(Float16Encoding().pack([0x3C00]) == [0x00, 0x3C])
  }

  @Test func illegalCodesAreRefused() {
    #expect(Ternary2Encoding().unpack([0b11], columns: 1) == nil)
    #expect(Ternary2Encoding().unpack([0b1100_0000], columns: 4) == nil)
    #expect(Ternary2Encoding().unpack([0b1001_0110], columns: 4) == [2, 1, 1, 2])
    for byte in UInt8(0)...255 {
      let codes = Ternary5In8Encoding().unpack([byte], columns: 5)
      #expect((codes != nil) == (byte < 243))
    }
    // Trits after the last weight must be zero.
    #expect(Ternary5In8Encoding().unpack([2], columns: 1) == [2])
    #expect(Ternary5In8Encoding().unpack([3], columns: 1) == nil)
    #expect(Ternary5In8Encoding().unpack([242, 9], columns: 7) == nil)
  }

  @Test func codesHaveTheirValues() {
    func values(_ encoding: any WeightEncoding, _ parameters: [Float]) -> [Float] {
      (0..<UInt16(encoding.levelCount)).map { encoding.value(of: $0, parameters: parameters[...]) }
    }
    #expect(values(BinaryEncoding(), [3]) == [-3, 3])
    #expect(values(Ternary2Encoding(), [3]) == [0, 3, -3])
    #expect(values(Ternary5In8Encoding(), [3]) == [0, 3, -3])
    #expect(values(Codebook2Encoding(), [-2, -1, 1, 5]) == [-2, -1, 1, 5])
    #expect(values(UniformEncoding.uniform3, [2, -7]) == [-7, -5, -3, -1, 1, 3, 5, 7])
    #expect(values(UniformEncoding.uniform8, [1, 0]).last == 255)
    #expect(Float16Encoding().value(of: 0xC000, parameters: []) == -2)
  }

  @Test func packedMatricesDequantizeByGroup() {
    let encoding = UniformEncoding.uniform4
    let packed = PackedMatrix(
      encoding: encoding, rows: 2, columns: 3, groupSize: 2, scaleExponent: -1,
      codes: encoding.pack([0, 1, 2]) + encoding.pack([3, 4, 15]),
      parameters: [2, 4, 1, 0, 4, -6, 8, 2])
    #expect(packed.dequantized.elements == [2, 3, 1, 3, 5, 61])
    #expect(packed.byteCount == 4 + 16)
  }
}
