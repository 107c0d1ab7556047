public import ModelEvaluation

/// What calibration did.
public struct CalibrationReport: Sendable {
  /// Towards what the weights of a layer were rounded, in the terms of GPTAQ (arXiv:2504.02692).
  public enum Choice: String, Sendable {
    /// By its weights alone.
    case weightsOnly
    /// Towards the original's weights, W.
    case symmetric
    /// Towards W* = W·C·H⁻¹, which answers for what the layers before have done to the inputs.
    case asymmetric
  }

  /// One set of LSTM weights.
  public struct Layer: Sendable {
    /// The first layer that uses it.
    public var name: String
    /// What was taken.
    public var chosen: Choice
    /// How far the model's outputs on held-out data are from the original's under each choice, with this layer and those
    /// before compressed.
    public var divergences: [Choice: Double]
    /// Why it was not calibrated; `nil` when it was.
    public var obstacle: String?
  }

  /// What it was calibrated on.
  public let data: CalibrationData
  /// The layers, in the order of the graph.
  public var layers: [Layer] = []
  /// The score of the original on held-out data.
  public var original: HookScore?
  /// The same with weights alone.
  public var weightsOnly: HookScore?
  /// The same with calibration.
  public var calibrated: HookScore?

  init(data: CalibrationData) { self.data = data }

  /// How many outputs on held-out data were scored.
  public var items = 0

  /// Whether calibration left the outputs further from the original's than weights alone, so that it was dropped.
  public var isWorse: Bool {
    guard let weightsOnly = weightsOnly?.divergence, let calibrated = calibrated?.divergence else {
      return false
    }
    return calibrated > weightsOnly
  }
}
