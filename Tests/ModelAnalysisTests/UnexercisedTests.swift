import Checkpoints
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import ModelAnalysis
import ModelCompression
import ModelEvaluation
import TestSupport
import Testing

/// What the data do not exercise is said, kept by plans, and never taken for free.
@Suite struct UnexercisedTests {
  private func model(_ name: String) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: fixture("stepped/\(name).onnx").path)
    ).model
  }

  private func analysis(
    _ model: Model, calls: Int, sequences: Int = 4
  ) throws -> (DataAnalysis, DirectMeasurement) {
    let made = try GeneratedInputs(
      for: model, seed: 1, sequences: sequences, steps: calls, threads: 1)
    let analysis = try DataAnalyzer(threads: 2).analyze(model, on: made.data)
    return (analysis, try #require(analysis.direct))
  }

  /// One call from a state of zeros: recurrent matrices and the forget gate have nothing to do.
  @Test func oneStepFromZeroExercisesNoRecurrence() throws {
    let model = try model("packed")
    let (analysis, direct) = try analysis(model, calls: 1, sequences: 40)
    let paths = model.matrices.map(\.path).filter(\.isLSTM)
    #expect(!paths.isEmpty)
    for path in paths where path.role == .recurrent || path.gate == .forget {
      #expect(direct.unexercised.contains(path), "\(path)")
    }
    for path in paths where path.role == .input && path.gate == .output {
      #expect(!direct.unexercised.contains(path), "\(path)")
    }
    // The plan leaves them alone.
    let suggestion = try #require(analysis.suggestion)
    for rule in suggestion.plan.rules {
      if case .keep = rule.treatment { continue }
      #expect(!rule.roles.contains(.recurrent))
    }
    let verdict = Verdict(try ModelAnalyzer(threads: 1).analyze(model), data: analysis)
    #expect(verdict.sentences.contains { $0.contains("not exercised") })
    #expect(verdict.nextCommand == ["quantize", "--bits", "8"])
  }

  @Test func statesFedBackExerciseAllMatrices() throws {
    let model = try model("packed")
    let (analysis, direct) = try analysis(model, calls: 60)
    #expect(direct.unexercised.isEmpty)
    #expect(direct.driftSteps == 60)
    // Rows this short are exact at more bits.
    let cells = direct.candidates.filter { $0.scope == .only && $0.treatment.phrase == "1 bit" }
    #expect(cells.count == 16)
    #expect(cells.allSatisfy { ($0.change ?? 0) > 0 && ($0.changeError ?? 0) > 0 })
    #expect(cells.allSatisfy { $0.drift.map(\.step) == [1, 10] })
    #expect(analysis.items == 240)
    #expect(analysis.fewItems == nil)
  }

  /// Alone and in a whole evaluation a treatment costs the same: one scorer, the same figures.
  @Test func analysisAndEvaluationAgree() throws {
    let model = try model("packed")
    let data = try GeneratedInputs(for: model, seed: 1, sequences: 4, steps: 60, threads: 1).data
    let direct = try #require(try DataAnalyzer(threads: 2).analyze(model, on: data).direct)
    let uniform = try #require(direct.uniform.first { $0.treatment.phrase == "1 bit" })
    let plan = CompressionPlan(
      rules: [
        CompressionPlan.Rule(
          roles: [.input, .recurrent, .projection], treatment: .quantize("1", groupSize: nil))
      ])
    var packed = model
    _ = try ModelCompressor(plan: plan, threads: 1).compress(&packed)
    let report = try Evaluator(candidate: packed, reference: .model(model)).evaluate(data)
    let metric = try #require(
      report.similarity.first { $0.name == direct.original.metric })
    #expect(abs(metric.value.value - (uniform.change ?? 0)) < 1e-4 * metric.value.value)
    #expect(
      abs(metric.value.standardError - (uniform.changeError ?? 0))
        < 1e-3 * metric.value.standardError)
  }
}
