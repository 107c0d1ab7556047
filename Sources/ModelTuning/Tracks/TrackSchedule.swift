import Diagnostics
import LSTMCore

/// In which order sequences are learned from: groups of them side by side, each in pieces from its beginning to its end.
///
/// It follows from a seed alone.
struct TrackSchedule: Sendable {
  /// A piece of a group.
  struct Piece: Sendable {
    let tracks: [Int]
    let steps: Range<Int>
    /// Whether states begin anew.
    var isFirst: Bool { steps.lowerBound == 0 }
  }

  /// The steps that one update learns from, about.
  private static let stepsPerUpdate = 1280
  /// The fewest and most sequences side by side.
  private static let rowLimits = 8...128
  /// Sequences up to this length are learned from whole.
  private static let wholeLength = 64
  /// The length of the pieces of longer ones.
  private static let pieceLength = 32
  /// The same where only what comes last tells, or a direction reads from the end.
  private static let longestWhole = 1024

  private let lengths: [Int]
  private let seed: UInt64
  /// The steps of the longest piece.
  let pieceSteps: Int
  /// The most sequences of a group.
  let rows: Int
  private var epoch = 0
  private var pieces: [Piece] = []
  private var next = 0

  /// - Parameters:
  ///   - lengths: The steps of each sequence.
  ///   - isWhole: Whether sequences are not to be cut.
  ///   - seed: The seed.
  init(lengths: [Int], isWhole: Bool, seed: UInt64) {
    self.seed = seed
    let longest = lengths.max() ?? 1
    let limit = isWhole ? Self.longestWhole : Self.wholeLength
    if longest <= limit {
      pieceSteps = longest
      self.lengths = lengths
    } else if isWhole {
      pieceSteps = Self.longestWhole
      self.lengths = lengths.map { min($0, Self.longestWhole) }
    } else {
      let count = (longest - 1) / Self.pieceLength + 1
      pieceSteps = (longest - 1) / count + 1
      self.lengths = lengths
    }
    rows = Self.rows(of: lengths.count, pieceSteps: pieceSteps)
  }

  /// How many of some sequences are side by side.
  private static func rows(of count: Int, pieceSteps: Int) -> Int {
    min(count, max(rowLimits.lowerBound, min(rowLimits.upperBound, stepsPerUpdate / pieceSteps)))
  }

  /// The steps that an update would read, at most, were each sequence there N times.
  func stepsPerUpdate(times: Int) -> Int {
    Self.rows(of: saturatingProduct(lengths.count, times), pieceSteps: pieceSteps) * pieceSteps
  }

  /// How far it is: which pass, and how many of its pieces were given.
  var position: Position { Position(epoch: epoch, next: next) }

  /// A place in the order.
  struct Position: Codable, Sendable {
    var epoch: Int
    var next: Int
  }

  /// Goes on from a place.
  ///
  /// - Returns: Whether there is one.
  mutating func go(to position: Position) -> Bool {
    guard position.epoch >= 0, position.next >= 0 else { return false }
    guard position.epoch > 0 else { return position.next == 0 }
    epoch = position.epoch - 1
    begin()
    next = position.next
    return next <= pieces.count
  }

  /// The next piece.
  mutating func nextPiece() -> Piece {
    if next == pieces.count { begin() }
    defer { next += 1 }
    return pieces[next]
  }

  /// Orders the groups of another pass over all sequences.
  private mutating func begin() {
    var random = SeededGenerator(seed: seed &+ UInt64(epoch))
    epoch += 1
    next = 0
    // Sequences with as many pieces stand together.
    let order = lengths.indices.shuffled(using: &random).enumerated()
      .sorted { (pieceCount($0.element), $0.offset) < (pieceCount($1.element), $1.offset) }
      .map(\.element)
    let groupCount = max(1, (order.count + rows - 1) / rows)
    var groups = (0..<groupCount).map { group in
      Array(order[order.count * group / groupCount..<order.count * (group + 1) / groupCount])
    }
    groups.shuffle(using: &random)
    pieces = groups.flatMap { group in
      let count = group.map(pieceCount).max() ?? 1
      return (0..<count).map { piece in
        Piece(tracks: group, steps: piece * pieceSteps..<(piece + 1) * pieceSteps)
      }
    }
  }

  private func pieceCount(_ track: Int) -> Int { (lengths[track] - 1) / pieceSteps + 1 }
}
