import Diagnostics
import Testing

struct SuggestionTests {
  private static let commands = [
    "analyze", "bench", "compress", "eval", "export", "inspect", "lowrank", "quantize", "run",
    "search", "train", "verify",
  ]

  @Test(arguments: [
    ("quantise", "quantize"), ("quantzie", "quantize"), ("quant", "quantize"), ("Eval", "eval"),
    ("analyse", "analyze"), ("evaluate", "eval"), ("low-rank", "lowrank"), ("inpsect", "inspect"),
    ("comprss", "compress"), ("veryfy", "verify"), ("rnu", "run"),
  ])
  func nearWordsAreFound(word: String, expected: String) {
    #expect(Suggestion.nearest(to: word, among: Self.commands) == expected)
  }

  @Test(arguments: ["", "model.h5", "x", "frobnicate", String(repeating: "quantize", count: 9)])
  func farWordsAreNot(word: String) {
    #expect(Suggestion.nearest(to: word, among: Self.commands) == nil)
  }

  @Test func oneLetterIsNoSlip() {
    #expect(Suggestion.nearest(to: "5", among: ["1", "2", "ternary"]) == nil)
    #expect(Suggestion.nearest(to: "tenary", among: ["1", "2", "ternary"]) == "ternary")
  }

  @Test func theQuestionComesBeforeTheHint() {
    let error = DiagnosticError(.limitExceeded, "there is no 'bit'", hint: "there is one")
    #expect(
      error.suggesting(for: "bit", among: ["bits"], prefix: "--").description
        == "there is no 'bit'; did you mean '--bits'? there is one")
    #expect(error.suggesting(for: "none", among: ["bits"]) == error)
  }
}
