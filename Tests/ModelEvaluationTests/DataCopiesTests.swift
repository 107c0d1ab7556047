import Checkpoints
import FileSupport
import Foundation
import LSTMCore
import ModelEvaluation
import TestSupport
import Testing

/// Data that are made of few: like them, but not the same.
@Suite struct DataCopiesTests {
  private static func model(_ path: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: repositoryRoot.appending(path: path).path),
      options: ImportOptions()
    ).model
  }

  private static func copies(_ inputs: [String: Tensor], count: Int, number: Int = 0) throws
    -> [String: Tensor]?
  {
    let model = try model("examples/char-lm/char-lm.h5")
    let data = EvaluationData(content: .sequences(inputs))
    let maker = DataCopies(data, for: model, seed: 3, threads: 1)
    guard let made = try maker?.adding(to: data, copies: count, number: number),
      case .sequences(let all) = made.content
    else { return nil }
    #expect(made.count == data.count * (1 + count))
    return all
  }

  /// Three features: one that varies, one of two values, one that is padded with -7.
  private static let mixed: Tensor = {
    var random = SeededGenerator(seed: 1)
    var values: [Float] = []
    for _ in 0..<6 {
      for step in 0..<10 {
        values += [random.normal(), step % 3 == 0 ? 1 : 0, step < 4 ? -7 : random.normal()]
      }
    }
    return Tensor(dims: [6, 10, 3], elements: .floats(values))
  }()

  @Test func numbersAreMixedWithinTheirRange() throws {
    let inputs = [
      "x": Self.mixed, "length": Tensor(dims: [6], elements: .integers([4, 5, 6, 7, 8, 9])),
    ]
    let first = try #require(try Self.copies(inputs, count: 3))
    let values = try #require(first["x"]?.floats)
    let own = try #require(Self.mixed.floats)
    #expect(Array(values[..<own.count]) == own)
    let lengths = try #require(first["length"]?.integers)
    let expected = (0..<24).map { 4 + $0 % 6 }
    #expect(lengths == expected)
    var changed = 0
    for index in own.count..<values.count {
      let source = own[index % own.count]
      switch index % 3 {
      case 1: #expect(values[index] == source)
      case 2 where source == -7: #expect(values[index] == source)
      default:
        let range = own.indices.filter { $0 % 3 == index % 3 && own[$0] != -7 }.map { own[$0] }
        let (low, high) = (try #require(range.min()), try #require(range.max()))
        #expect((low...high).contains(values[index]))
        if abs(values[index] - source) > 1e-3 { changed += 1 }
      }
    }
    #expect(changed > 180, "\(changed) of 288")
    let again = try Self.copies(inputs, count: 3)
    #expect(again?["x"] == first["x"])
    let other = try Self.copies(inputs, count: 3, number: 1)
    #expect(other?["x"] != first["x"])
  }

  /// Tokens are those of one sequence before the cut, and of another after it.
  @Test func integersAreCut() throws {
    let tokens = Tensor(
      dims: [5, 8], elements: .integers((0..<40).map { Int64($0 / 8 * 100 + $0 % 8) }))
    let made = try #require(try Self.copies(["x": tokens], count: 4)?["x"]?.integers)
    var cut = 0
    for sequence in 5..<25 {
      let row = Array(made[sequence * 8..<(sequence + 1) * 8])
      let steps = row.map { $0 % 100 }
      #expect(steps == Array(0..<8))
      let sources = row.map { $0 / 100 }
      let changes = zip(sources, sources.dropFirst()).count { $0 != $1 }
      #expect(changes <= 1)
      if Set(sources).count == 2 { cut += 1 }
    }
    #expect(cut > 5)
  }

  /// What cannot differ is not copied.
  @Test func oneSequenceOfTwoValuesHasNoCopies() throws {
    let bits = Tensor(dims: [1, 6, 1], elements: .floats([0, 1, 0, 0, 1, 1]))
    #expect(try Self.copies(["x": bits], count: 2) == nil)
    let tokens = Tensor(dims: [1, 6], elements: .integers([3, 1, 2, 5, 4, 0]))
    #expect(try Self.copies(["x": tokens], count: 2) == nil)
  }

  /// A language model goes on from tokens of the text.
  @Test func textIsWritten() throws {
    let model = try Self.model("examples/char-lm/char-lm.h5")
    let words = Array(1...20) + Array(1...20)
    let text = EvaluationData(content: .text(tokens: words, streams: 2))
    let maker = try #require(DataCopies(text, for: model, seed: 1, threads: 1))
    #expect(maker.kind == .written)
    var found: [[Int]] = []
    for threads in [1, 2] {
      let maker = try #require(DataCopies(text, for: model, seed: 1, threads: threads))
      let made = try maker.adding(to: text, copies: 3, number: 2)
      guard case .text(let tokens, let streams) = made.content else { return }
      #expect(streams == 8 && tokens.count == 160)
      #expect(Array(tokens[..<40]) == words)
      let starts = (2..<8).map { tokens[$0 * 20] }
      #expect(Set(starts).isSubset(of: Set(words)))
      found.append(tokens)
    }
    #expect(found[0] == found[1])
    let written = Set((2..<8).map { Array(found[0][$0 * 20..<($0 + 1) * 20]) })
    #expect(written.count == 6)
  }
}
