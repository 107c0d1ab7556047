import LSTMCore
import LSTMRuntime
import LSTMTraining
import ModelTuning
import TestSupport
import Testing

/// Chains of cells of every kind, forward against the runtime, back against differences.
@Suite struct ChainTapeTests {
  /// A kind of cell.
  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var gate = Activation.sigmoid
    var cell = Activation.tanh
    var output = Activation.tanh
    var clip: Float?
    var couples = false
    var hasPeepholes = false
    var outputs: Int?
    var directions: [DirectionSettings] = []

    init(_ name: String, _ change: (inout Case) -> Void = { _ in }) {
      testDescription = name
      change(&self)
    }
  }

  static let cases: [Case] = [
    Case("usual"),
    Case("hard sigmoid") { $0.gate = .hardSigmoid(alpha: 0.2, beta: 0.5) },
    Case("relu") {
      $0.cell = Activation(.relu)
      $0.output = Activation(.relu)
    },
    Case("softsign and elu") {
      $0.cell = Activation(.softsign)
      $0.output = Activation(.elu, alpha: 1)
    },
    Case("clip") { $0.clip = 0.3 },
    Case("coupled") { $0.couples = true },
    Case("peepholes") { $0.hasPeepholes = true },
    Case("peepholes, clip, coupled") {
      $0.hasPeepholes = true
      $0.clip = 0.5
      $0.couples = true
    },
    Case("projection") { $0.outputs = 3 },
    Case("backward") { $0.directions = [DirectionSettings(direction: .backward)] },
    Case("backward in computed order") {
      $0.directions = [DirectionSettings(direction: .backward, keepsComputedOrder: true)]
    },
    Case("both directions, projection") {
      $0.directions = [
        DirectionSettings(direction: .forward), DirectionSettings(direction: .backward),
      ]
      $0.outputs = 4
    },
  ]

  /// Two layers of a kind.
  private struct Setup {
    let layers: [LSTMLayer]
    var weights: [LSTMWeights] = []
    let lengths = [7, 4, 6]
    let x: [[Float]]

    init(_ test: Case) {
      var numbers = SeededNumbers(seed: 5)
      let settings =
        test.directions.isEmpty ? [DirectionSettings(direction: .forward)] : test.directions
      let directions = settings.map { own in
        var own = own
        own.gateActivation = test.gate
        own.cellActivation = test.cell
        own.outputActivation = test.output
        return own
      }
      layers = (0..<2).map {
        LSTMLayer(
          weights: $0, directions: directions,
          merge: directions.count > 1 ? .concatenate : nil, clip: test.clip,
          couplesInputAndForget: test.couples, sourceGateOrder: "i f c o")
      }
      var inputs = 3
      let units = 5
      for _ in 0..<2 {
        let outputs = test.outputs ?? units
        let size = inputs
        weights.append(
          LSTMWeights(
            inputSize: size, hiddenSize: units, outputSize: outputs,
            directions: directions.map { _ in
              DirectionWeights(
                inputWeights: PerGate { _ in .dense(numbers.matrix(units, size, scale: 0.5)) },
                recurrentWeights: PerGate { _ in .dense(numbers.matrix(units, outputs, scale: 0.5))
                },
                bias: PerGate { _ in numbers.matrix(1, units, scale: 0.3).elements },
                peepholes: test.hasPeepholes
                  ? PerGate { $0 == .cell ? [] : numbers.matrix(1, units, scale: 0.5).elements }
                  : nil,
                projection: test.outputs.map { .dense(numbers.matrix($0, units, scale: 0.5)) })
            }))
        inputs = outputs * directions.count
      }
      x = lengths.map { numbers.matrix($0, 3, scale: 1).elements }
    }

    /// The weights in the order of products.
    func links<Number: TrainingNumber>(_ type: Number.Type) -> [ChainTape<Number>.Link] {
      zip(layers, weights).map { layer, set in
        ChainTape<Number>.Link(
          layer: layer,
          maps: set.directions.map { direction in
            let maps = CellMaps<Number>(
              inputs: set.inputSize, units: set.hiddenSize, outputs: set.outputSize,
              isProjected: direction.projection != nil)
            maps.kernel.values = Gate.allCases.flatMap {
              direction.inputWeights[$0].dequantized.elements.map { Number($0) }
            }
            maps.recurrent.values = Gate.allCases.flatMap {
              direction.recurrentWeights[$0].dequantized.elements.map { Number($0) }
            }
            maps.bias.values = Gate.allCases.flatMap { direction.biasSum($0).map { Number($0) } }
            if let projection = direction.projection {
              maps.projection?.values = projection.dequantized.elements.map { Number($0) }
            }
            maps.prepare()
            return maps
          },
          rules: set.directions.indices.map {
            CellRule(layer, direction: $0, weights: set.directions[$0])
          })
      }
    }

    /// Fills the first rows.
    func fill<Number: TrainingNumber>(_ tape: ChainTape<Number>) {
      tape.begin(rows: lengths.count) { _, _, _ in nil }
      for (row, values) in x.enumerated() {
        for (index, value) in values.enumerated() {
          let (step, feature) = index.quotientAndRemainder(dividingBy: 3)
          tape.x[(step * lengths.count + row) * 3 + feature] = Number(value)
        }
      }
    }
  }

  @Test(arguments: cases) func outputsAreTheRuntimes(test: Case) throws {
    let setup = Setup(test)
    let tape = ChainTape(setup.links(Float.self), rows: 3, steps: 7)
    setup.fill(tape)
    tape.forward(lengths: setup.lengths, steps: 7)
    for (row, length) in setup.lengths.enumerated() {
      var x = setup.x[row]
      for (index, layer) in setup.layers.enumerated() {
        let prepared = try PreparedLSTM(layer: layer, weights: setup.weights[index])
        let result = prepared.run(LSTMSequence(x: x, batch: 1, steps: length))
        x = result.outputs
        let width = x.count / length
        for step in 0..<length {
          for element in 0..<width {
            let own = tape.outputs[index][(step * 3 + row) * width + element]
            #expect(abs(own - x[step * width + element]) < 1e-5)
          }
        }
      }
    }
  }

  /// Σ of fixed weights times what the last layer makes, and of its squares.
  private func loss(_ tape: ChainTape<Double>, _ setup: Setup) -> Double {
    setup.fill(tape)
    tape.forward(lengths: setup.lengths, steps: 7)
    let width = tape.outputs[1].count / 21
    var sum = 0.0
    for buffer in tape.gradients { for index in 0..<buffer.count { buffer[index] = 0 } }
    for (row, length) in setup.lengths.enumerated() {
      for step in 0..<length {
        for element in 0..<width {
          let index = (step * 3 + row) * width + element
          let weight = Double((index * 37) % 11) / 11 - 0.4
          let value = tape.outputs[1][index]
          sum += weight * value + value * value
          tape.gradients[1][index] = weight + 2 * value
        }
      }
    }
    return sum
  }

  @Test(arguments: cases) func gradientsEqualDifferences(test: Case) {
    let setup = Setup(test)
    let links = setup.links(Double.self)
    let tape = ChainTape(links, rows: 3, steps: 7)
    let sums = links.map { $0.maps.map { CellGradients($0) } }
    _ = loss(tape, setup)
    tape.backward(addingTo: sums)
    for (link, gradients) in zip(links, sums) {
      for (maps, own) in zip(link.maps, gradients) {
        let parts =
          [(maps.kernel, own.kernel), (maps.recurrent, own.recurrent), (maps.bias, own.bias)]
          + (maps.projection.flatMap { p in own.projection.map { [(p, $0)] } } ?? [])
        for (buffer, gradient) in parts {
          for index in stride(from: 0, to: buffer.count, by: max(1, buffer.count / 7)) {
            let before = buffer[index]
            let step = 1e-5
            var losses: [Double] = []
            for sign in [1.0, -1] {
              buffer[index] = before + sign * step
              maps.prepare()
              losses.append(loss(tape, setup))
            }
            buffer[index] = before
            maps.prepare()
            let difference = (losses[0] - losses[1]) / (2 * step)
            #expect(
              abs(difference - gradient[index]) < 1e-5 * max(1, abs(difference)),
              "\(index): \(gradient[index]), by differences \(difference)")
          }
        }
      }
    }
  }

  /// A long sequence in pieces, states carried, gives the same outputs.
  @Test func piecesGoOn() {
    let setup = Setup(Case("usual"))
    let whole = ChainTape(setup.links(Float.self), rows: 3, steps: 7)
    setup.fill(whole)
    whole.forward(lengths: [7, 7, 7], steps: 7)
    let pieces = ChainTape(setup.links(Float.self), rows: 3, steps: 4)
    pieces.begin(rows: 3) { _, _, _ in nil }
    for (first, count) in [(0, 4), (4, 3)] {
      if first > 0 { pieces.carryStates() }
      for index in 0..<count * 9 { pieces.x[index] = whole.x[first * 9 + index] }
      pieces.forward(lengths: [count, count, count], steps: count)
      for index in 0..<count * 15 {
        #expect(pieces.outputs[1][index] == whole.outputs[1][first * 15 + index])
      }
    }
  }
}
