import LSTMCore
import LSTMTraining
import ModelTuning
import TestSupport
import Testing

/// Losses of hidden states: values by their formulas, gradients against differences.
@Suite struct LossTests {
  private static let rows = 6
  private static let width = 4
  private static let outputs = 5

  private static func numbers(_ seed: UInt64, _ rows: Int, _ columns: Int) -> [Float] {
    var numbers = SeededNumbers(seed: seed)
    return numbers.matrix(rows, columns, scale: 0.7).elements
  }

  private static func decoder(_ function: Activation) -> DecoderLoss {
    DecoderLoss(
      weights: NumberBuffer(numbers(1, outputs, width)), bias: numbers(2, 1, outputs),
      width: width, function: CellFunction(activation: function), variance: 0.5)
  }

  /// The loss and its gradient at some outputs.
  private static func run(
    _ loss: any HiddenLoss, _ own: [Float], _ targets: [Float]
  ) -> (loss: Double, gradient: [Float]) {
    let gradients = NumberBuffer<Float>(own.count)
    let (x, y) = (NumberBuffer(own), NumberBuffer(targets))
    let sum = unsafe loss.add(
      x.start, y.start, rows: rows, to: gradients.start, scale: 1)
    return (sum, gradients.values)
  }

  private static let losses: [(String, any HiddenLoss)] = [
    ("classes", decoder(Activation(.softmax))), ("probabilities", decoder(.sigmoid)),
    ("numbers", decoder(.linear)), ("tanh", decoder(.tanh)),
    ("squared error", ScaledSquaredError(width: width, targets: [numbers(3, rows, width)])),
    (
      "curvature",
      decoder(Activation(.softmax)).meanCurvature(numbers(3, rows, width))
        ?? CurvatureLoss(width: width, curvature: NumberBuffer(width * width))
    ),
  ]

  @Test(arguments: losses.indices) func gradientsEqualDifferences(index: Int) {
    let (name, loss) = Self.losses[index]
    let targets = Self.numbers(3, Self.rows, Self.width)
    var own = Self.numbers(4, Self.rows, Self.width)
    let (value, gradient) = Self.run(loss, own, targets)
    #expect(value > 0)
    #expect(Self.run(loss, targets, targets).loss < 1e-6)
    for index in own.indices {
      let before = own[index]
      let step: Float = 1e-2
      own[index] = before + step
      let above = Self.run(loss, own, targets).loss
      own[index] = before - step
      let below = Self.run(loss, own, targets).loss
      own[index] = before
      let difference = (above - below) / Double(2 * step)
      #expect(
        abs(difference - Double(gradient[index])) < 2e-3 * max(1, abs(difference)),
        "\(name): \(gradient[index]), by differences \(difference)")
    }
  }

  /// Near the original the mean curvature tells the divergence of one row.
  @Test func curvatureIsTheSecondDerivative() throws {
    let decoder = Self.decoder(Activation(.softmax))
    let target = Array(Self.numbers(3, 1, Self.width))
    let curvature = try #require(decoder.meanCurvature(target))
    let own = zip(target, Self.numbers(9, 1, Self.width)).map { $0 + 0.02 * $1 }
    let (x, y, g) = (NumberBuffer(own), NumberBuffer(target), NumberBuffer<Float>(Self.width))
    let exact = unsafe decoder.add(x.start, y.start, rows: 1, to: g.start, scale: 1)
    let quadratic = unsafe curvature.add(x.start, y.start, rows: 1, to: g.start, scale: 1)
    #expect(abs(exact - quadratic) < 0.05 * exact)
  }

  @Test func budgets() {
    #expect(TuningBudget(words: "90s") == .seconds(90))
    #expect(TuningBudget(words: "2m") == .seconds(120))
    #expect(TuningBudget(words: "1.5h") == .seconds(5400))
    #expect(TuningBudget(words: "800") == .updates(800))
    for words in ["", "0", "-1", "m", "0s", "-2m", "nan", "nans", "infh", "9999h", "1d", "2 m"] {
      #expect(TuningBudget(words: words) == nil, "\(words)")
    }
  }
}
