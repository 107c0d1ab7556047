import LSTMCore
import Testing

@Suite struct HalfTests {
  /// `Float16` is the reference.
  @Test func everyBitPatternHasItsValue() {
    var wrong: [UInt16] = []
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let found = Float(half: bits)
      let isSame =
        expected.isNaN
        ? found.isNaN && !found.isSignalingNaN && found.sign == expected.sign
        : found.bitPattern == expected.bitPattern
      if !isSame { wrong.append(bits) }
    }
    #expect(wrong == [])
  }
}
