internal import LSTMCore

/// What is drawn by chance for one segment: which numbers are left out, and the noise of the gates.
///
/// Each row has its own generator, seeded by the segment and the row, so that workers and a resumed run
/// draw the same.
@safe package final class SegmentMasks<Number: TrainingNumber>: Sendable {
  /// What a mask is for; part of the seed, so numbers stay.
  private enum Purpose: UInt64 {
    case embedding = 1
    case values = 2
    case recurrent = 3
    case noise = 4
  }

  private let options: RegularizationOptions
  private let gates: GateOptions
  private let shape: NetworkShape
  private let batch: Int

  /// A factor for each token of the vocabulary: 0 or 1 / (1 − p).
  package let embedding: NumberBuffer<Number>?
  /// Factors for what each LSTM layer and, last, the dense layer reads: `[steps · batch, size]`, or
  /// `[batch, size]` when variational; `nil` without dropout there.
  package let values: [NumberBuffer<Number>?]
  /// Factors for the recurrent kernels, `[units, 4 · units]`; `nil` without DropConnect.
  package let recurrent: [NumberBuffer<Number>?]
  /// The noise of each layer, `[steps · batch, gates · units]`; `nil` without.
  package let noise: [NumberBuffer<Number>?]

  package init(
    _ shape: NetworkShape, _ options: RegularizationOptions, _ gates: GateOptions, batch: Int,
    steps: Int
  ) {
    self.options = options
    self.gates = gates
    self.shape = shape
    self.batch = batch
    if options.embeddingDropout > 0, case .tokens(let vocabulary, _) = shape.input {
      embedding = NumberBuffer(vocabulary)
    } else {
      embedding = nil
    }
    let rows = options.isVariational ? batch : batch * steps
    values = (0...shape.units.count).map { layer in
      Self.dropout(options, layer, shape) > 0
        ? NumberBuffer(rows * shape.inputSize(ofLayer: layer)) : nil
    }
    recurrent = shape.units.map {
      options.recurrentDropConnect > 0 ? NumberBuffer($0 * 4 * $0) : nil
    }
    noise = shape.units.map {
      gates.noiseProbability > 0 ? NumberBuffer(batch * steps * gates.treatedCount * $0) : nil
    }
  }

  /// The dropout of what a layer reads; that of the dense layer follows the LSTM layers.
  private static func dropout(
    _ options: RegularizationOptions, _ layer: Int, _ shape: NetworkShape
  ) -> Double {
    layer == 0
      ? options.inputDropout
      : layer == shape.units.count ? options.outputDropout : options.hiddenDropout
  }

  /// The row of a mask that belongs to a row of values.
  func maskRow(_ row: Int) -> Int { options.isVariational ? row % batch : row }

  /// Draws this worker's part of the masks of a segment.
  func draw(_ worker: Worker, seed: UInt64, segment: Int, steps: Int) {
    func generator(_ purpose: Purpose, _ layer: Int, _ row: Int) -> SeededGenerator {
      var mixer = SeededGenerator(seed: seed &+ UInt64(segment) &* 0xD1B5_4A32_D192_ED03)
      let first = mixer.next()
      var second = SeededGenerator(
        seed: first ^ (purpose.rawValue << 56 | UInt64(layer) << 48 | UInt64(row)))
      return SeededGenerator(seed: second.next())
    }
    if let embedding {
      // In runs of 1024 tokens.
      for run in worker.part(of: (embedding.count + 1023) / 1024) {
        var numbers = generator(.embedding, 0, run)
        let range = run * 1024..<min(embedding.count, run * 1024 + 1024)
        unsafe Self.fill(
          embedding.start + range.lowerBound, range.count, options.embeddingDropout, &numbers)
      }
    }
    for (layer, mask) in values.enumerated() {
      guard let mask else { continue }
      let size = shape.inputSize(ofLayer: layer)
      let p = Self.dropout(options, layer, shape)
      for row in worker.part(of: options.isVariational ? batch : batch * steps) {
        var numbers = generator(.values, layer, row)
        unsafe Self.fill(mask.start + row * size, size, p, &numbers)
      }
    }
    for (layer, mask) in recurrent.enumerated() {
      guard let mask else { continue }
      let width = 4 * shape.units[layer]
      for row in worker.part(of: shape.units[layer]) {
        var numbers = generator(.recurrent, layer, row)
        unsafe Self.fill(
          mask.start + row * width, width, options.recurrentDropConnect, &numbers)
      }
    }
    for (layer, noise) in noise.enumerated() {
      guard let noise else { continue }
      let width = gates.treatedCount * shape.units[layer]
      for row in worker.part(of: batch * steps) {
        var numbers = generator(.noise, layer, row)
        unsafe fillNoise(noise.start + row * width, width, &numbers)
      }
    }
  }

  /// Zero with probability p, else 1 / (1 − p).
  private static func fill(
    _ values: UnsafeMutablePointer<Number>, _ count: Int, _ p: Double,
    _ numbers: inout SeededGenerator
  ) {
    let limit = UInt32(p * 4_294_967_296)
    let kept = Number(1 / (1 - p))
    var index = 0
    while index < count {
      let draw = numbers.next()
      unsafe values[index] = UInt32(truncatingIfNeeded: draw) < limit ? 0 : kept
      if index + 1 < count {
        unsafe values[index + 1] = UInt32(truncatingIfNeeded: draw >> 32) < limit ? 0 : kept
      }
      index += 2
    }
  }

  /// Noise with the probability of the options, else zero.
  private func fillNoise(
    _ values: UnsafeMutablePointer<Number>, _ count: Int, _ numbers: inout SeededGenerator
  ) {
    let limit = UInt64(gates.noiseProbability * 4_294_967_296)
    for index in 0..<count {
      let draw = numbers.next()
      guard draw & 0xFFFF_FFFF < limit else {
        unsafe values[index] = 0
        continue
      }
      let uniform = (Double(draw >> 32) + 0.5) / 4_294_967_296
      unsafe values[index] = Number(GateOptions.noise(uniform))
    }
  }
}
