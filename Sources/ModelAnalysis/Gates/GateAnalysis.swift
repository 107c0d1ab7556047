public import LSTMCore
public import LSTMRuntime
public import ModelEvaluation

/// What running a model tells of its gates.
public struct GateAnalysis: Equatable, Sendable {
  /// The gates of one direction of a layer.
  public struct Direction: Equatable, Sendable {
    /// The layer.
    public var layer: String
    /// The direction.
    public var direction: LSTMCore.Direction
    /// How the values of the gates are spread.
    public var statistics: GateStatistics
  }

  /// What it does to the outputs of a layer when only one of its matrices is compressed.
  public struct MatrixDrift: Equatable, Sendable {
    /// The matrix.
    public var path: MatrixPath
    /// The bits, as `Quantizers.all` names them, or `nil` for factors.
    public var quantizer: String?
    /// The rank, or `nil` for packed weights.
    public var rank: Int?
    /// The relative error of h by step, ‖h − ĥ‖ / ‖h‖ over the sequences.
    public var relativeErrors: [Drift.RelativeError]
  }

  /// In the order of layers and directions.
  public var directions: [Direction]
  /// In the order of `Model.matrices`, each with every candidate.
  public var drifts: [MatrixDrift]
  /// The sequences and steps over which drift was measured.
  public var driftSequences: Int
  /// The steps over which drift was measured.
  public var driftSteps: Int
  /// The LSTM layers that could not be run, and why.
  public var leftOut: [(layer: String, reason: String)]

  /// Whether two analyses say the same.
  public static func == (a: GateAnalysis, b: GateAnalysis) -> Bool {
    a.directions == b.directions && a.drifts == b.drifts && a.driftSequences == b.driftSequences
      && a.driftSteps == b.driftSteps && a.leftOut.map(\.layer) == b.leftOut.map(\.layer)
      && a.leftOut.map(\.reason) == b.leftOut.map(\.reason)
  }
}
