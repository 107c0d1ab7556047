import LSTMCore
import LSTMTraining
import ModelTuning
import TestSupport
import Testing

/// The divergence of many classes at some of them, beside the divergence of all.
@Suite struct SampledDivergenceTests {
  private static let width = 6
  private static let outputs = 700
  private static let rows = 5
  private static let sampled = 32

  private static func numbers(_ seed: UInt64, _ rows: Int, _ columns: Int, _ scale: Float)
    -> [Float]
  {
    var numbers = SeededNumbers(seed: seed)
    return numbers.matrix(rows, columns, scale: scale).elements
  }

  private static let decoder = DecoderLoss(
    weights: NumberBuffer(numbers(1, outputs, width, 1)), bias: numbers(2, 1, outputs, 1),
    width: width, function: CellFunction(activation: Activation(.softmax)))

  private static func run(
    _ loss: any HiddenLoss, _ own: [Float], _ targets: [Float], rows: Int
  ) -> (loss: Double, gradient: [Float]) {
    let gradients = NumberBuffer<Float>(own.count)
    let (x, y) = (NumberBuffer(own), NumberBuffer(targets))
    let sum = unsafe loss.add(x.start, y.start, rows: rows, to: gradients.start, scale: 1)
    return (sum, gradients.values)
  }

  @Test func gradientsEqualDifferences() throws {
    let loss = try #require(SampledDivergence(Self.decoder, seed: 1))
    let targets = loss.targets(Self.numbers(3, Self.rows, Self.width, 0.7), sequence: 0)
    #expect(targets.count == Self.rows * loss.targetWidth)
    var own = Self.numbers(4, Self.rows, Self.width, 0.7)
    let (value, gradient) = Self.run(loss, own, targets, rows: Self.rows)
    #expect(value > 0)
    for index in own.indices {
      let before = own[index]
      let step: Float = 1e-2
      own[index] = before + step
      let above = Self.run(loss, own, targets, rows: Self.rows).loss
      own[index] = before - step
      let below = Self.run(loss, own, targets, rows: Self.rows).loss
      own[index] = before
      let difference = (above - below) / Double(2 * step)
      #expect(
        abs(difference - Double(gradient[index])) < 2e-3 * max(1, abs(difference)),
        "\(gradient[index]), by differences \(difference)")
    }
  }

  /// A row: the original's outputs, classes of which no likely one comes twice, and weights in the proportion of their
  /// probabilities.
  @Test func likelyClassesAreTheMostLikely() throws {
    let loss = try #require(SampledDivergence(Self.decoder, seed: 1))
    let hidden = Self.numbers(3, 1, Self.width, 0.7)
    let targets = loss.targets(hidden, sequence: 0)
    #expect(Array(targets[..<Self.width]) == hidden)
    let classes = targets[Self.width..<Self.width + Self.sampled].map { Int($0) }
    let weights = targets[(Self.width + Self.sampled)...].map { Double($0) }
    let scores = (0..<Self.outputs).map { output in
      (0..<Self.width).reduce(Double(Self.decoder.bias[output])) {
        $0 + Double(Self.decoder.weights[output * Self.width + $1]) * Double(hidden[$1])
      }
    }
    let powers = scores.map { Activation.exponential($0) }
    let total = powers.reduce(0, +)
    let order = powers.indices.sorted { powers[$0] > powers[$1] }
    let likely = Self.sampled / 2
    #expect(Array(classes[..<likely]) == Array(order[..<likely]))
    #expect(Set(classes[likely...]).isDisjoint(with: classes[..<likely]))
    let sum = weights.reduce(0, +)
    for (index, weight) in weights[..<likely].enumerated() {
      #expect(abs(weight / sum - powers[classes[index]] / total) < 1e-5)
    }
    #expect(weights[likely...].allSatisfy { $0 == weights[likely] })
    #expect(loss.targets(hidden, sequence: 0) == targets)
    #expect(loss.targets(hidden, sequence: 1) != targets)
  }

  /// Over many draws the mean is the divergence of all classes, and so is that of the gradient.
  @Test func drawsStandForTheRest() throws {
    let loss = try #require(SampledDivergence(Self.decoder, seed: 1))
    let draws = 4000
    let hidden = Self.numbers(3, 1, Self.width, 0.7)
    let own = zip(hidden, Self.numbers(9, 1, Self.width, 0.7)).map { $0 + 0.2 * $1 }
    let exact = Self.run(Self.decoder, own, hidden, rows: 1)
    let sequences = Array(repeating: hidden, count: draws).flatMap { $0 }
    let made = Self.run(
      loss, Array(repeating: own, count: draws).flatMap { $0 },
      loss.targets(sequences, sequence: 3), rows: draws)
    #expect(exact.loss > 0)
    #expect(abs(made.loss / Double(draws) - exact.loss) < 0.03 * exact.loss)
    let norm = exact.gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    for index in own.indices {
      let mean =
        stride(from: index, to: made.gradient.count, by: Self.width)
        .reduce(Float.zero) { $0 + made.gradient[$1] } / Float(draws)
      #expect(abs(mean - exact.gradient[index]) < 0.03 * norm)
    }
  }

  @Test func fewClassesAreNotSampled() {
    let few = DecoderLoss(
      weights: NumberBuffer(Self.numbers(1, 100, Self.width, 1)),
      bias: Self.numbers(2, 1, 100, 1), width: Self.width,
      function: CellFunction(activation: Activation(.softmax)))
    #expect(SampledDivergence(few, seed: 1) == nil)
    let numbers = DecoderLoss(
      weights: Self.decoder.weights, bias: Self.decoder.bias, width: Self.width,
      function: CellFunction(activation: .linear))
    #expect(SampledDivergence(numbers, seed: 1) == nil)
  }
}
