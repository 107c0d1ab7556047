import Diagnostics
import LSTMCore
import LSTMTraining

/// Tunes LSTMs of which each reads what the one before makes, so that the last one's outputs are those of the original.
///
/// One update: a piece of some sequences goes forward and back in chunks whose number does not depend on the threads;
/// then parameters move.
@safe final class ChainTuning: @unchecked Sendable {
  private let links: [ChainTape<Float>.Link]
  private let tracks: [TuningTrack]
  let loss: ChainLoss
  private let readsLastStep: Bool
  private let threads: Int
  /// By set of weights and direction.
  private let learning: [Int: [TunedDirection]]
  /// The sets in the order of the chain, each once.
  private let sets: [Int]
  private let chain: [TunedNode]
  private var schedule: TrackSchedule
  private let chunks: [Chunk]
  private var updates = 0

  /// What one chunk works with.
  private struct Chunk {
    let tape: ChainTape<Float>
    /// By set and direction.
    let sums: [Int: [CellGradients<Float>]]
    let targets: NumberBuffer<Float>
  }

  /// The maximum number of chunks into which sequences are cut, and the minimum of sequences in each.
  private static let chunkCount = 4
  private static let rowsPerChunk = 4

  init(
    _ chain: [TunedNode], original: Model, compressed: Model, tracks: [TuningTrack],
    loss: ChainLoss, readsLastStep: Bool, seed: UInt64, threads: Int
  ) {
    self.chain = chain
    self.loss = loss
    self.tracks = tracks
    self.readsLastStep = readsLastStep
    self.threads = threads
    var learning: [Int: [TunedDirection]] = [:]
    var sets: [Int] = []
    for place in chain where learning[place.weights] == nil {
      let set = compressed.lstmWeights[place.weights]
      let before = original.lstmWeights[place.weights]
      learning[place.weights] = zip(set.directions, before.directions).map {
        TunedDirection($0, original: $1, of: set)
      }
      sets.append(place.weights)
    }
    self.learning = learning
    self.sets = sets
    links = chain.compactMap { place in
      guard case .lstm(let layer) = original.layers[place.layer].kind,
        let directions = learning[place.weights]
      else { return nil }
      return ChainTape.Link(
        layer: layer, maps: directions.map(\.maps),
        rules: directions.indices.map {
          CellRule(
            layer, direction: $0,
            weights: compressed.lstmWeights[place.weights].directions[$0])
        })
    }
    let readsBackwards = links.contains { link in
      link.layer.directions.contains { $0.direction == .backward }
    }
    schedule = TrackSchedule(
      lengths: tracks.map(\.steps), isWhole: readsLastStep || readsBackwards, seed: seed)
    let count = max(1, min(Self.chunkCount, schedule.rows / Self.rowsPerChunk))
    let rows = (schedule.rows + count - 1) / count
    let (links, steps) = (self.links, schedule.pieceSteps)
    chunks = (0..<count).map { _ in
      Chunk(
        tape: ChainTape(links, rows: rows, steps: steps),
        sums: learning.mapValues { $0.map { CellGradients($0.maps) } },
        targets: NumberBuffer(
          rows * steps * max(loss.main?.targetWidth ?? 0, links.map(\.width).max() ?? 0)))
    }
  }

  /// The elements that are kept of a step.
  var elementsPerStep: Int { tracks.first?.elementsPerStep ?? 1 }

  /// The steps that an update reads, at most, of data with some copies.
  func stepsPerUpdate(copies: Int) -> Int { schedule.stepsPerUpdate(times: 1 + copies) }

  /// Why it cannot be tuned; `nil` when it can.
  var obstacle: String? {
    if !learning.values.joined().contains(where: \.learns) {
      return "none of its matrices has numbers that can learn"
    }
    if let obstacle = links.lazy.flatMap(\.rules).compactMap(\.obstacle).first { return obstacle }
    return tracks.isEmpty ? "no step of the data reaches it" : nil
  }

  /// Learns from one piece.
  ///
  /// - Parameter share: The share of the rates that the schedule leaves; `nil` to try how long an update takes, and change nothing.
  /// - Returns: The mean loss of the piece.
  @discardableResult
  func update(share: Double?) -> Double {
    for set in sets { for direction in learning[set] ?? [] { direction.write(threads: threads) } }
    var ahead = schedule
    let piece = ahead.nextPiece()
    let parts = parts(of: piece)
    let counted =
      readsLastStep
      ? piece.tracks.count : piece.tracks.reduce(0) { $0 + self.steps(of: $1, piece).count }
    let scale = 1 / Float(max(1, counted))
    let sums = mapTasks(chunks.count, threads: threads) { index in
      run(chunks[index], parts[index], piece, scale: scale)
    }
    for set in sets {
      for direction in (learning[set] ?? []).indices {
        for chunk in chunks.dropFirst() {
          if let own = chunks[0].sums[set], let other = chunk.sums[set] {
            own[direction].add(other[direction])
          }
        }
      }
    }
    if let share {
      schedule = ahead
      updates += 1
      let step = TuningStep(number: updates, share: share)
      for set in sets {
        for (direction, tuned) in (learning[set] ?? []).enumerated() where tuned.learns {
          if let sums = chunks[0].sums[set] {
            tuned.update(sums[direction], step, threads: threads)
          }
        }
      }
    }
    return sums.reduce(0, +) / Double(max(1, counted))
  }

  /// The sequences of a piece for each chunk.
  private func parts(of piece: TrackSchedule.Piece) -> [[Int]] {
    let count = piece.tracks.count
    return (0..<chunks.count).map {
      Array(piece.tracks[count * $0 / chunks.count..<count * ($0 + 1) / chunks.count])
    }
  }

  /// The steps of a sequence that are in a piece.
  private func steps(of track: Int, _ piece: TrackSchedule.Piece) -> Range<Int> {
    piece.steps.clamped(to: 0..<tracks[track].steps)
  }

  /// One chunk of a piece, forward and back.
  private func run(
    _ chunk: Chunk, _ own: [Int], _ piece: TrackSchedule.Piece, scale: Float
  ) -> Double {
    for sums in chunk.sums.values.joined() { sums.clear() }
    guard !own.isEmpty else { return 0 }
    let tape = chunk.tape
    if piece.isFirst {
      tape.begin(rows: own.count) { link, direction, row in
        tracks[own[row]].starts[link][direction]
      }
    } else {
      tape.carryStates()
    }
    let ranges = own.map { steps(of: $0, piece) }
    let lengths = ranges.map(\.count)
    let longest = lengths.max() ?? 0
    guard longest > 0, let inputs = links.first?.maps.first?.inputs else { return 0 }
    for (row, track) in own.enumerated() {
      gather(
        tracks[track].x, ranges[row], width: inputs, rows: own.count, row: row, to: tape.x)
    }
    tape.forward(lengths: lengths, steps: longest)
    var sum = 0.0
    for (index, link) in links.enumerated() {
      let gradient = tape.gradients[index]
      let rows = longest * own.count
      unsafe gradient.start.update(repeating: 0, count: rows * link.width)
      let isLast = index == links.count - 1
      guard loss.share > 0 || isLast else { continue }
      let targetWidth = isLast ? loss.main?.targetWidth ?? link.width : link.width
      for (row, track) in own.enumerated() {
        gather(
          tracks[track].targets[index], ranges[row], width: targetWidth, rows: own.count, row: row,
          to: chunk.targets)
      }
      // Steps after the end of a sequence have no loss: their targets are what is there.
      for (row, length) in lengths.enumerated() {
        for step in length..<longest {
          let place = step * own.count + row
          unsafe (chunk.targets.start + place * targetWidth).update(
            from: tape.outputs[index].start + place * link.width, count: link.width)
        }
      }
      if loss.share > 0 {
        let all = Float(lengths.reduce(0, +))
        sum +=
          unsafe loss.hidden[index].add(
            tape.outputs[index].start, chunk.targets.start, rows: rows, to: gradient.start,
            scale: loss.share * (readsLastStep ? Float(own.count) / all * scale : scale))
          * Double(loss.share) * (readsLastStep ? Double(own.count) / Double(all) : 1)
      }
      guard isLast, let main = loss.main else { continue }
      if readsLastStep {
        sum += lastSteps(tape, chunk, main, ranges, own, link, scale)
      } else {
        unsafe sum += main.add(
          tape.outputs[index].start, chunk.targets.start, rows: rows, to: gradient.start,
          scale: scale)
      }
    }
    tape.backward(addingTo: chain.map { chunk.sums[$0.weights] ?? [] })
    return sum
  }

  /// The main loss at what each direction computes last.
  private func lastSteps(
    _ tape: ChainTape<Float>, _ chunk: Chunk, _ main: any HiddenLoss, _ ranges: [Range<Int>],
    _ own: [Int], _ link: ChainTape<Float>.Link, _ scale: Float
  ) -> Double {
    let index = links.count - 1
    let rows = own.indices.filter {
      ranges[$0].upperBound == tracks[own[$0]].steps && !ranges[$0].isEmpty
    }
    guard !rows.isEmpty else { return 0 }
    let outputs = NumberBuffer<Float>(rows.count * link.width)
    let targets = NumberBuffer<Float>(rows.count * link.width)
    let gradients = NumberBuffer<Float>(rows.count * link.width)
    func forEachElement(_ body: (_ packed: Int, _ own: Int, _ count: Int) -> Void) {
      for (place, row) in rows.enumerated() {
        var first = 0
        for (direction, maps) in link.maps.enumerated() {
          let settings = link.layer.directions[direction]
          let isFirstStep = settings.direction == .backward && !settings.keepsComputedOrder
          let step = isFirstStep ? 0 : ranges[row].count - 1
          body(
            place * link.width + first, (step * own.count + row) * link.width + first,
            maps.outputs)
          first += maps.outputs
        }
      }
    }
    forEachElement { packed, own, count in
      unsafe (outputs.start + packed).update(from: tape.outputs[index].start + own, count: count)
      unsafe (targets.start + packed).update(from: chunk.targets.start + own, count: count)
    }
    let loss = unsafe main.add(
      outputs.start, targets.start, rows: rows.count, to: gradients.start, scale: scale)
    forEachElement { packed, own, count in
      for element in 0..<count {
        unsafe tape.gradients[index].start[own + element] += gradients.start[packed + element]
      }
    }
    return loss
  }

  /// Copies steps of a sequence to where they stand in a segment.
  private func gather(
    _ values: [Float], _ range: Range<Int>, width: Int, rows: Int, row: Int,
    to buffer: NumberBuffer<Float>
  ) {
    unsafe values.withUnsafeBufferPointer { values in
      guard let start = values.baseAddress else { return }
      for (step, time) in range.enumerated() {
        unsafe (buffer.start + (step * rows + row) * width).update(
          from: start + time * width, count: width)
      }
    }
  }

  // MARK: - Going on

  private var directions: [TunedDirection] { sets.flatMap { learning[$0] ?? [] } }

  /// All parameters.
  var learned: [[Float]] {
    get { directions.flatMap(\.learned).map(\.values) }
    set {
      for (buffer, values) in zip(directions.flatMap(\.learned), newValue) {
        buffer.values = values
      }
    }
  }

  /// The means of the parameters over the last updates.
  var averaged: [[Float]] {
    let scale = TuningStep.meanScale(updates: updates)
    return directions.flatMap(\.moments).map { $0.parameters.values.map { $0 * scale } }
  }

  /// Whether arrays are parameters of this chain.
  func fits(_ arrays: [[Float]]) -> Bool {
    directions.flatMap(\.learned).map(\.count) == arrays.map(\.count)
  }

  /// How far it is, without numbers.
  struct Position: Codable, Sendable {
    var updates: Int
    var schedule: TrackSchedule.Position
    /// The arrays of states for each chunk.
    var states: [Int]
  }

  /// All that the next update depends on: parameters, moments, states.
  var state: (position: Position, arrays: [[Float]]) {
    let states = chunks.map { updates > 0 ? $0.tape.states : [] }
    return (
      Position(updates: updates, schedule: schedule.position, states: states.map(\.count)),
      learned + directions.flatMap(\.moments).flatMap(\.buffers).map(\.values)
        + states.flatMap { $0 }
    )
  }

  /// Goes on from such a state.
  ///
  /// - Returns: Whether it is one of this chain.
  func go(to position: Position, _ arrays: [[Float]]) -> Bool {
    let moments = directions.flatMap(\.moments).flatMap(\.buffers)
    let buffers = directions.flatMap(\.learned) + moments
    guard position.updates >= 0, position.states.count == chunks.count,
      position.states.allSatisfy({ (0...arrays.count).contains($0) }),
      arrays.count == buffers.count + position.states.reduce(0, +),
      zip(buffers, arrays).allSatisfy({ $0.count == $1.count })
    else { return false }
    for (buffer, values) in zip(buffers, arrays) { buffer.values = values }
    updates = position.updates
    guard schedule.go(to: position.schedule) else { return false }
    var ahead = schedule
    let piece = ahead.nextPiece()
    // A piece that begins a sequence begins its state, too.
    guard !piece.isFirst else { return true }
    var rest = arrays[buffers.count...]
    for ((chunk, count), own) in zip(zip(chunks, position.states), parts(of: piece)) {
      guard own.isEmpty || chunk.tape.setStates(Array(rest.prefix(count)), rows: own.count) else {
        return false
      }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Goes on with what another learner of the chain has learned from other sequences.
  func goOn(from other: ChainTuning) {
    func buffers(_ learner: ChainTuning) -> [NumberBuffer<Float>] {
      learner.directions.flatMap(\.learned)
        + learner.directions.flatMap(\.moments).flatMap(\.buffers)
    }
    for (own, others) in zip(buffers(self), buffers(other)) { own.copy(others) }
    updates = other.updates
  }

  /// The model with what was learned.
  func stored(in model: Model) -> Model {
    var model = model
    for set in sets {
      model.lstmWeights[set].directions = (learning[set] ?? []).map(\.stored)
    }
    return model
  }
}
