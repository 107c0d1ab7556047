public import Diagnostics
public import LSTMCore
public import ModelCompression

/// How a plan becomes the model that is written.
public struct PlanFinish: Sendable {
  /// Compresses the original.
  public typealias Make = @Sendable (CompressionPlan) throws(DiagnosticError) -> Model

  /// All matrices together, as `compress` does it: seconds.
  public var compress: Make
  /// The same, and then the LSTMs learn: minutes; `nil` where that is not wanted.
  public var tune: Make?

  /// Creates a way.
  public init(compress: @escaping Make, tune: Make? = nil) {
    self.compress = compress
    self.tune = tune
  }
}
