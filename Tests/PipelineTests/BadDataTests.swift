import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Data that do not fit, and models that do not match: each gives its error, in these words.
@Suite struct BadDataTests {
  struct Case: Sendable, CustomStringConvertible {
    var name: String
    /// Arguments; `{numbers}` and `{characters}` stand for the two models.
    var arguments: [String]
    var exitCode: Int32
    var text: String
    var input: String?

    var description: String { name }
  }

  /// `[any, 6, 4]` in, `[any, 5]` out.
  private static let numbers = fixture("runtime/activation_relu_k2_h5.h5").path
  private static let characters = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path
  private static let vocabulary = repositoryRoot
    .appending(path: "examples/char-lm/vocab.json").path

  /// The files that the cases name.
  private static func writeFiles(to folder: URL) throws {
    func write(_ name: String, _ dims: [Int], _ values: [Float]) throws {
      try Data(
        try ArrayFile.bytes(of: [(name: "x", tensor: Tensor(dims, values))], ending: "npy")
      ).write(to: folder.appending(path: name))
    }
    func text(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: folder.appending(path: name))
    }
    let ones = [Float](repeating: 1, count: 48)
    try write("good.npy", [2, 6, 4], ones)
    try write("features.npy", [2, 6, 3], [Float](ones.prefix(36)))
    try write("steps.npy", [2, 5, 4], [Float](ones.prefix(40)))
    try write("flat.npy", [48], ones)
    try write("nan.npy", [2, 6, 4], [Float](ones.prefix(47)) + [.nan])
    try write("none.npy", [0, 6, 4], [])
    try write("half-labels.npy", [2], [0.5, 1])
    try write("three-labels.npy", [3], [0, 1, 0])
    try text("empty.csv", "")
    try text("short.csv", "1,2,3,4\n1,2,3,4\n")
    try text("words.csv", "1,2,3,4\n1,2,x,4\n")
    try text("ragged.csv", "1,2,3,4\n1,2,3\n")
    try text("empty.txt", "")
    try text("one.txt", "a")
    try text("text.txt", "It was a dark night.\nIt was.\n")
    try text("other-vocab.json", "[\"a\", \"b\"]")
    try text("twice.json", "[\"a\", \"a\"]")
    try text("numbers.json", "[1, 2]")
    try Data("PK\u{3}\u{4}not a zip".utf8).write(to: folder.appending(path: "broken.npz"))
    try Data(
      try ArrayFile.bytes(
        of: [
          (name: "a", tensor: Tensor([2, 6, 4], ones)),
          (name: "b", tensor: Tensor([2, 6, 4], ones)),
        ], ending: "npz")
    ).write(to: folder.appending(path: "two.npz"))
  }

  static let cases: [Case] = [
  ]

  @Test(arguments: cases)
  func badDataAreRefusedInTheseWords(_ item: Case) throws {
    try withTemporaryFolder { folder in
      try Self.writeFiles(to: folder)
      let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      let arguments = item.arguments.map {
        $0 == "{numbers}" ? Self.numbers : $0 == "{characters}" ? Self.characters
          : $0 == "{vocabulary}" ? Self.vocabulary : $0
      }
      var input: URL?
      if let text = item.input {
        input = folder.appending(path: "input")
        try Data(text.utf8).write(to: folder.appending(path: "input"))
      }
      let run = try CommandRun(arguments, in: folder, input: input)
      let found = run.errors
        .replacingOccurrences(of: Self.numbers, with: "{numbers}")
        .replacingOccurrences(of: Self.characters, with: "{characters}")
        .trimmingCharacters(in: .newlines)
      #expect(run.exitCode == item.exitCode, "\(found)")
      #expect(found == item.text)
      try? FileManager.default.removeItem(at: folder.appending(path: "input"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
    }
  }
}
