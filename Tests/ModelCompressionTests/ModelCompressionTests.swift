import Diagnostics
import LSTMCore
import MatrixCompression
import ModelCompression
import TestSupport
import Testing

@Suite struct ModelCompressorTests {
  private func compress(
    _ model: inout Model, _ rules: [CompressionPlan.Rule], threads: Int = 2
  ) throws -> CompressionReport {
    try ModelCompressor(plan: CompressionPlan(rules: rules), threads: threads).compress(&model)
  }

  private func lstmRule(
    _ treatment: Treatment, roles: Set<MatrixPath.Role> = [.input, .recurrent],
    gates: Set<Gate> = Set(Gate.allCases)
  ) -> CompressionPlan.Rule {
    CompressionPlan.Rule(roles: roles, gates: gates, treatment: treatment)
  }

  @Test func aSharedSetOfWeightsIsCompressedOnce() throws {
    var model = Model.seeded()
    let report = try compress(&model, [lstmRule(.quantize("2", groupSize: nil))])
    #expect(report.matrices.count == 1 + 16 + 8 + 1)
    #expect(report.compressedCount == 24)
    #expect(!report.matrices.contains { $0.path.layer == "second" })
  }

  @Test func onlyTheSelectedGatesAndMatricesChange() throws {
    let before = Model.seeded()
    var model = before
    let report = try compress(
      &model,
      [lstmRule(.quantize("1", groupSize: nil), roles: [.recurrent], gates: [.forget])])
    #expect(report.compressedCount == 3)
    for (old, new) in zip(before.matrices, model.matrices) {
      let isSelected = old.path.role == .recurrent && old.path.gate == .forget
      #expect((old.matrix == new.matrix) == !isSelected, "\(old.path)")
    }
    #expect(report.skipped.isEmpty)
  }

  @Test func aRankAtBreakEvenIsRefusedAndNamed() throws {
    var model = Model.seeded(inputSize: 24, hiddenSize: 32)
    // 32 × 24 breaks even at ⌈768 / 56⌉ = 14, 32 × 32 at 16, 32 × 64 at ⌈2048 / 96⌉ = 22.
    let report = try compress(&model, [lstmRule(.rank(16))])
    let left = report.matrices.filter { $0.path.isLSTM && $0.result != .compressed }
    #expect(left.count == 8 + 8 + 4)
    #expect(
      left.first?.result
        == .left(
          reason: "rank 16 does not make a [32, 24] matrix smaller: the break-even rank is 14",
          isChoice: false))
    #expect(
      report.matrices.first { $0.path.role == .input && $0.rows == 32 && $0.columns == 64 }?
        .result == .compressed)
  }

  @Test func factorsAreSmallerAndTheirErrorIsTrue() throws {
    let before = Model.seeded()
    var model = before
    let report = try compress(&model, [lstmRule(.rank(4))])
    for (outcome, (old, new)) in zip(report.matrices, zip(before.matrices, model.matrices)) {
      guard outcome.result == .compressed else { continue }
      #expect(new.matrix.rank == 4)
      #expect(outcome.byteCountAfter < outcome.byteCountBefore)
      let a = old.matrix.dequantized.elements
      let b = new.matrix.dequantized.elements
      let lost = zip(a, b).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
      let all = a.reduce(0.0) { $0 + Double($1) * Double($1) }
      #expect(abs(outcome.relativeError - (lost / all).squareRoot()) < 1e-5)
    }
  }

  /// The gates of a matrix together: the best factors of [4H, n], of which the right one counts once.
  @Test func stackedGatesShareTheRightFactor() throws {
    let before = Model.seeded()
    var model = before
    let report = try compress(&model, [lstmRule(.rank(5, layout: .stacked))])
    for (set, old) in zip(model.lstmWeights, before.lstmWeights) {
      for (direction, source) in zip(set.directions, old.directions) {
        for (matrices, sources) in [
          (direction.inputWeights, source.inputWeights),
          (direction.recurrentWeights, source.recurrentWeights),
        ] {
          try expectFactors(
            Gate.allCases.map { [matrices[$0]] }, Gate.allCases.map { [sources[$0]] })
        }
      }
    }
    let (h, n) = (before.lstmWeights[0].hiddenSize, before.lstmWeights[0].inputSize)
    let first = report.matrices.filter { $0.path.role == .input && $0.path.layer == "both" }.prefix(
      4)
    #expect(first.reduce(0) { $0 + $1.byteCountAfter } == 4 * 5 * (4 * h + n))
    #expect(first.allSatisfy { $0.storageAfter == "rank 5: float32, stacked" })
  }

  @Test func jointMatricesShareBothFactors() throws {
    let before = Model.seeded()
    var model = before
    let report = try compress(&model, [lstmRule(.rank(5, layout: .joint))])
    for (set, old) in zip(model.lstmWeights, before.lstmWeights) {
      for (direction, source) in zip(set.directions, old.directions) {
        try expectFactors(
          Gate.allCases.map { [direction.inputWeights[$0], direction.recurrentWeights[$0]] },
          Gate.allCases.map { [source.inputWeights[$0], source.recurrentWeights[$0]] })
      }
    }
    let set = before.lstmWeights[0]
    let first = report.matrices.filter { $0.path.layer == "both" && $0.path.direction == .forward }
    #expect(first.count == 8)
    #expect(
      first.reduce(0) { $0 + $1.byteCountAfter }
        == 4 * 5 * (4 * set.hiddenSize + set.inputSize + set.outputSize))
  }

  /// Checks that blocks `[gate][matrix]` are the best product of rank 5, with the factors in common that they can have.
  private func expectFactors(_ blocks: [[WeightMatrix]], _ sources: [[WeightMatrix]]) throws {
    func together(_ blocks: [[WeightMatrix]]) -> Matrix {
      let rows = blocks.flatMap { block in
        (0..<block[0].rows).map { row in block.flatMap { Array($0.dequantized.row(row)) } }
      }
      return Matrix(rows: rows.count, columns: rows[0].count, elements: rows.flatMap { $0 })
    }
    let source = together(sources)
    let expected = try LowRank.truncate(source, rank: 5).dequantized.elements
    let found = together(blocks).elements
    #expect(zip(expected, found).allSatisfy { abs($0 - $1) < 1e-5 })
    for block in blocks {
      for (column, matrix) in block.enumerated() {
        guard case .product(let left, let right) = matrix,
          case .product(_, let firstRight) = blocks[0][column],
          case .product(let firstLeft, _) = block[0]
        else {
          Issue.record("no factors")
          continue
        }
        #expect(right == firstRight)
        #expect(left == firstLeft)
      }
    }
  }

  @Test func selectedGatesAndMatricesAreFactoredTogether() throws {
    let before = Model.seeded()
    var model = before
    let gates: Set<Gate> = [.input, .output]
    _ = try compress(
      &model, [lstmRule(.rank(3, layout: .joint), roles: [.recurrent], gates: gates)])
    for (old, new) in zip(before.matrices, model.matrices) {
      let isSelected = old.path.role == .recurrent && old.path.gate.map(gates.contains) ?? false
      #expect((new.matrix.rank == 3) == isSelected)
      #expect((old.matrix == new.matrix) == !isSelected)
    }
    guard case .product(_, let i) = model.lstmWeights[0].directions[0].recurrentWeights[.input],
      case .product(_, let o) = model.lstmWeights[0].directions[0].recurrentWeights[.output]
    else {
      Issue.record("no factors")
      return
    }
    #expect(i == o)
  }

  /// Factors that are shared stay so when they are packed, by one command or the next.
  @Test(arguments: [FactorLayout.stacked, .joint])
  func packedFactorsAreSharedToo(layout: FactorLayout) throws {
    let quantize = Treatment.quantize("4", groupSize: nil)
    var atOnce = Model.seeded()
    let report = try compress(&atOnce, [lstmRule(.steps([.rank(6, layout: layout), quantize]))])
    var inTurn = Model.seeded()
    _ = try compress(&inTurn, [lstmRule(.rank(6, layout: layout))])
    let second = try compress(&inTurn, [lstmRule(quantize)])
    #expect(atOnce == inTurn)
    #expect(report.byteCountAfter == second.byteCountAfter)
    let unshared = atOnce.matrices.reduce(0) { $0 + $1.matrix.byteCount }
    #expect(report.byteCountAfter < unshared)
  }

  @Test func aSharedRankAtBreakEvenIsRefusedForAll() throws {
    var model = Model.seeded(inputSize: 24, hiddenSize: 32)
    // [128, 24 + 32] breaks even at ⌈7168 / 184⌉ = 39.
    let report = try compress(&model, [lstmRule(.rank(39, layout: .joint))])
    let left = report.matrices.filter { $0.path.isLSTM && $0.result != .compressed }
    #expect(
      left.first?.result
        == .left(
          reason: "rank 39 does not make a [128, 56] matrix smaller: the break-even rank is 39",
          isChoice: false))
    _ = try compress(&model, [lstmRule(.rank(38, layout: .joint))])
    #expect(model.matrices.contains { $0.matrix.rank == 38 })
  }

  @Test(arguments: [1, 2, 3])
  func theThreadsDoNotChangeTheResult(threads: Int) throws {
    for treatment in [
      Treatment.rank(5), .energy(0.6), .rank(5, layout: .joint), .energy(0.6, layout: .stacked),
      .quantize("ternary", groupSize: 7),
    ] {
      var one = Model.seeded()
      var other = Model.seeded()
      let first = try compress(&one, [lstmRule(treatment)], threads: 1)
      let second = try compress(&other, [lstmRule(treatment)], threads: threads)
      #expect(first == second)
      #expect(one == other)
    }
  }

  @Test func packingTwiceIsNamedNotDone() throws {
    var model = Model.seeded()
    let rule = lstmRule(.quantize("4", groupSize: nil))
    _ = try compress(&model, [rule])
    let packed = model
    let report = try compress(&model, [rule])
    #expect(model == packed)
    #expect(report.compressedCount == 0)
    #expect(
      report.skipped.first?.result
        == .left(reason: "already packed as uniform4", isChoice: false))
  }

  @Test func rowsTooShortToPackAreLeftAndNamed() throws {
    var model = Model.seeded(inputSize: 1)
    let report = try compress(&model, [lstmRule(.quantize("1", groupSize: nil))])
    let left = report.matrices.filter { $0.path.layer == "both" && $0.path.role == .input }
    #expect(left.count == 8)
    for outcome in left {
      #expect(
        outcome.result
          == .left(
            reason: "packed in rows of 1 it would take 24 bits per weight, more than float16",
            isChoice: false))
    }
    #expect(report.matrices.count { $0.result == .compressed } == 16)
  }

  @Test func aFactorTooNarrowToPackStaysBesideThePackedOne() throws {
    var model = Model.seeded()
    _ = try compress(&model, [lstmRule(.rank(1))])
    let report = try compress(&model, [lstmRule(.quantize("8", groupSize: nil))])
    let storage = Set(report.matrices.filter(\.path.isLSTM).map(\.storageAfter))
    #expect(storage == ["rank 1: float32 × uniform8"])
  }

  @Test func anUnknownQuantizerIsAnError() {
    var model = Model.seeded()
    #expect {
      try compress(&model, [lstmRule(.quantize("5", groupSize: nil))])
    } throws: { error in
      (error as? DiagnosticError)?.code == .badPlan
    }
  }

  @Test func opaqueLayersAreNamed() {
    let layers = Model.seeded().untouchedLayers
    #expect(layers.map(\.name) == ["conv"])
    #expect(layers.map(\.sourceClass) == ["Conv1D"])
    #expect(layers.map(\.byteCount) == [24])
    #expect(
      layers.map(\.reason) == [
        "not an LSTM, embedding or dense layer; its tensors travel unchanged"
      ])
  }
}
