import Diagnostics
import Testing

@Suite struct DiagnosticErrorTests {
  @Test func theTextSaysFileObjectProblemHint() {
    let error = DiagnosticError(
      .fileAccess, object: "lstm/kernel", "expected 4, found 3", hint: "a GRU has 3 gates")
    #expect("\(error)" == "lstm/kernel: expected 4, found 3; a GRU has 3 gates")
    #expect(
      "\(error.inFile("a.h5"))" == "a.h5: lstm/kernel: expected 4, found 3; a GRU has 3 gates")
  }

  @Test func theFirstNameOfAFileOrObjectStays() {
    let error = DiagnosticError(.fileAccess, file: "inner", object: "x", "p")
    #expect(error.inFile("outer").file == "inner")
    #expect(error.atObject("y").object == "x")
  }
}

@Suite struct CheckedProductTests {
  @Test(arguments: [([], 1), ([3, 4], 12), ([0, 10, 10], 0), ([10, 10], 100)])
  func multiplies(sizes: [Int], product: Int) throws {
    #expect(try checkedProduct(sizes, limit: 100, of: "x") == product)
  }

  @Test(arguments: [
    ([-1, 2], "x has a negative size in [-1, 2]"),
    // Part of the sizes is multiplied, too.
    ([0, 11, 11], "x declares [0, 11, 11] elements, above the limit of 100"),
    ([101], "x declares [101] elements, above the limit of 100"),
    (
      [1 << 40, 1 << 40],
      "x declares [1099511627776, 1099511627776] elements, above the limit of 100"
    ),
  ])
  func refuses(sizes: [Int], text: String) {
    #expect(throws: DiagnosticError(.limitExceeded, text)) {
      try checkedProduct(sizes, limit: 100, of: "x")
    }
  }
}
