public import Diagnostics
public import FileSupport
internal import LSTMCore
internal import LSTMRuntime
public import ModelEvaluation

/// What a network is trained, validated and judged on, read from files.
public struct LoadedTrainingData: Sendable {
  /// What is learned from.
  public let training: TrainingData
  /// What decides which epoch is the best.
  public let validation: TrainingData
  /// What the result is judged on, if anything.
  public let test: TrainingData?
  /// The tokens of a text.
  public let vocabulary: Vocabulary?
  /// What is learned.
  public let loss: NetworkShape.Loss
  /// The outputs of a network for the data.
  public let outputs: Int
  /// The SHA-256 of the files, in order.
  public let digests: [String]

  /// Whether it is a running text.
  public var isText: Bool { if case .text = training { true } else { false } }

  /// Whether there is one label for each sequence, not one for each step.
  public var labelsSequences: Bool {
    if case .sequences(let data) = training { !data.labelsSteps } else { false }
  }

  /// What a network for the data reads at a step.
  public enum InputSize: Sendable {
    /// A token below this number.
    case tokens(Int)
    /// So many numbers.
    case numbers(Int)
  }

  /// What a network for the data reads at a step.
  public var inputSize: InputSize {
    var highest: Int32 = 0
    for data in [training, validation, test].compactMap({ $0 }) {
      switch data {
      case .text: return .tokens(vocabulary?.count ?? outputs)
      case .sequences(let data):
        switch data.inputs {
        case .numbers(_, let features): return .numbers(features)
        case .tokens(let tokens): highest = max(highest, tokens.max() ?? 0)
        }
      }
    }
    return .tokens(Int(highest) + 1)
  }
}

/// Reads texts, and sequences with labels.
public struct TrainingDataReader: Sendable {
  /// Whether the tokens of a text are characters; when `nil`, as the vocabulary looks, and words
  /// without one.
  public var isOfCharacters: Bool?
  /// The tokens of a text; made of it when `nil`.
  public var vocabulary: Vocabulary?
  /// Whether a vocabulary that is made of a text gets an `<unk>`, for texts with other tokens.
  public var makesUnknown = true
  /// The labels of sequences, when their file does not hold them.
  public var labels: ByteSource?
  /// The same for validation.
  public var validationLabels: ByteSource?
  /// The same for what the result is judged on.
  public var testLabels: ByteSource?
  /// What is learned; found out from the labels when `nil`.
  public var loss: NetworkShape.Loss?
  /// The rows of a table that make a sequence.
  public var window: Int?
  /// The rows from one sequence to the next.
  public var stride: Int?

  /// Creates a reader.
  public init() {}

  /// One part in so many is for validation when there is no file for it.
  private static let validationPart = 10

  /// Reads the files.
  ///
  /// - Parameters:
  ///   - training: What is learned from.
  ///   - validation: The same for validation; a tenth of `training` when `nil`.
  ///   - test: What the result is judged on, if anything.
  ///   - initialShape: The network that training starts from, if it does not start anew.
  /// - Returns: The data.
  /// - Throws: ``DiagnosticError`` with code `badTrainingData` or `badEvaluationData`, with the file
  ///   named.
  public func load(
    _ training: ByteSource, validation: ByteSource?, test: ByteSource?, initialShape: NetworkShape?
  ) throws(DiagnosticError) -> LoadedTrainingData {
    let others = [validation, test, labels, validationLabels, testLabels].compactMap { $0 }
    guard training.count > 0 else {
      throw DiagnosticError(.badTrainingData, file: training.name, "is empty")
    }
    var digests: [String] = []
    for source in [training] + others { digests.append(try source.sha256()) }
    for (labels, source, option) in [
      (validationLabels, validation, "--valid"), (testLabels, test, "--test"),
    ] {
      guard let labels, source == nil else { continue }
      throw DiagnosticError(
        .badTrainingData, file: labels.name, "are labels of nothing",
        hint: "give the data that they belong to with \(option)")
    }
    let isOfArrays = try ArrayFile.kind(training) != nil || labels != nil
    return isOfArrays
      ? try sequences(training, validation, test, initialShape, digests)
      : try text(training, validation, test, initialShape, digests)
  }

  // MARK: - Texts

  private func text(
    _ training: ByteSource, _ validation: ByteSource?, _ test: ByteSource?,
    _ initialShape: NetworkShape?, _ digests: [String]
  ) throws(DiagnosticError) -> LoadedTrainingData {
    if case .numbers(let features) = initialShape?.input {
      throw DiagnosticError(
        .badTrainingData, file: training.name,
        "is a text, and the model reads sequences of \(features) numbers",
        hint: "give an .npz, or a table with --labels")
    }
    if initialShape?.readsLastStep == true {
      throw DiagnosticError(
        .badTrainingData, file: training.name,
        "is a text, and the dense layer of the model reads the last step of a sequence",
        hint: "start from a language model, which has an output at each step")
    }
    let vocabulary: Vocabulary
    if let given = self.vocabulary {
      vocabulary = isOfCharacters.map(given.reading(characters:)) ?? given
    } else {
      guard initialShape == nil else {
        throw DiagnosticError(
          .badTrainingData, file: training.name, "the model has a vocabulary of its own",
          hint: "give it with --vocab")
      }
      vocabulary = try Vocabulary(
        of: training, isOfCharacters: isOfCharacters ?? false, makesUnknown: makesUnknown)
    }
    if let shape = initialShape, case .tokens(let count, _) = shape.input,
      count != vocabulary.count || shape.outputs != vocabulary.count
    {
      throw DiagnosticError(
        .badTrainingData,
        "the vocabulary has \(vocabulary.count) tokens; the model reads \(count) and tells "
          + "\(shape.outputs) apart", hint: "give the vocabulary of the model with --vocab")
    }
    func tokens(_ source: ByteSource) throws(DiagnosticError) -> [Int32] {
      do throws(DiagnosticError) {
        return try vocabulary.numbers(in: source).map { Int32($0) }
      } catch {
        var error = error
        if error.hint == nil {
          error.hint = "give a --vocab with all tokens, or one that has <unk>"
        }
        throw error
      }
    }
    var own = try tokens(training)
    let valid: [Int32]
    if let validation {
      valid = try tokens(validation)
    } else {
      let kept = own.count - own.count / Self.validationPart
      valid = Array(own[kept...])
      own = Array(own[..<kept])
    }
    return LoadedTrainingData(
      training: .text(own), validation: .text(valid),
      test: try test.map { (source) throws(DiagnosticError) in .text(try tokens(source)) },
      vocabulary: vocabulary, loss: .crossEntropy, outputs: vocabulary.count, digests: digests)
  }

  // MARK: - Sequences

  private func sequences(
    _ training: ByteSource, _ validation: ByteSource?, _ test: ByteSource?,
    _ initialShape: NetworkShape?, _ digests: [String]
  ) throws(DiagnosticError) -> LoadedTrainingData {
    let found = try labeled(training, labels, loss)
    var (own, valid) = (found, found)
    if let validation {
      valid = try labeled(validation, validationLabels, found.loss)
    } else {
      (own, valid) = try found.split(validationPart: Self.validationPart, file: training.name)
    }
    let judged = try test.map { (source) throws(DiagnosticError) in
      try labeled(source, testLabels, found.loss)
    }
    let outputs = max(
      initialShape?.outputs ?? 0, own.outputs, valid.outputs, judged?.outputs ?? 0)
    for (other, source) in [(valid, validation), (judged ?? own, test)] {
      try other.check(against: own, file: source?.name ?? training.name)
    }
    if let initialShape {
      for (data, source) in [(own, training), (valid, validation), (judged ?? own, test)] {
        try data.check(
          against: initialShape, outputs: outputs, file: source?.name ?? training.name)
      }
    }
    return LoadedTrainingData(
      training: .sequences(own.data), validation: .sequences(valid.data),
      test: judged.map { .sequences($0.data) }, vocabulary: nil, loss: found.loss,
      outputs: outputs, digests: digests)
  }

  private func labeled(
    _ source: ByteSource, _ labels: ByteSource?, _ loss: NetworkShape.Loss?
  ) throws(DiagnosticError) -> LabeledSequences {
    var reader = DataReader()
    reader.window = window
    reader.stride = stride
    // A table's window is --window's, no model's.
    let model = Model(
      source: ModelSource(format: "", writer: "", byteCount: 0, sha256: ""), layers: [],
      lstmWeights: [])
    let data = try reader.read(source, labels: labels, for: model)
    do throws(DiagnosticError) {
      guard case .sequences(let inputs) = data.content, inputs.count == 1,
        let input = inputs.values.first
      else {
        throw DiagnosticError(
          .badTrainingData, "has more than one array beside the labels",
          hint: "an .npz has x and y")
      }
      guard let labels = data.labels else {
        throw DiagnosticError(
          .badTrainingData, "has no labels",
          hint: "name them y in the .npz, or give --labels, --valid-labels and --test-labels")
      }
      return try LabeledSequences(input: input, labels: labels, loss: loss)
    } catch { throw error.inFile(source.name) }
  }
}
