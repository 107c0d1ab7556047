import LSTMCore
import LSTMRuntime
import LSTMTraining

/// The divergence of many classes, at a few of them for each step: the most likely ones, and some that were drawn from the
/// rest and stand for it.
///
/// Where δ is what an LSTM's outputs differ by and e_k the decoder's row of class k, the divergence of what follows from the
/// original's p is log Σ p_k exp(e_k·δ) − Σ p_k e_k·δ: no other class than those of the sums is needed. Here both sums go over the
/// sampled classes, each with its weight. A row of targets is the original's outputs, the sampled classes, their weights.
@safe package struct SampledDivergence: HiddenLoss {
  private let decoder: DecoderLoss
  private let seed: UInt64

  /// The most likely classes of a step, each with its own weight, and how many are drawn from the rest.
  private static let likely = 16
  private static let drawn = 16
  private static var sampled: Int { likely + drawn }
  /// From so many classes on, sums over all of them take longer than the LSTMs.
  private static let fewestClasses = 512
  /// Class numbers are kept as numbers in single precision.
  private static let mostClasses = 1 << 24
  /// Classes whose probabilities are summed before one of them is looked for.
  private static let blockSize = 64
  /// Rows whose probabilities are in memory at one time.
  private static let rowsAtOnce = 128

  /// Creates the loss; `nil` where all classes are as well summed over.
  ///
  /// - Parameters:
  ///   - decoder: What makes scores of classes of the LSTM's outputs.
  ///   - seed: Tells which classes are drawn.
  package init?(_ decoder: DecoderLoss, seed: UInt64) {
    guard decoder.areClasses, (Self.fewestClasses...Self.mostClasses).contains(decoder.outputs)
    else { return nil }
    self.decoder = decoder
    self.seed = seed
  }

  package var targetWidth: Int { decoder.width + 2 * Self.sampled }

  /// Adds classes to what the last LSTM of a chain makes in the original.
  ///
  /// - Parameters:
  ///   - tracks: The sequences.
  ///   - window: Of which part of the data they are; another part gets other draws.
  ///   - threads: How many threads may work; the draws do not depend on it.
  func add(to tracks: inout [TuningTrack], window: Int, threads: Int) {
    let made = mapTasks(tracks.count, threads: threads) { [tracks] sequence in
      tracks[sequence].targets.last.map {
        targets($0, sequence: window * tracks.count + sequence)
      } ?? []
    }
    for (sequence, targets) in made.enumerated() {
      tracks[sequence].targets[tracks[sequence].targets.count - 1] = targets
    }
  }

  /// Makes rows of targets.
  ///
  /// - Parameters:
  ///   - hidden: The original's outputs of a sequence, `[steps, width]`.
  ///   - sequence: Its number; another sequence gets other draws.
  /// - Returns: `[steps, targetWidth]`.
  package func targets(_ hidden: [Float], sequence: Int) -> [Float] {
    let width = decoder.width
    let count = hidden.count / width
    var random = SeededGenerator(seed: seed &+ 0x9E37_79B9 &* UInt64(sequence + 1))
    let scores = NumberBuffer<Float>(min(count, Self.rowsAtOnce) * decoder.outputs)
    var targets: [Float] = []
    targets.reserveCapacity(count * targetWidth)
    for first in stride(from: 0, to: count, by: Self.rowsAtOnce) {
      let rows = first..<min(count, first + Self.rowsAtOnce)
      unsafe hidden.withUnsafeBufferPointer { hidden in
        guard let start = hidden.baseAddress else { return }
        unsafe decoder.writeSums(start + first * width, rows: rows.count, to: scores.start)
      }
      for row in rows {
        let p = unsafe scores.start + (row - first) * decoder.outputs
        let largest = unsafe VectorKernels.best.largest(p, count: decoder.outputs)
        unsafe VectorKernels.best.softmaxTerms(p, minus: largest, times: 1, count: decoder.outputs)
        targets += hidden[row * width..<(row + 1) * width]
        let sample = unsafe Self.sample(p, decoder.outputs, &random)
        targets += sample.classes.map { Float($0) } + sample.weights
      }
    }
    return targets
  }

  /// Samples classes.
  ///
  /// - Parameters:
  ///   - p: The probabilities, or multiples of them; those of the likely classes become 0.
  ///   - count: How many there are.
  ///   - random: Where the draws begin.
  /// - Returns: As many classes as are sampled, each with its weight.
  private static func sample(
    _ p: UnsafeMutablePointer<Float>, _ count: Int, _ random: inout SeededGenerator
  ) -> (classes: [Int], weights: [Float]) {
    let blocks = (count + blockSize - 1) / blockSize
    func range(_ block: Int) -> Range<Int> {
      block * blockSize..<min(count, (block + 1) * blockSize)
    }
    // The likely classes, by falling probability.
    var classes = [Int](repeating: 0, count: likely)
    var weights = [Float](repeating: -1, count: likely)
    var masses: [Float] = []
    masses.reserveCapacity(blocks)
    for block in 0..<blocks {
      var largest = SIMD8<Float>(repeating: -1)
      var sum = SIMD8<Float>.zero
      for index in stride(from: block * blockSize, to: range(block).upperBound, by: 8) {
        let values = unsafe Lanes.load(p + index, min(8, count - index))
        largest.replace(with: values, where: values .> largest)
        sum += values
      }
      masses.append(sum.sum())
      guard any(largest .> weights[likely - 1]) else { continue }
      for index in range(block) where unsafe p[index] > weights[likely - 1] {
        var rank = likely - 1
        while rank > 0, unsafe p[index] > weights[rank - 1] {
          weights[rank] = weights[rank - 1]
          classes[rank] = classes[rank - 1]
          rank -= 1
        }
        unsafe weights[rank] = p[index]
        classes[rank] = index
      }
    }
    for index in classes { unsafe p[index] = 0 }
    for block in Set(classes.map { $0 / blockSize }) {
      masses[block] = range(block).reduce(0) { unsafe $0 + p[$1] }
    }
    // Draws at equal distances, the first by chance (systematic sampling).
    let distance = masses.reduce(0) { $0 + Double($1) } / Double(drawn)
    var next = Double(random.next() >> 11) / Double(1 << 53) * distance
    var end = 0.0
    for block in 0..<blocks {
      let begin = end
      end += Double(masses[block])
      var sum = begin
      var index = block * blockSize
      while next < end, classes.count < sampled {
        // Where rounding makes the block's mass more than its classes, the last of it.
        while index + 1 < range(block).upperBound, unsafe sum + Double(p[index]) <= next {
          unsafe sum += Double(p[index])
          index += 1
        }
        classes.append(index)
        next += distance
      }
    }
    // What rounding leaves of the last draw.
    while classes.count < sampled { classes.append(classes[0]) }
    return (classes, weights + [Float](repeating: Float(distance), count: drawn))
  }

  package func add(
    _ outputs: UnsafePointer<Float>, _ targets: UnsafePointer<Float>, rows: Int,
    to gradients: UnsafeMutablePointer<Float>, scale: Float
  ) -> Double {
    let width = decoder.width
    let change = NumberBuffer<Float>(width)
    var scores = [Float](repeating: 0, count: Self.sampled)
    var loss = 0.0
    for row in 0..<rows {
      let (own, target) = unsafe (outputs + row * width, targets + row * targetWidth)
      let classes = unsafe target + width
      let weights = unsafe classes + Self.sampled
      for index in 0..<width { unsafe change.start[index] = own[index] - target[index] }
      var total = 0.0
      var largest = -Float.infinity
      for index in 0..<Self.sampled {
        scores[index] = unsafe dot(
          decoder.weights.start + Int(classes[index]) * width, change.start, width)
        largest = max(largest, scores[index])
        unsafe total += Double(weights[index])
      }
      guard total > 0 else { continue }
      var (sum, mean) = (0.0, 0.0)
      var shares = scores
      for index in 0..<Self.sampled {
        let weight = unsafe Double(weights[index]) / total
        mean += weight * Double(scores[index])
        let share = weight * Activation.exponential(Double(scores[index] - largest))
        sum += share
        shares[index] = Float(share)
      }
      loss += max(0, Activation.logarithm(sum) + Double(largest) - mean)
      let to = unsafe gradients + row * width
      for index in 0..<Self.sampled {
        let slope = unsafe (shares[index] / Float(sum) - weights[index] / Float(total)) * scale
        unsafe add(decoder.weights.start + Int(classes[index]) * width, times: slope, to, width)
      }
    }
    return loss
  }

  private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Float {
    var sum = SIMD8<Float>.zero
    for index in stride(from: 0, to: count, by: 8) {
      let lanes = min(8, count - index)
      unsafe sum += Lanes.load(a + index, lanes) * Lanes.load(b + index, lanes)
    }
    return sum.sum()
  }

  private func add(
    _ a: UnsafePointer<Float>, times factor: Float, _ to: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    for index in stride(from: 0, to: count, by: 8) {
      let lanes = min(8, count - index)
      unsafe Lanes.store(
        Lanes.load(to + index, lanes) + Lanes.load(a + index, lanes) * factor, to + index, lanes)
    }
  }
}
