internal import Foundation

/// Everything that decides what training gives, but the data.
public struct TrainingSettings: Hashable, Codable, Sendable {
  /// The network.
  public var shape: NetworkShape
  /// Its gates.
  public var gates = GateOptions()
  /// What is left out and penalized.
  public var regularization = RegularizationOptions()
  /// How gradients change parameters.
  public var optimizer = OptimizerOptions()
  /// Epochs and learning rates.
  public var schedule = ScheduleOptions()
  /// The streams into which a text is cut, or the sequences of a batch.
  public var batch = 20
  /// The steps of a segment of text, through which gradients go back.
  public var steps = 35
  /// Whether segments are of random length, as in arXiv:1708.02182, section 5.
  public var variesSteps = false
  /// The streams into which a text is cut for evaluation.
  public var evaluationStreams = 10
  /// Weights start between minus and plus this; those of the embedding and the dense layer, too.
  public var initialRange = 0.1
  /// What the biases of forget gates start with; others start with zero.
  public var forgetBias = 0.0
  /// What everything random comes from.
  public var seed: UInt64 = 1
  /// The threads, on which the last bits of sums depend.
  public var threads = 1

  /// Settings for a network, with what the reference models had.
  public init(shape: NetworkShape) { self.shape = shape }

  /// The settings as a JSON object, names in order, as in a checkpoint.
  public var json: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Settings are numbers and names; nothing of them cannot be encoded but numbers that no option takes.
    return (try? encoder.encode(self)).map(Array.init) ?? Array("{}".utf8)
  }
}
