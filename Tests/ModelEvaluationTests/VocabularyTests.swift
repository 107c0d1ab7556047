import Diagnostics
import FileSupport
import ModelEvaluation
import Testing

/// Texts become numbers as the trainers of language models cut them.
@Suite struct VocabularyTests {
  private func vocabulary(_ text: String) throws -> Vocabulary {
    try Vocabulary(ByteSource(name: "v", bytes: Array(text.utf8)))
  }

  private func numbers(_ text: String, _ vocabulary: Vocabulary) throws -> [Int] {
    try vocabulary.numbers(in: ByteSource(name: "t", bytes: Array(text.utf8)))
  }

  @Test func wordsEndLinesWithTheirToken() throws {
    let words = try vocabulary(#"["the", "cat", "<unk>", "<eos>"]"#)
    #expect(!words.isOfCharacters)
    #expect(try numbers(" the cat \nthe dog\n\n", words) == [0, 1, 3, 0, 2, 3, 3])
    // A last line without a line end is a line, too.
    #expect(try numbers("the\ncat", words) == [0, 3, 1, 3])
    #expect(try numbers("the\r\ncat\r\n", words) == [0, 3, 1, 3])
  }

  @Test func charactersAreTakenAsTheyStand() throws {
    let characters = try vocabulary("{\"a\": 0, \"b\": 1, \" \": 2, \"\\n\": 3, \"<s>\": 4}")
    #expect(characters.isOfCharacters)
    #expect(try numbers("a b\nb", characters) == [0, 2, 1, 3, 1])
    #expect(try numbers("a\n", characters) == [0, 3])
    let error = try #require(throws: DiagnosticError.self) { try numbers("a\nax", characters) }
    #expect(
      error.description
        == "t: line 2: the token 'x' is not in the vocabulary of 5; give the vocabulary that the "
        + "model was trained with, or one with <unk>")
  }

  @Test func threeFormsAreRead() throws {
    #expect(try vocabulary("a\nb\r\nc\n").tokens == ["a", "b", "c"])
    #expect(try vocabulary(#"["a", "b"]"#).tokens == ["a", "b"])
    // Numbers may leave holes, as those that begin with 1 do.
    #expect(try vocabulary(#"{"b": 2, "a": 1}"#).tokens == ["", "a", "b"])
  }

  @Test(arguments: [
    (#"["a", 1]"#, "v: is a list of other things than texts"),
    (#"["a", "a"]"#, "v: has the token 'a' twice, as 0 and 1"),
    (#"{"a": -1}"#, "v: has no number from 0 for the token 'a'"),
    (
      #"{"a": 99999999999}"#,
      "v: has the number 99999999999 for the token 'a': expected numbers below 1088 for its 1 tokens"
    ),
    (
      #"{"a": 0, "b": 1152}"#,
      "v: has the number 1152 for the token 'b': expected numbers below 1152 for its 2 tokens"
    ),
    (#"{"a": 0, "b": 0}"#, "v: has the number 0 for 'a' and 'b'"), ("", "v: has no tokens"),
    ("[]", "v: has no tokens"),
  ])
  func otherThingsAreRefused(text: String, message: String) throws {
    let error = try #require(throws: DiagnosticError.self) { try vocabulary(text) }
    #expect(error.description == message)
  }

  /// Tokens that a text has once become `<unk>`, the last ones, up to one token in ten.
  @Test(
    arguments: [
      // 21 tokens with the line ends, so two may go: of x, y and z the last two.
      (
        "x a b a b a b a b\na b a b a b y\na z\n", false,
        ["x", "a", "b", "<eos>", "<unk>"], 2
      ),
      // A text with an unknown token keeps all words.
      ("a a a a a a a a a a a b <unk>", false, ["a", "b", "<unk>", "<eos>"], nil),
      ("a a a a a a a a a a a b [UNK]", false, ["a", "b", "[UNK]", "<eos>"], nil),
      // The end of the only line is not rare, and nothing else is.
      ("a a a a a a a a a a a", false, ["a", "<eos>", "<unk>"], 0),
      ("abababababababababac", true, ["a", "b", "<unk>"], 1),
    ] as [(String, Bool, [String], Int?)])
  func rareTokensBecomeUnknown(
    text: String, isOfCharacters: Bool, tokens: [String], count: Int?
  ) throws {
    let source = ByteSource(name: "t", bytes: Array(text.utf8))
    let made = try Vocabulary(of: source, isOfCharacters: isOfCharacters, makesUnknown: true)
    #expect(made.tokens == tokens)
    #expect(made.tokensMadeUnknown == count)
    // What is written is read as the same.
    let read = try vocabulary(made.json)
    #expect(read.isOfCharacters == isOfCharacters)
    #expect(try read.numbers(in: source) == made.numbers(in: source))
    let other = ByteSource(name: "t", bytes: Array("a q".utf8))
    if !isOfCharacters { #expect(try read.numbers(in: other).count == 3) }
    let whole = try Vocabulary(of: source, isOfCharacters: isOfCharacters)
    #expect(whole.tokensMadeUnknown == nil)
    #expect(whole.tokens.contains("<unk>") == text.contains("<unk>"))
  }
}
