public import LSTMCore
public import LSTMRuntime

/// What running a model tells of its gates.
public struct GateAnalysis: Sendable {
  /// The gates of one direction of a layer.
  public struct Direction: Equatable, Sendable {
    /// The layer.
    public var layer: String
    /// The direction.
    public var direction: LSTMCore.Direction
    /// How the values of the gates are spread.
    public var statistics: GateStatistics
    /// How far each gate moves with what it reads.
    public var sensitivities: PerGate<Sensitivity>
  }

  /// √(E‖diag(σ′(a)) W‖²) of a gate; `nil` where the derivative of its activation is not known.
  public struct Sensitivity: Equatable, Sendable {
    /// To the input x: W the input weights.
    public var input: Double?
    /// To the previous output h: W the recurrent weights.
    public var recurrent: Double?
    /// To both: W = [W R], side by side.
    public var both: Double?
  }

  /// In the order of layers and directions.
  public var directions: [Direction]
  /// The LSTM layers that could not be run.
  public var leftOut: [LeftOut]

  /// A layer that could not be run.
  public struct LeftOut: Equatable, Sendable {
    /// Its name.
    public var layer: String
    /// Why.
    public var reason: String
  }
}
