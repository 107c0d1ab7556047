import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import LSTMTraining
import TestSupport
import Testing

/// Whole runs: interruptions, schedules, checkpoints.
@Suite struct TrainerTests {
  /// Tokens of which the next is one or two more than the last.
  private static func text(_ count: Int, seed: UInt64) -> TrainingData {
    var random = SeededGenerator(seed: seed)
    var token = 0
    return .text(
      (0..<count).map { _ in
        token = (token + 1 + random.integer(below: 2)) % 9
        return Int32(token)
      })
  }

  private static func sequences(_ count: Int, seed: UInt64) -> TrainingData {
    var random = SeededGenerator(seed: seed)
    let numbers = (0..<count * 5 * 2).map { _ in random.normal() }
    let sums = (0..<count).map { numbers[$0 * 10..<$0 * 10 + 10].reduce(0, +) / 10 }
    return .sequences(
      SequenceData(
        inputs: .numbers(numbers, features: 2), labels: .values(sums, outputs: 1), count: count,
        steps: 5, labelsSteps: false))
  }

  private static func settings(_ kind: OptimizerOptions.Kind, isText: Bool) -> TrainingSettings {
    var settings = TrainingSettings(
      shape: isText
        ? NetworkShape(input: .tokens(vocabulary: 9, size: 6), units: [8, 7], outputs: 9)
        : NetworkShape(
          input: .numbers(2), units: [8], outputs: 1, readsLastStep: true, loss: .squaredError))
    settings.gates = GateOptions(kind: .gumbel)
    settings.regularization.hiddenDropout = 0.2
    settings.regularization.recurrentDropConnect = 0.2
    settings.optimizer.kind = kind
    settings.optimizer.learningRate = kind == .adam ? 0.01 : 2
    settings.optimizer.patienceBeforeAverage = 1
    settings.schedule.epochs = 4
    settings.batch = 4
    settings.steps = 7
    settings.variesSteps = isText
    settings.evaluationStreams = 2
    settings.threads = 2
    return settings
  }

  /// A checkpoint with another header and the checksum of that.
  private static func replacing(
    _ text: String, by other: String, in bytes: [UInt8]
  ) throws -> [UInt8] {
    let start = 26
    let length = bytes[18..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    let header = String(decoding: bytes[start..<start + length], as: UTF8.self)
    try #require(header.contains(text))
    let changed = Array(header.replacing(text, with: other).utf8)
    let count = (0..<8).map { UInt8(truncatingIfNeeded: changed.count >> (8 * $0)) }
    let body = bytes[..<18] + count + changed + bytes[(start + length)...].dropLast(32)
    let hash = SHA256()
    hash.update(Array(body))
    return body + hash.finalize()
  }

  private struct Interruption: Error {}

  @Test(arguments: OptimizerOptions.Kind.allCases, [true, false])
  func anInterruptedRunEndsWithTheSameBits(
    kind: OptimizerOptions.Kind, isText: Bool
  ) throws {
    let data = isText ? Self.text(600, seed: 1) : Self.sequences(61, seed: 1)
    let validation = isText ? Self.text(100, seed: 2) : Self.sequences(9, seed: 2)
    let settings = Self.settings(kind, isText: isText)
    let whole = try LSTMTrainer(settings, training: data, validation: validation)
    try whole.run { _, _ in }
    #expect(whole.progress.epochs.count == 4)
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "run.training").path
      var trainer = try LSTMTrainer(settings, training: data, validation: validation)
      // In the middle of the first and of the third epoch.
      for epoch in [0, 2] {
        #expect(throws: Interruption.self) {
          try trainer.run { trainer, event in
            guard case .segment(let done, _) = event, done == 5,
              trainer.progress.epochs.count == epoch
            else { return }
            try TrainingCheckpoint(trainer, files: ["a": "b"]).write(to: path, overwrite: true)
            throw Interruption()
          }
        }
        let checkpoint = try TrainingCheckpoint(try ByteSource(path: path))
        #expect(checkpoint.files == ["a": "b"])
        trainer = try LSTMTrainer(checkpoint, training: data, validation: validation)
      }
      try trainer.run { _, _ in }
      #expect(trainer.bestParameters == whole.bestParameters)
      #expect(
        trainer.progress.epochs.map(\.validationLoss)
          == whole.progress.epochs.map(\.validationLoss))
    }
  }

  @Test func theLearningRateFollowsItsSchedule() throws {
    var settings = Self.settings(.sgd, isText: true)
    settings.schedule.epochs = 8
    settings.schedule.decay = 1.5
    settings.schedule.decayFrom = 3
    settings.schedule.plateauDecay = 4
    settings.optimizer.learningRate = 8
    let trainer = try LSTMTrainer(
      settings, training: Self.text(600, seed: 1), validation: Self.text(100, seed: 2))
    try trainer.run { _, _ in }
    var rate = 8.0
    var lowest = Double.infinity
    for record in trainer.progress.epochs {
      #expect(abs(record.learningRate - rate) < 1e-12)
      #expect(record.isBest == (record.validationLoss < lowest))
      if !record.isBest { rate /= 4 }
      lowest = min(lowest, record.validationLoss)
      if record.epoch >= 3 { rate /= 1.5 }
    }
  }

  @Test func trainingEndsWhenNothingGetsBetter() throws {
    var settings = Self.settings(.sgd, isText: true)
    settings.optimizer.learningRate = 0
    settings.schedule.epochs = 50
    settings.schedule.patience = 3
    let trainer = try LSTMTrainer(
      settings, training: Self.text(600, seed: 1), validation: Self.text(100, seed: 2))
    try trainer.run { _, _ in }
    #expect(trainer.progress.epochs.count == 4)
    #expect(trainer.progress.best?.epoch == 1)
  }

  @Test func aRunThatHasEndedStaysAsItIs() throws {
    var settings = Self.settings(.sgd, isText: true)
    settings.optimizer.learningRate = 0
    settings.schedule.epochs = 50
    settings.schedule.patience = 1
    let (data, validation) = (Self.text(600, seed: 1), Self.text(100, seed: 2))
    let trainer = try LSTMTrainer(settings, training: data, validation: validation)
    try trainer.run { _, _ in }
    let checkpoint = TrainingCheckpoint(trainer, files: [:])
    let again = try LSTMTrainer(checkpoint, training: data, validation: validation)
    try again.run { _, _ in Issue.record("it goes on") }
    #expect(again.progress.epochs == trainer.progress.epochs)
    // Unless more epochs are asked for.
    let more = try LSTMTrainer(checkpoint, epochs: 20, training: data, validation: validation)
    try more.run { _, _ in }
    #expect(more.progress.epochs.count == trainer.progress.epochs.count + 1)
  }

  @Test func aValidationLossThatIsNoNumberIsNotTheBest() throws {
    var settings = Self.settings(.sgd, isText: true)
    settings.optimizer.learningRate = 1e38
    settings.optimizer.clip = nil
    // Decay brings weights beyond all numbers, whatever the order of sums.
    settings.optimizer.weightDecay = 1
    settings.initialRange = 10
    settings.variesSteps = false
    settings.steps = 1000
    let trainer = try LSTMTrainer(
      settings, training: Self.text(600, seed: 1), validation: Self.text(100, seed: 2))
    let error = try #require(throws: DiagnosticError.self) { try trainer.run { _, _ in } }
    #expect(error.code == .trainingDiverged)
    #expect(error.problem.contains("validation loss"))
    #expect(trainer.progress.best == nil)
  }

  @Test func segmentsOfSequencesHaveOneRate() throws {
    let (data, validation) = (Self.sequences(61, seed: 1), Self.sequences(9, seed: 2))
    let losses = try [false, true].map { varies in
      var settings = Self.settings(.sgd, isText: false)
      settings.optimizer.learningRate = 0.5
      settings.variesSteps = varies
      let trainer = try LSTMTrainer(settings, training: data, validation: validation)
      try trainer.run { _, _ in }
      return trainer.progress.epochs.map(\.validationLoss)
    }
    #expect(losses[0] == losses[1])
  }

  @Test func settingsOutOfRangeAreRefused() throws {
    let changes: [(name: String, change: (inout TrainingSettings) -> Void)] = [
      ("units", { $0.shape.units = [1 << 62] }), ("units", { $0.shape.units = [-8] }),
      ("layers", { $0.shape.units = [] }), ("outputs", { $0.shape.outputs = 0 }),
      ("evaluation streams", { $0.evaluationStreams = 0 }), ("steps", { $0.steps = 0 }),
      ("batch", { $0.batch = -1 }), ("threads", { $0.threads = 1 << 40 }),
      ("temperature", { $0.gates.temperature = 1e-300 }), ("clip", { $0.optimizer.clip = -1 }),
      ("initial range", { $0.initialRange = 1e308 }),
      ("dropout", { $0.regularization.hiddenDropout = 1 }),
    ]
    for (name, change) in changes {
      var settings = Self.settings(.sgd, isText: true)
      change(&settings)
      let error = try #require(throws: DiagnosticError.self) {
        try LSTMTrainer(
          settings, training: Self.text(600, seed: 1), validation: Self.text(99, seed: 2))
      }
      #expect(error.code == .badTrainingSettings)
      #expect(error.object == name)
    }
  }

  @Test func longSequencesAreCountedBeforeTheyAreTaken() throws {
    var settings = Self.settings(.adam, isText: false)
    settings.shape.units = [65536]
    settings.shape.input = .numbers(1)
    let steps = 1 << 20
    let data = TrainingData.sequences(
      SequenceData(
        inputs: .numbers([Float](repeating: 0, count: 4 * steps), features: 1),
        labels: .values([0, 0, 0, 0], outputs: 1), count: 4, steps: steps, labelsSteps: false))
    let error = try #require(throws: DiagnosticError.self) {
      try LSTMTrainer(settings, training: data, validation: data)
    }
    #expect(error.code == .limitExceeded)
  }

  @Test func averagesAreOfTheParametersSinceTheLossStoppedFalling() throws {
    var settings = Self.settings(.asgd, isText: true)
    settings.optimizer.learningRate = 30
    settings.optimizer.patienceBeforeAverage = 1
    settings.schedule.epochs = 12
    let trainer = try LSTMTrainer(
      settings, training: Self.text(400, seed: 1), validation: Self.text(100, seed: 2))
    var sum: [Double]?
    var count = 0.0
    try trainer.run { trainer, event in
      let values = trainer.update.parameters.values.map(Double.init)
      switch event {
      case .segment:
        guard let before = sum else { return }
        sum = zip(before, values).map { $0 + $1 }
        count += 1
      case .epoch:
        if trainer.progress.update.averaged == 1 {
          sum = values
          count = 1
        }
      }
    }
    let average = try #require(trainer.update.average?.values)
    let wanted = try #require(sum).map { $0 / count }
    #expect(count > 20)
    for (own, value) in zip(average, wanted) {
      #expect(abs(Double(own) - value) < 1e-4 * max(1, abs(value)))
    }
  }

  @Test func damagedCheckpointsAreRefused() throws {
    let trainer = try LSTMTrainer(
      Self.settings(.adam, isText: true), training: Self.text(600, seed: 1),
      validation: Self.text(100, seed: 2))
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "run.training").path
      try TrainingCheckpoint(trainer, files: [:]).write(to: path, overwrite: true)
      let source = try ByteSource(path: path)
      let bytes = try source.bytes(in: 0..<source.count)
      _ = try TrainingCheckpoint(ByteSource(name: "whole", bytes: bytes))
      for place in stride(from: 0, to: bytes.count, by: 97) {
        var damaged = bytes
        damaged[place] ^= 4
        #expect(throws: (any Error).self, "byte \(place)") {
          try TrainingCheckpoint(ByteSource(name: "damaged", bytes: damaged))
        }
      }
      // What is whole and says what no run says.
      for (member, other) in [
        ("\"segments\":0", "\"segments\":-5"), ("\"totalSegments\":0", "\"totalSegments\":-1"),
        ("\"steps\":7", "\"steps\":0"), ("\"units\":[8,7]", "\"units\":[8,-7]"),
      ] {
        let changed = try TrainingCheckpoint(
          ByteSource(name: "changed", bytes: try Self.replacing(member, by: other, in: bytes)))
        #expect(throws: DiagnosticError.self, "\(other)") {
          try LSTMTrainer(
            changed, training: Self.text(600, seed: 1), validation: Self.text(100, seed: 2))
        }
      }
      for count in [0, 5, 26, 100, bytes.count - 1] {
        #expect(throws: (any Error).self, "\(count) bytes") {
          try TrainingCheckpoint(ByteSource(name: "short", bytes: Array(bytes.prefix(count))))
        }
      }
    }
  }
}
