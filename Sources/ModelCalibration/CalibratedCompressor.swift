public import Diagnostics
public import LSTMCore
import LSTMRuntime
import MatrixCompression
public import ModelCompression
import ModelEvaluation

/// Applies a plan to a model so that its outputs on calibration data change least.
///
/// Matrices are compressed by their weights alone first. Then the LSTM layers are taken in the order of the graph: over
/// the calibration data the second moments of what their cells read are collected, as the layers before leave it, and
/// codes, scales and biases are chosen anew (``SecondOrderRounding``); then once more with what the layer itself has
/// become. Each layer keeps what does best on the data that are held out: weights alone, rounding towards the original's
/// weights, or towards those that answer for what earlier layers have done to the inputs.
public struct CalibratedCompressor: Sendable {
  /// Called with the number of steps done and in all; one call at a time.
  public typealias Progress = @Sendable (_ done: Int, _ total: Int) -> Void

  private let plan: CompressionPlan
  private let data: CalibrationData
  private let threads: Int

  /// Creates a compressor.
  ///
  /// - Parameters:
  ///   - plan: Which matrix gets which treatment.
  ///   - data: What it is calibrated on.
  ///   - threads: How many threads may work; the result does not depend on it.
  public init(plan: CompressionPlan, data: CalibrationData, threads: Int) {
    self.plan = plan
    self.data = data
    self.threads = max(1, threads)
  }

  /// Compresses a model.
  ///
  /// - Parameters:
  ///   - model: The model. After an error it is unspecified.
  ///   - progress: Called as work goes on.
  /// - Returns: What became of each matrix, and what calibration did.
  /// - Throws: ``DiagnosticError`` as `ModelCompressor`, or when the model cannot be run on the data.
  public func compress(
    _ model: inout Model, progress: @escaping Progress = { _, _ in }
  ) throws(DiagnosticError) -> (report: CompressionReport, calibration: CalibrationReport) {
    let original = model
    var report = try ModelCompressor(plan: plan, threads: threads).compress(&model)
    var calibration = CalibrationReport(data: data)
    let sets = original.calibrationOrder
    let total = 2 + 4 * sets.count
    progress(1, total)
    let judge = try data.judge(original, threads: threads)
    let first = try judge.evaluate(model)
    if first.divergence == 0 {
      // Nothing that is judged depends on what the plan changes.
      calibration.original = judge.original
      calibration.items = judge.items
      calibration.weightsOnly = first
      calibration.calibrated = first
      calibration.layers = sets.map { index in
        CalibrationReport.Layer(
          name: original.layers(usingWeights: index).first?.name ?? "#\(index)",
          chosen: .weightsOnly, divergences: [:],
          obstacle: "compressing it changes none of the outputs that are judged")
      }
      return (report, calibration)
    }
    // The layers that were calibrated, with those to come as in the original, and as weights alone make them.
    var calibrated = original
    for index in original.lstmWeights.indices where !sets.contains(index) {
      calibrated.lstmWeights[index] = model.lstmWeights[index]
    }
    for (number, index) in sets.enumerated() {
      let name = original.layers(usingWeights: index).first?.name ?? "#\(index)"
      do throws(DiagnosticError) {
        let layer = try LayerCalibration(
          original: original, weightsOnly: model, calibrated: calibrated, weights: index,
          plan: plan,
          data: data, threads: threads
        ).run(judge: judge) { progress(2 + 4 * number + $0, total) }
        calibrated.lstmWeights[index] = layer.weights
        calibration.layers.append(layer.outcome(name))
      } catch { throw error.atObject(name) }
    }
    // All layers together, once more against what weights alone give.
    for (index, layer) in model.layers.enumerated() {
      if case .lstm = layer.kind { continue }
      calibrated.layers[index] = layer
    }
    calibration.original = judge.original
    calibration.items = judge.items
    calibration.weightsOnly = first
    calibration.calibrated = try judge.evaluate(calibrated)
    if calibration.isWorse {
      for index in calibration.layers.indices { calibration.layers[index].chosen = .weightsOnly }
    } else {
      model.lstmWeights = calibrated.lstmWeights
      report.updateErrors(of: model, against: original, threads: threads)
    }
    progress(total, total)
    return (report, calibration)
  }
}

extension Model {
  /// The sets of LSTM weights that nodes of the graph use, in the order of the graph.
  var calibrationOrder: [Int] {
    var order: [Int] = []
    for node in graph?.nodes ?? [] {
      guard let layer = node.layer, layers.indices.contains(layer),
        case .lstm(let lstm) = layers[layer].kind, !order.contains(lstm.weights)
      else { continue }
      order.append(lstm.weights)
    }
    return order
  }
}
