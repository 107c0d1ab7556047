import Diagnostics
import LSTMCore
import Testing

@Suite struct NodeSettingsTests {
  private func node(_ value: GraphAttribute?) -> GraphNode {
    GraphNode(
      name: "conv", operation: "keras.Conv1D", attributes: value.map { ["dilation": $0] } ?? [:],
      inputs: [], outputs: [])
  }

  @Test func anAbsentSettingHasItsDefault() throws {
    let node = node(nil)
    #expect(try node.size("dilation", default: 1) == 1)
    #expect(try node.integer("dilation") == nil)
    #expect(try node.integers("dilation") == nil)
    #expect(try node.float("dilation", default: 0.5) == 0.5)
    #expect(try node.flag("dilation", default: true))
    #expect(try node.text("dilation") == nil)
  }

  @Test func aMissingSettingWithoutDefaultIsNamed() {
    expect("conv: keras.Conv1D: lacks the setting 'dilation'") { try node(nil).size("dilation") }
  }

  @Test(
    arguments: [
      (.number(9_223_372_036_854_775_807), "9.223372036854776e+18"),
      (.number(4_611_686_018_427_387_904), "4611686018427387904"), (.number(0), "0"),
      (.number(-1), "-1"), (.number(1.5), "1.5"), (.number(.nan), "nan"), (.text("2"), "'2'"),
      (.numbers([2]), "[2]"),
    ] as [(GraphAttribute, String)])
  func aWrongSizeIsNeverTheDefault(value: GraphAttribute, found: String) {
    expect(
      "conv: keras.Conv1D: the setting 'dilation': expected an integer from 1 to 16777216, found "
        + found
    ) { try node(value).size("dilation", default: 1) }
  }

  @Test func otherKindsAreChecked() {
    let lead = "conv: keras.Conv1D: the setting 'dilation': expected "
    expect(lead + "an integer from 0 to 1, found 2") { try node(.number(2)).flag("dilation") }
    expect(lead + "text, found 1") { try node(.number(1)).text("dilation") }
    expect(lead + "a number of float32, found 1e+300") {
      try node(.number(1e300)).float("dilation")
    }
    expect(lead + "a list of integers from -64 to 64, found [1, 65]") {
      try node(.numbers([1, 65])).integers("dilation", in: .axes)
    }
    expect(lead + "an integer from -64 to 64, found 65") {
      try node(.number(65)).integer("dilation", default: 0, in: .axes)
    }
    expect(lead + "a list of float32 numbers, found 'x'") {
      try node(.text("x")).floats("dilation")
    }
  }

  @Test func infinityIsANumber() throws {
    #expect(try node(.number(.infinity)).float("dilation") == .infinity)
  }

  @Test(
    arguments: [
      ([.numbers([2, 2]), .numbers([1, 2, 3])], "has 3 elements for the shape [2, 2]"),
      (
        [.numbers([2_147_483_648, 2_147_483_648]), .numbers([1])],
        "the constant declares [2147483648, 2147483648] elements, above the limit of 2147483648"
      ),
      (
        [.numbers([-1]), .numbers([1])],
        "the setting 'shape': expected a list of integers from 0 to 1099511627776, found [-1]"
      ),
    ] as [([GraphAttribute], String)])
  func aConstantHasAsManyElementsAsItsShape(parts: [GraphAttribute], problem: String) {
    let node = GraphNode(
      name: "c", operation: "constant", attributes: ["shape": parts[0], "floats": parts[1]],
      inputs: [], outputs: ["c"])
    expect("c: constant: " + problem) { try node.constantTensor() }
  }

  private func expect<Value>(_ text: String, _ body: () throws -> Value) {
    #expect { try body() } throws: { error in
      (error as? DiagnosticError).map { $0.code == .badSetting && "\($0)" == text } ?? false
    }
  }
}
