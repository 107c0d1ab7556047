import Diagnostics
import OrderedJSON
import Testing

@Suite struct OrderedJSONTests {
  private func parse(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  @Test func keepsTheOrderOfKeys() throws {
    let text = #"{"z":1,"a":[true,null,"x"],"m":{"b":-2.5,"a":1e+20}}"#
    #expect(try parse(text).serialized() == text)
  }

  @Test func readsEscapesAndSurrogates() throws {
    #expect(try parse(#""a\n\u00e9\ud83d\ude00\/""#) == .string("a\né😀/"))
    #expect(JSONValue.string("\u{1}\"\\é").serialized() == "\"\\u0001\\\"\\\\é\"")
  }

  @Test func readsTheNumbersThatPythonWrites() throws {
    #expect(
      try parse("[-0, 12, 0.5, -Infinity]") == [.integer(0), 12, .number(0.5), .number(-.infinity)])
    #expect(
      try parse("123456789012345678901234567890").doubleValue == 1.2345678901234568e29)
  }

  @Test(arguments: [
    ("", "byte 0: it ends where a value should stand"),
    ("{\"a\":1,\"a\":2}", "byte 10: the key 'a' stands twice in an object"),
    ("[1,]", "byte 3: no value begins like this"),
    ("[01]", "byte 1: no value begins like this"),
    ("1 2", "byte 2: something follows the value"),
    ("\"\\ud800\"", "byte 7: a surrogate stands alone"),
    ("\"abc", "byte 4: a string does not end"),
    ("{\"a\" 1}", "byte 5: a colon should follow the key 'a'"),
    (String(repeating: "[", count: 200), "byte 128: it is nested deeper than 128 levels"),
  ])
  func namesTheFault(text: String, problem: String) {
    #expect(throws: DiagnosticError(.malformedJSON, "is not valid JSON at \(problem)")) {
      try parse(text)
    }
  }

  @Test func acceptsTheDepthLimitItself() throws {
    let text = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
    #expect(try parse(text).serialized() == text)
  }
}
