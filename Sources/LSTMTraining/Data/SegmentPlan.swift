internal import LSTMCore

/// The segments of one epoch, in order.
struct SegmentPlan: Sendable {
  /// A segment to come.
  struct Piece: Sendable {
    /// Where it begins: a step of the streams, or a place in `order`.
    let start: Int
    /// Its steps.
    let steps: Int
    /// Its sequences.
    let batch: Int
  }

  let pieces: [Piece]
  private let data: TrainingData
  /// The sequences in the order of this epoch.
  private let order: [Int]
  /// The length of a stream of text.
  private let length: Int

  /// Plans an epoch.
  ///
  /// - Parameters:
  ///   - data: The data.
  ///   - batch: The streams of text, or sequences at once.
  ///   - steps: The steps of a segment of text.
  ///   - varies: Whether segments of text are of random length: `steps` or, once in twenty, half of
  ///     it, and a few more or less (arXiv:1708.02182, section 5).
  ///   - seed: For random lengths and the order of sequences; in order when `nil`.
  init(_ data: TrainingData, batch: Int, steps: Int, varies: Bool, seed: UInt64?) {
    self.data = data
    var random = SeededGenerator(seed: seed ?? 0)
    switch data {
    case .text(let tokens):
      order = []
      length = tokens.count / batch
      var pieces: [Piece] = []
      var start = 0
      while start < length - 1 {
        var wanted = steps
        if varies {
          let base = random.integer(below: 20) == 0 ? (steps + 1) / 2 : steps
          wanted = max(min(5, steps), base + Int((random.normal() * 5).rounded()))
          wanted = min(wanted, steps + Self.extraSteps)
        }
        let count = min(wanted, length - 1 - start)
        pieces.append(Piece(start: start, steps: count, batch: batch))
        start += count
      }
      self.pieces = pieces
    case .sequences(let data):
      length = 0
      var order = Array(0..<data.count)
      if seed != nil { order.shuffle(using: &random) }
      self.order = order
      pieces = stride(from: 0, to: data.count, by: batch).map {
        Piece(start: $0, steps: data.steps, batch: min(batch, data.count - $0))
      }
    }
  }

  /// The steps by which a segment of random length may be longer.
  static let extraSteps = 20

  /// Whether the state goes from one segment to the next.
  var carriesState: Bool { if case .text = data { true } else { false } }

  /// What a segment holds.
  func segment(_ piece: Piece) -> TrainingSegment<Float> {
    switch data {
    case .sequences(let data):
      return data.segment(order[piece.start..<piece.start + piece.batch])
    case .text(let tokens):
      func turned(from start: Int) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(piece.steps * piece.batch)
        for step in start..<start + piece.steps {
          for stream in 0..<piece.batch { result.append(tokens[stream * length + step]) }
        }
        return result
      }
      return .tokens(turned(from: piece.start), next: turned(from: piece.start + 1))
    }
  }
}

extension TrainingSegment {
  /// The tokens that it reads; `nil` for numbers.
  var tokens: [Int32]? {
    switch self {
    case .tokens(let tokens, _), .tokenSequences(let tokens, _): tokens
    case .numbers: nil
    }
  }
}
