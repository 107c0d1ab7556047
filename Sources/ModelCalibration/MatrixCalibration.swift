public import Diagnostics
public import LSTMCore
import MatrixCompression
public import ModelCompression

/// Calibrates single matrices, each while all others are as in the original: what an analysis or a search compares.
///
/// A plan as a whole is calibrated by ``CalibratedCompressor``, which sees what the compressed layers make of each other.
public struct MatrixCalibration: Sendable {
  /// Called with the number of LSTM layers done and in all.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  /// A calibrated matrix.
  public struct Result: Sendable {
    /// The matrix.
    public var matrix: WeightMatrix
    /// What is added to the bias of its gate, `[hiddenSize]`; `nil` without a bias.
    public var biasChange: [Float]?
  }

  private let original: Model
  /// By set of weights and direction; `nil` where the data say nothing.
  private let metrics: [Int: [SecondOrderMetric?]]

  /// The multiplications that rounding every matrix under every treatment may take, about: a few minutes.
  private static let workLimit = 1e12
  /// The passes over a matrix that rounding it under all treatments takes, about.
  private static let passes = 100.0

  /// Runs a model over the data.
  ///
  /// - Parameters:
  ///   - original: The model before it is compressed.
  ///   - data: What it is calibrated on.
  ///   - threads: How many threads may work; the result does not depend on it.
  ///   - progress: Called as work goes on.
  /// - Throws: ``DiagnosticError`` when the model cannot be run on the data.
  public init(
    _ original: Model, data: CalibrationData, threads: Int,
    progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) {
    var metrics: [Int: [SecondOrderMetric?]] = [:]
    let sets = original.calibrationOrder
    for (number, index) in sets.enumerated() {
      progress(number, sets.count)
      let set = original.lstmWeights[index]
      guard LayerCalibration.obstacle(to: set) == nil else { continue }
      let moments = try CellMoments(weights: index, data: data.fitted, threads: threads)
        .collect(original: original, compressed: nil, hasBias: set.directions.map(\.hasBias))
      metrics[index] = moments.enumerated().map { direction, moments in
        SecondOrderMetric(moments, of: set, direction: direction, threads: threads)
      }
    }
    progress(sets.count, sets.count)
    self.original = original
    self.metrics = metrics
  }

  /// Why the treatments of a model's matrices are not calibrated one by one; `nil` when they are.
  public static func obstacle(for model: Model) -> String? {
    let work = model.lstmWeights.reduce(0.0) { sum, set in
      let size = Double(set.inputSize + set.outputSize)
      return sum + Double(set.directions.count * 4 * set.hiddenSize) * size * size
    }
    guard passes * work > workLimit else { return nil }
    return
      "its LSTM layers are so large that calibrating each matrix under each treatment would take very long"
  }

  /// Calibrates a matrix.
  ///
  /// - Parameters:
  ///   - path: The matrix.
  ///   - treatment: What is done to it.
  ///   - weightsOnly: What the treatment makes of it by the weights alone.
  /// - Returns: The matrix; `nil` where there is nothing to choose, or the data say nothing.
  /// - Throws: ``DiagnosticError`` when it cannot be quantized.
  public func calibrated(
    _ path: MatrixPath, treatment: Treatment, weightsOnly: WeightMatrix
  ) throws(DiagnosticError) -> Result? {
    guard let gate = path.gate, let (index, direction) = original.lstmDirection(of: path),
      let metric = metrics[index]?[direction],
      let layer = original.layers(usingWeights: index).first, case .lstm(let lstm) = layer.kind
    else { return nil }
    var compressed = original.lstmWeights[index]
    if path.role == .input {
      compressed.directions[direction].inputWeights[gate] = weightsOnly
    } else {
      compressed.directions[direction].recurrentWeights[gate] = weightsOnly
    }
    let rounding = CellRounding(
      original: original.lstmWeights[index], weightsOnly: compressed, layer: layer.name,
      directions: lstm.directions.map(\.direction),
      plan: CompressionPlan(rules: [
        CompressionPlan.Rule(
          layers: [path.layer], directions: path.direction.map { [$0] }, roles: [path.role],
          gates: [gate], treatment: treatment)
      ]), answersInputs: false, threads: 1)
    guard let rounded = try rounding.round(direction, gate, metric) else { return nil }
    let before = original.lstmWeights[index].directions[direction].biasSum(gate)
    return Result(
      matrix: rounded.matrices[path.role == .input ? 0 : 1],
      biasChange: rounded.bias.map { zip($0, before).map { $0 - $1 } })
  }
}
