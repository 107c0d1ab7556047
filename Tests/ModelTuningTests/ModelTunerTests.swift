import Checkpoints
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMRuntime
import MatrixCompression
import ModelCalibration
import ModelCompression
import ModelEvaluation
import ModelTuning
import Synchronization
import TestSupport
import Testing

/// Tuning of models of every kind that lstmpack runs.
@Suite struct ModelTunerTests {
  private static func plan(_ treatment: Treatment) -> CompressionPlan {
    CompressionPlan(rules: [
      CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: treatment)
    ])
  }

  private static func model(_ url: URL) throws -> Model {
    try CheckpointFormats.importModel(
      from: try ByteSource(path: url.path), options: ImportOptions()
    ).model
  }

  private static let models: [URL] = ["runtime", "export", "stepped", "import/cells"].flatMap {
    folder -> [URL] in
    let names = (try? FileManager.default.contentsOfDirectory(atPath: fixture(folder).path)) ?? []
    return names.sorted().map { fixture(folder).appending(path: $0) }
      .filter { ["h5", "keras", "onnx"].contains($0.pathExtension) }
  }

  /// Never worse on what is held out, and better for many, though these are noise through random weights.
  @Test func everyModelThatRunsIsTuned() throws {
    var tuned = 0
    var improved = 0
    var losses: Set<String> = []
    for url in Self.models {
      let original = try Self.model(url)
      guard original.obstacleToRunning == nil, !original.lstmWeights.isEmpty,
        let made = try? GeneratedInputs(
          for: original, seed: 3, sequences: 20, steps: 12, threads: 2),
        let data = try? CalibrationData(made.data, for: original, description: made.description),
        (try? DataEvaluation(data.heldOut, original: original)) != nil
      else { continue }
      var model = original
      _ = try ModelCompressor(plan: Self.plan(.quantize("2", groupSize: nil)), threads: 2)
        .compress(&model)
      let before = model
      let report = try ModelTuner(data: data, budget: .updates(30), threads: 2)
        .tune(&model, original: original)
      let judge = try DataEvaluation(data.heldOut, original: original, threads: 2)
      let scores = try [before, model].map { try judge.evaluate($0).divergence ?? 0 }
      #expect(scores[1] <= scores[0] * (1 + 1e-6) + 1e-9, "\(url.lastPathComponent): \(scores)")
      if scores[1] < 0.8 * scores[0] { improved += 1 }
      for chain in report.chains where chain.obstacle == nil {
        tuned += 1
        if let loss = chain.loss { losses.insert(loss.rawValue) }
      }
      for (old, new) in zip(before.matrices, model.matrices) {
        #expect(old.matrix.byteCount == new.matrix.byteCount, "\(url.lastPathComponent)")
        #expect(new.matrix.dequantized.isFinite, "\(url.lastPathComponent)")
      }
    }
    #expect(tuned > 40, "\(tuned) chains")
    #expect(improved > 20, "\(improved) models")
    #expect(losses == ["outputs", "curvature"])
  }

  // `synonyms`: how many tokens there are in place of each, with its vector and a share of its probability.
  private static func languageModel(
    synonyms: Int = 1
  ) throws -> (original: Model, data: CalibrationData) {
    var original = try model(repositoryRoot.appending(path: "examples/char-lm/char-lm.h5"))
    func repeated(_ weights: WeightMatrix) -> WeightMatrix {
      let matrix = weights.dequantized
      return .dense(
        Matrix(
          rows: matrix.rows * synonyms, columns: matrix.columns,
          elements: (0..<synonyms).flatMap { _ in matrix.elements }))
    }
    for index in original.layers.indices where synonyms > 1 {
      switch original.layers[index].kind {
      case .embedding(let table):
        original.layers[index].kind = .embedding(
          EmbeddingLayer(weights: repeated(table.weights)))
      case .dense(let dense):
        original.layers[index].kind = .dense(
          DenseLayer(
            weights: repeated(dense.weights),
            bias: dense.bias.map { bias in (0..<synonyms).flatMap { _ in bias } },
            activation: dense.activation))
      default: break
      }
    }
    guard case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 2)
    else { throw DiagnosticError(.notRunnable, "a language model writes its own text") }
    return (original, data)
  }

  @Test(arguments: [
    (Treatment.quantize("1", groupSize: nil), 1), (.quantize("1", groupSize: nil), 12),
    (.rank(8), 1), (.steps([.rank(20, layout: .joint), .quantize("4", groupSize: nil)]), 1),
  ])
  func aLanguageModelLearns(treatment: Treatment, synonyms: Int) throws {
    let (original, data) = try Self.languageModel(synonyms: synonyms)
    var model = original
    let plan = Self.plan(treatment)
    if plan.hasCodesToChoose(in: original) {
      _ = try CalibratedCompressor(plan: plan, data: data, threads: 2).compress(&model)
    } else {
      _ = try ModelCompressor(plan: plan, threads: 2).compress(&model)
    }
    let start = model
    let report = try ModelTuner(data: data, budget: .updates(80), threads: 2)
      .tune(&model, original: original)
    let before = try #require(report.before.divergence)
    let after = try #require(report.after?.divergence)
    #expect(after < 0.95 * before, "\(after) of \(before)")
    #expect(report.chains.map(\.loss) == [synonyms > 1 ? .sampledOutputs : .outputs])
    // Factors in common are still so.
    #expect(model.storedByteCounts == start.storedByteCounts)
    // The same again, whatever the threads are.
    var again = start
    _ = try ModelTuner(data: data, budget: .updates(80), threads: 1)
      .tune(&again, original: original)
    #expect(again.lstmWeights == model.lstmWeights)
  }

  /// Stopped in the middle and begun again, tuning gives the bytes of a run that was not stopped.
  @Test(arguments: [1, 20, 21, 39])
  func whatWasStoppedGoesOn(after updates: Int) throws {
    let (original, data) = try Self.languageModel()
    var start = original
    _ = try ModelCompressor(
      plan: Self.plan(.quantize("ternary", groupSize: nil)), threads: 2
    ).compress(&start)
    try Self.compareStopped(start, original, data, .updates(40), after: updates)
  }

  /// Few data come with copies, in windows of equal size that hold what is wanted.
  @Test(arguments: [
    (13, 0, 1), (20, 0, 1), (21, 1, 1), (80, 3, 1), (160, 7, 1), (161, 4, 2), (20_000, 7, 125),
  ])
  func fewDataComeWithCopies(updates: Int, copies: Int, windows: Int) throws {
    let numbers = (0..<100).map { Float($0) }
    let data = EvaluationData(
      content: .sequences(["x": Tensor(dims: [10, 10, 1], elements: .floats(numbers))]))
    let (original, _) = try Self.languageModel()
    let maker = try #require(DataCopies(data, for: original, seed: 1, threads: 1))
    let made = try TuningWindows(
      data, updates: updates, copies: maker, capacity: 800, readings: 2,
      stepsPerUpdate: { _ in 10 })
    #expect(made.copies == copies)
    let last = made.window(ofUpdate: updates - 1)
    #expect(last + 1 == windows)
    // Of enough data, whole sequences that together have no more than is wanted.
    let steps = min(100, updates * 10 / 2 / 10 * 10)
    #expect(try made.data(ofWindow: last).steps == steps * (1 + copies))
  }

  /// The same where not all data are in memory at one time: parts of them take turns, one for every four updates.
  @Test(arguments: [1, 4, 5, 39])
  func partsOfTheDataGoOn(after updates: Int) throws {
    let (original, made) = try Self.languageModel()
    guard case .text(let tokens, _) = made.learnable.content else { return }
    let data = try CalibrationData(
      EvaluationData(content: .text(tokens: Array(tokens.prefix(8000)), streams: 4)),
      for: original, description: made.description)
    let windows = try TuningWindows(
      data.learnable, updates: data.learnable.steps, copies: nil, capacity: 1, readings: 2,
      stepsPerUpdate: { _ in 128 })
    #expect(windows.count > 8 && windows.updatesEach == 4)
    #expect(
      [0, 3, 4, 4 * windows.count].map { windows.window(ofUpdate: $0) } == [0, 0, 1, 0])
    var start = original
    _ = try ModelCompressor(
      plan: Self.plan(.quantize("ternary", groupSize: nil)), threads: 2
    ).compress(&start)
    let report = try Self.compareStopped(
      start, original, data, .updates(40), after: updates, mostElements: 1)
    #expect(report?.chains.first?.updates == 40)
  }

  @Test(arguments: [40, 2100])
  func tuningAsLongAsItGainsGoesOnToo(after updates: Int) throws {
    let original = try Self.model(fixture("runtime/activation_softsign_k2_h5.h5"))
    let made = try GeneratedInputs(for: original, seed: 1, sequences: 30, steps: 5, threads: 1)
    let data = try CalibrationData(made.data, for: original, description: made.description)
    var start = original
    _ = try ModelCompressor(plan: Self.plan(.quantize("2", groupSize: nil)), threads: 1)
      .compress(&start)
    try Self.compareStopped(start, original, data, .best, after: updates)
  }

  /// Models with several chains, masks, directions and states.
  @Test func everyKindGoesOn() throws {
    // By how many chains were begun when it was stopped.
    var compared = [0, 0]
    for url in Self.models {
      let original = try Self.model(url)
      guard original.obstacleToRunning == nil, !original.lstmWeights.isEmpty,
        let made = try? GeneratedInputs(
          for: original, seed: 3, sequences: 20, steps: 12, threads: 2),
        let data = try? CalibrationData(made.data, for: original, description: made.description),
        (try? DataEvaluation(data.heldOut, original: original)) != nil
      else { continue }
      var start = original
      _ = try ModelCompressor(plan: Self.plan(.quantize("2", groupSize: nil)), threads: 2)
        .compress(&start)
      for (chain, updates) in [5, 13].enumerated()
      where try Self.compareStopped(start, original, data, .updates(8), after: updates) != nil {
        compared[chain] += 1
      }
    }
    #expect(compared[0] > 20 && compared[1] > 0, "\(compared)")
  }

  /// Tunes once from beginning to end, and once from what stood in the file after some updates.
  @discardableResult
  private static func compareStopped(
    _ start: Model, _ original: Model, _ data: CalibrationData, _ budget: TuningBudget,
    after updates: Int, mostElements: Int = 1 << 27
  ) throws -> TuningReport? {
    try withTemporaryFolder { folder in
      let (path, copy) = (
        folder.appending(path: "m.tuning").path, folder.appending(path: "n.tuning").path
      )
      let calls = Mutex(0)
      var whole = start
      var tuner = ModelTuner(
        data: data, budget: budget,
        checkpoint: try TuningCheckpoint(path: path, identity: "this", interval: .zero), threads: 2)
      tuner.mostElements = mostElements
      let report = try tuner.tune(&whole, original: original) { _, _ in
        let count = calls.withLock {
          $0 += 1
          return $0
        }
        // The file is written after this call: what is there is of the update before.
        guard count == updates + 1 else { return }
        try? FileManager.default.copyItem(atPath: path, toPath: copy)
      }
      #expect(!FileManager.default.fileExists(atPath: path))
      guard FileManager.default.fileExists(atPath: copy) else {
        #expect(calls.withLock { $0 } <= updates)
        return nil
      }
      let checkpoint = try TuningCheckpoint(path: copy, identity: "this", interval: .zero)
      #expect(checkpoint.resumedUpdates == updates)
      var resumed = start
      var again = ModelTuner(data: data, budget: budget, checkpoint: checkpoint, threads: 1)
      again.mostElements = mostElements
      let second = try again.tune(&resumed, original: original)
      #expect(resumed.lstmWeights == whole.lstmWeights)
      #expect(second.chains.map(\.updates) == report.chains.map(\.updates))
      #expect(
        second.chains.map { $0.divergences.map(\.divergence) }
          == report.chains.map { $0.divergences.map(\.divergence) })
      #expect(second.after == report.after)
      return report
    }
  }

  /// A tuning that was stopped after two updates, and its file.
  private static let stopped = Result {
    let (original, data) = try languageModel()
    var start = original
    _ = try ModelCompressor(plan: plan(.quantize("1", groupSize: nil)), threads: 2).compress(&start)
    let bytes = try withTemporaryFolder { folder in
      let (path, copy) = (
        folder.appending(path: "m.tuning").path, folder.appending(path: "n.tuning").path
      )
      var model = start
      _ = try ModelTuner(
        data: data, budget: .updates(5),
        checkpoint: TuningCheckpoint(path: path, identity: "this", interval: .zero), threads: 2
      ).tune(&model, original: original) { done, _ in
        if done == 3 { try? FileManager.default.copyItem(atPath: path, toPath: copy) }
      }
      return [UInt8](try Data(contentsOf: URL(filePath: copy)))
    }
    return (original, data, start, bytes)
  }

  /// Right checksums around a header that lies: refused, or as good as a state may be, and no trap.
  @Test(arguments: [
    ("\"stage\":0", "\"stage\":-1"), ("\"stage\":0", "\"stage\":7"),
    ("\"updatesOfStage\":", "\"updatesOfStage\":-"),
    ("\"updatesOfStage\":", "\"updatesOfStage\":9"),
    ("\"bestArrays\":0", "\"bestArrays\":-1"),
    ("\"bestArrays\":0", "\"bestArrays\":9223372036854775807"),
    ("\"arrayCount\":", "\"arrayCount\":-"), ("\"epoch\":1", "\"epoch\":9223372036854775807"),
    ("\"epoch\":1", "\"epoch\":-1"), ("\"next\":", "\"next\":-"), ("\"next\":", "\"next\":99999"),
    ("\"hasBest\":false", "\"hasBest\":true"), ("\"isDone\":false", "\"isDone\":true"),
    ("\"states\":[", "\"states\":[1,"), ("\"rate\":1", "\"rate\":-1e300"),
    ("\"states\":[4", "\"states\":[0"), ("\"sizes\":[", "\"sizes\":[0,"),
  ])
  func liesOfAStateAreNoTraps(old: String, new: String) throws {
    let (original, data, start, bytes) = try Self.stopped.get()
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "m.tuning").path
      let first = "lstmpack tuning\n".utf8.count
      let length = bytes[first..<first + 8].enumerated()
        .reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
      let body = first + 8 + length
      let header = String(decoding: bytes[first + 8..<body], as: UTF8.self)
      #expect(header.contains(old), "\(header)")
      let changed = Array(header.replacingOccurrences(of: old, with: new).utf8)
      var file = Array(bytes[..<first])
      file += (0..<8).map { UInt8(truncatingIfNeeded: changed.count >> (8 * $0)) }
      file += changed + bytes[body..<bytes.count - 32]
      file += SHA256.digest(of: file)
      try Data(file).write(to: URL(filePath: path))
      var resumed = start
      do {
        _ = try ModelTuner(
          data: data, budget: .updates(5),
          checkpoint: TuningCheckpoint(path: path, identity: "this"), threads: 2
        ).tune(&resumed, original: original)
      } catch let error as DiagnosticError {
        #expect(error.code == .badTuningCheckpoint, "\(error)")
      }
    }
  }

  @Test func otherFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "m.tuning").path
      let (original, data) = try Self.languageModel()
      var start = original
      _ = try ModelCompressor(plan: Self.plan(.quantize("1", groupSize: nil)), threads: 2)
        .compress(&start)
      let copy = folder.appending(path: "n.tuning").path
      var model = start
      _ = try ModelTuner(
        data: data, budget: .updates(3),
        checkpoint: TuningCheckpoint(path: path, identity: "this", interval: .zero), threads: 2
      ).tune(&model, original: original) { done, _ in
        if done == 3 { try? FileManager.default.copyItem(atPath: path, toPath: copy) }
      }
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: copy)))
      for (content, problem) in [
        (Array("a letter".utf8), "is no state of a tuning"),
        (Array(bytes.dropLast(9)), "is damaged: its checksum is wrong"),
        ([], "is no state of a tuning"),
      ] {
        try Data(content).write(to: URL(filePath: path))
        let error = #expect(throws: DiagnosticError.self) {
          _ = try TuningCheckpoint(path: path, identity: "this")
        }
        #expect(error?.problem == problem)
      }
      let error = #expect(throws: DiagnosticError.self) {
        _ = try TuningCheckpoint(path: copy, identity: "that")
      }
      #expect(
        error?.problem == "belongs to the tuning of another model, or to other data or options")
      // Of this tuning, as it says, and yet of another model.
      let checkpoint = try TuningCheckpoint(path: copy, identity: "this")
      let other = try Self.model(fixture("runtime/activation_softsign_k2_h5.h5"))
      let made = try GeneratedInputs(for: other, seed: 1, sequences: 30, steps: 5, threads: 1)
      let otherData = try CalibrationData(made.data, for: other, description: made.description)
      var otherStart = other
      _ = try ModelCompressor(plan: Self.plan(.quantize("1", groupSize: nil)), threads: 1)
        .compress(&otherStart)
      let mismatch = #expect(throws: DiagnosticError.self) {
        _ = try ModelTuner(
          data: otherData, budget: .updates(3), checkpoint: checkpoint, threads: 1
        ).tune(&otherStart, original: other)
      }
      #expect(mismatch?.code == .badTuningCheckpoint)
    }
  }

  /// Where outputs are numbers and their gradients are not, the model stays as it is, with the reason.
  @Test func lossesThatAreNoNumbersAreSaid() throws {
    let original = try Self.model(fixture("hostile/no-gradient.h5"))
    guard case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 1)
    else {
      Issue.record("it can be run")
      return
    }
    var model = original
    _ = try ModelCompressor(plan: Self.plan(.quantize("3", groupSize: nil)), threads: 1)
      .compress(&model)
    let start = model
    let report = try ModelTuner(data: data, budget: .updates(2), threads: 1)
      .tune(&model, original: original)
    #expect(report.chains[0].obstacle?.contains("its loss was") == true, "\(report.chains)")
    #expect(model.lstmWeights == start.lstmWeights)
  }

  /// Where the outputs are the original's already, nothing is learned; and of an LSTM that takes many more steps than the
  /// data have, no more is kept than was asked for.
  @Test func stepsThatTheDataDoNotHaveAreFew() throws {
    let original = try Self.model(fixture("hostile/long-padding.onnx"))
    guard case .data(let data) = try CalibrationData.synthetic(for: original, seed: 1, threads: 1)
    else {
      Issue.record("it can be run")
      return
    }
    var model = original
    _ = try ModelCompressor(plan: Self.plan(.quantize("1", groupSize: nil)), threads: 1)
      .compress(&model)
    let report = try ModelTuner(data: data, budget: .updates(2), threads: 1)
      .tune(&model, original: original)
    #expect(report.chains.map(\.obstacle) == ["the outputs that are judged are the original's"])
    let recorder = ChainRecorder(original: original, threads: 1)
    let chain = try #require(try recorder.chains(data.fitted).first)
    let counts = try [1, 1 << 20].map { limit in
      let tracks = try #require(
        try recorder.tracks(
          chain, compressed: model, data.fitted, keepsAll: true, elementLimit: limit))
      return tracks.reduce(0) { $0 + $1.steps * $1.elementsPerStep }
    }
    // A batch more than the limit, at most.
    #expect(counts[0] > 0 && counts[1] > 1 << 20)
    #expect(counts[1] <= 1 << 20 + counts[0], "\(counts)")
  }

  /// Inputs that say nothing do no harm.
  @Test(arguments: [Float(0), 1e30]) func poorData(value: Float) throws {
    let original = try Self.model(fixture("runtime/activation_softsign_k2_h5.h5"))
    let made = try GeneratedInputs(for: original, seed: 1, sequences: 6, steps: 5, threads: 1)
    guard case .sequences(let inputs) = made.data.content else { return }
    let constant = inputs.mapValues {
      Tensor($0.dims, [Float](repeating: value, count: $0.count))
    }
    let data = try CalibrationData(
      EvaluationData(content: .sequences(constant)), for: original, description: "constants")
    var model = original
    _ = try ModelCompressor(plan: Self.plan(.quantize("1", groupSize: nil)), threads: 1)
      .compress(&model)
    let report = try ModelTuner(data: data, budget: .updates(10), threads: 1)
      .tune(&model, original: original)
    let before = report.before.divergence ?? 0
    #expect((report.after?.divergence ?? 0) <= before)
    #expect(model.matrices.allSatisfy { $0.matrix.dequantized.isFinite })
  }
}
