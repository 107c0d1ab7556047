public import Diagnostics
internal import LSTMCore

extension DiagnosticError.Code {
  /// Data that a network cannot be trained on.
  public static let badTrainingData = Self("training.badData", .malformedInput)
}

/// What a network is trained or evaluated on.
public enum TrainingData: Sendable {
  /// A running text; each token is to be told from those before it.
  case text([Int32])
  /// Sequences of the same length.
  case sequences(SequenceData)

  /// What would be trained on: targets, or all tokens but the first of each stream.
  var isEmpty: Bool {
    switch self {
    case .text(let tokens): tokens.isEmpty
    case .sequences(let data): data.count == 0
    }
  }
}

/// Sequences of numbers or tokens with what should come out of them.
public struct SequenceData: Sendable {
  /// What the sequences are.
  public enum Inputs: Sendable {
    /// `[sequences, steps]`.
    case tokens([Int32])
    /// `[sequences, steps, features]`.
    case numbers([Float], features: Int)
  }

  /// What should come out.
  public enum Labels: Sendable {
    /// A class for each sequence, or for each step: `[sequences]` or `[sequences, steps]`.
    case classes([Int32])
    /// `[sequences, outputs]` or `[sequences, steps, outputs]`.
    case values([Float], outputs: Int)
  }

  /// The sequences.
  public let inputs: Inputs
  /// What should come out.
  public let labels: Labels
  /// The number of sequences.
  public let count: Int
  /// The steps of each.
  public let steps: Int
  /// Whether there is a label for each step, not one for each sequence.
  public let labelsSteps: Bool

  /// Creates data.
  ///
  /// - Precondition: Inputs and labels have the sizes that their documentation gives.
  public init(inputs: Inputs, labels: Labels, count: Int, steps: Int, labelsSteps: Bool) {
    self.inputs = inputs
    self.labels = labels
    self.count = count
    self.steps = steps
    self.labelsSteps = labelsSteps
  }

  /// Some of the sequences, as a segment: time first.
  func segment(_ chosen: ArraySlice<Int>) -> TrainingSegment<Float> {
    let batch = chosen.count
    func turned<Element>(_ values: [Element], _ width: Int, isLabel: Bool) -> [Element] {
      let steps = isLabel && !labelsSteps ? 1 : steps
      var result: [Element] = []
      result.reserveCapacity(batch * steps * width)
      for step in 0..<steps {
        for sequence in chosen {
          let start = (sequence * steps + step) * width
          result += values[start..<start + width]
        }
      }
      return result
    }
    let targets: TargetValues<Float> =
      switch labels {
      case .classes(let classes): .classes(turned(classes, 1, isLabel: true))
      case .values(let values, let outputs): .values(turned(values, outputs, isLabel: true))
      }
    switch inputs {
    case .tokens(let tokens):
      return .tokenSequences(turned(tokens, 1, isLabel: false), targets)
    case .numbers(let numbers, let features):
      return .numbers(turned(numbers, features, isLabel: false), targets)
    }
  }
}
