import DataFiles
import FileSupport
import Testing

struct CSVNumberTests {
  private func read(_ texts: [String]) throws -> [UInt32] {
    let bytes = Array(texts.joined(separator: "\n").utf8)
    return try CSVTable.read(ByteSource(name: "data.csv", bytes: bytes)).elements.map(\.bitPattern)
  }

  /// Numbers where rounding through float64, or cutting off digits, would give another float32.
  @Test func roundsAtTheEdges() throws {
    let cases: [(String, Float)] = [
      ("0", 0), ("-0", -0.0), ("0e99999999999999999999", 0), ("-0.0e-5", -0.0),
      ("16777217", 0x1p24), ("16777219", 0x1.000004p24),
      ("16777217.0000000000001", 0x1.000002p24), ("1.00000005960464477539062", 1),
      ("1.00000005960464477539063", 0x1.000002p0), ("9007199254740993", 0x1p53),
      ("3.4028235e38", .greatestFiniteMagnitude),
      (
        "340282346638528859811704183484516925440.0",
        .greatestFiniteMagnitude
      ), ("1e-45", .leastNonzeroMagnitude), ("1e-46", 0),
      ("1e-99999999999999999999", 0), ("1.17549435e-38", .leastNormalMagnitude),
      ("1.1754942e-38", .leastNormalMagnitude.nextDown), ("0.1", 0.1), ("-123.456", -123.456),
      ("9.999999999999999999e-01", 1), ("000000000000000000000000000001", 1),
      ("0.00000000000000000000000000001", 1e-29),
    ]
    let found = try read(cases.map(\.0))
    for (value, (text, expected)) in zip(found, cases) {
      #expect(value == expected.bitPattern, "\(text)")
    }
  }

  /// Compared with the standard library, which rounds correctly.
  @Test func agreesWithTheStandardLibrary() throws {
    var generator = Generator(state: 1)
    var texts: [String] = []
    for _ in 0..<20_000 {
      let bits = UInt32.random(in: 0..<0x7F80_0000, using: &generator)
      let value = Float(bitPattern: bits)
      let middle = (Double(value) + Double(value.nextUp)) / 2
      let short = Int.random(in: -99_999_999...99_999_999, using: &generator)
      let power = Int.random(in: -24...24, using: &generator)
      texts += ["\(value)", "\(-Double(value))", "\(short)e\(power)", "0.\(abs(short))"]
      if value.nextUp.isFinite { texts += ["\(middle)", "\(middle.nextUp)", "\(middle.nextDown)"] }
    }
    let expected = texts.map { Float($0)?.bitPattern }
    #expect(try read(texts) == expected)
  }

  @Test func readsBackWhatItWrites() throws {
    var generator = Generator(state: 2)
    let values = (0..<30_000).map { _ in
      let bits = UInt32.random(in: 0..<0x7F80_0000, using: &generator)
      return Bool.random(using: &generator) ? Float(bitPattern: bits) : -Float(bitPattern: bits)
    }
    let names = ["a", "b \"c\", d", "#\n;\t"]
    let text = CSVTable.text(header: names, columns: 3, elements: values)
    let table = try CSVTable.read(ByteSource(name: "data.csv", bytes: Array(text.utf8)))
    #expect(table.header == names)
    #expect(table.rowCount == 10_000)
    #expect(table.elements.map(\.bitPattern) == values.map(\.bitPattern))
  }

  @Test func writesShortNumbers() {
    #expect(
      CSVTable.text(header: ["a", "", "c d"], columns: 3, elements: [0.1, 2, 1e-7, -3, 1e20, 4])
        == "a,\"\",\"c d\"\n0.1,2.0,1e-07\n-3.0,1e+20,4.0\n")
    #expect(CSVTable.text(columns: 1, elements: []) == "")
  }
}

/// splitmix64: the same numbers on every run.
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
    return bits ^ (bits >> 31)
  }
}
