/// Fast packing of a row of codes; gives the bytes of the encodings' reference `pack`.
enum CodePacking {
  /// Codes of 1, 2, 3, 4 or 8 bits, the first in the lowest bits.
  case bits(Int)
  /// Five trits in a byte.
  case fiveTrits

  /// Memory for the codes of a row: packing takes them by eights and by fives, and those after the row
  /// stay zero.
  static func codes(columns: Int) -> ScratchBuffer<UInt8> {
    ScratchBuffer(count: columns + 16, zero: 0)
  }

  /// Packs a row.
  ///
  /// - Parameters:
  ///   - codes: The codes; at least eight zeros follow the last one.
  ///   - count: How many codes.
  ///   - bytes: Takes exactly the bytes of the row.
  @unsafe func pack(
    _ codes: UnsafeMutablePointer<UInt8>, count: Int, into bytes: UnsafeMutableBufferPointer<UInt8>
  ) {
    guard let target = bytes.baseAddress else { return }
    switch self {
    case .bits(8): unsafe target.update(from: codes, count: count)
    case .bits(let width):
      unsafe Self.packBits(codes, count: count, width: width, into: target, bytes.count)
    case .fiveTrits:
      for index in 0..<bytes.count {
        let t = unsafe codes + index * 5
        let low = unsafe t[0] &+ 3 &* t[1] &+ 9 &* t[2]
        unsafe target[index] = unsafe low &+ 27 &* t[3] &+ 81 &* t[4]
      }
    }
  }

  /// Eight codes at a time: neighbours are pushed together in three steps.
  @unsafe private static func packBits(
    _ codes: UnsafeMutablePointer<UInt8>, count: Int, width: Int,
    into target: UnsafeMutablePointer<UInt8>, _ byteCount: Int
  ) {
    let gap = UInt64(8 - width)
    let pairs = ((UInt64(1) << UInt64(2 * width)) - 1) &* 0x0001_0001_0001_0001
    let fours = ((UInt64(1) << UInt64(4 * width)) - 1) &* 0x0000_0001_0000_0001
    var byte = 0
    for start in stride(from: 0, to: count, by: 8) {
      let raw = unsafe UnsafeRawPointer(codes + start)
      var x = unsafe UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
      x = (x | (x &>> gap)) & pairs
      x = (x | (x &>> (2 &* gap))) & fours
      x |= x &>> (4 &* gap)
      for _ in 0..<min(width, byteCount - byte) {
        unsafe target[byte] = UInt8(truncatingIfNeeded: x)
        x &>>= 8
        byte += 1
      }
    }
  }
}
