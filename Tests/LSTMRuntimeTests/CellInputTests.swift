import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// What cells read, step by step, against the definition.
@Suite struct CellInputTests {
  private static let (inputs, units, batch, steps) = (3, 4, 2, 5)

  /// A run of one direction that recorded its outputs.
  private func run(
    _ settings: DirectionSettings, _ change: (inout LSTMSequence) -> Void = { _ in }
  ) throws -> RunSession.LSTMRun {
    let weights = try SampleLSTM.weights(inputs: Self.inputs, units: Self.units, directions: 1)
    let layer = LSTMLayer(weights: 0, directions: [settings], sourceGateOrder: "i f c o")
    var input = SampleLSTM.input(batch: Self.batch, steps: Self.steps, inputs: Self.inputs)
    change(&input)
    let result = try PreparedLSTM(layer: layer, weights: weights).run(input)
    return RunSession.LSTMRun(
      name: "lstm", layer: 0, input: input, directionCount: 1, result: result)
  }

  /// z as the definition says: steps that count, in the order in which they are computed.
  private func expected(
    _ run: RunSession.LSTMRun, order: (_ row: Int) -> [Int], outputOrder: ((Int) -> [Int])? = nil
  ) throws -> [Float] {
    let input = try #require(run.input)
    var z: [Float] = []
    for row in 0..<Self.batch {
      let times = order(row)
      let places = outputOrder?(row) ?? times
      var h =
        input.initial.map { Array($0.h[row * Self.units..<(row + 1) * Self.units]) }
        ?? [Float](repeating: 0, count: Self.units)
      for (time, place) in zip(times, places) {
        func index(_ time: Int) -> Int {
          input.isTimeMajor ? time * Self.batch + row : row * Self.steps + time
        }
        z += input.x[index(time) * Self.inputs..<(index(time) + 1) * Self.inputs] + h + [1]
        h = Array(
          run.result.outputs[index(place) * Self.units..<(index(place) + 1) * Self.units])
      }
    }
    return z
  }

  @Test func forwardStepsWithAState() throws {
    let settings = DirectionSettings(direction: .forward)
    for isTimeMajor in [false, true] {
      let run = try run(settings) { input in
        input.isTimeMajor = isTimeMajor
        input.initial = LSTMState(
          h: (0..<8).map { Float($0) / 10 }, c: (0..<8).map { Float($0) / 20 })
      }
      let found = try #require(run.cellInputs(direction: 0, settings: settings, appendsOne: true))
      let wanted = try expected(run) { _ in Array(0..<Self.steps) }
      #expect(found == wanted)
    }
  }

  @Test func backwardStepsComeFromTheEnd() throws {
    let settings = DirectionSettings(direction: .backward)
    let run = try run(settings)
    let found = try #require(run.cellInputs(direction: 0, settings: settings, appendsOne: true))
    let wanted = try expected(run) { _ in Array((0..<Self.steps).reversed()) }
    #expect(found == wanted)
  }

  @Test func outputsInComputedOrder() throws {
    let settings = DirectionSettings(direction: .backward, keepsComputedOrder: true)
    let run = try run(settings)
    let found = try #require(run.cellInputs(direction: 0, settings: settings, appendsOne: true))
    let wanted = try expected(
      run, order: { _ in Array((0..<Self.steps).reversed()) },
      outputOrder: { _ in Array(0..<Self.steps) })
    #expect(found == wanted)
  }

  @Test(arguments: [Direction.forward, .backward])
  func stepsThatDoNotCountAreLeftOut(direction: Direction) throws {
    let settings = DirectionSettings(direction: direction)
    let mask = [true, false, true, true, false, false, true, true, false, true]
    for zeroes in [false, true] {
      let masked = try run(settings) { input in
        input.mask = mask
        input.zeroesMasked = zeroes
      }
      let found = try #require(
        masked.cellInputs(direction: 0, settings: settings, appendsOne: true))
      let wanted = try expected(masked) { row in
        let times = (0..<Self.steps).filter { mask[row * Self.steps + $0] }
        return direction == .forward ? times : times.reversed()
      }
      #expect(found == wanted)
    }
    let cut = try run(settings) { $0.lengths = [3, 5] }
    let found = try #require(cut.cellInputs(direction: 0, settings: settings, appendsOne: true))
    let wanted = try expected(cut) { row in
      let times = Array(0..<[3, 5][row])
      return direction == .forward ? times : times.reversed()
    }
    #expect(found == wanted)
  }

  @Test func nothingWithoutRecording() throws {
    let settings = DirectionSettings(direction: .forward)
    var run = try run(settings)
    run.input = nil
    #expect(run.cellInputs(direction: 0, settings: settings, appendsOne: true) == nil)
  }
}
