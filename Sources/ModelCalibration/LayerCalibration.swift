import Diagnostics
import LSTMCore
import LSTMRuntime
import MatrixCompression
import ModelCompression
import ModelEvaluation

/// The calibration of one set of LSTM weights.
struct LayerCalibration {
  /// The model before it is compressed.
  let original: Model
  /// The model as weights alone make it.
  let weightsOnly: Model
  /// The layers before as they were calibrated, this one and those to come as in the original.
  let calibrated: Model
  /// The index in `Model.lstmWeights`.
  let weights: Int
  let plan: CompressionPlan
  let data: CalibrationData
  let threads: Int

  /// What became of the weights.
  struct Outcome {
    var weights: LSTMWeights
    var chosen: CalibrationReport.Choice
    var divergences: [CalibrationReport.Choice: Double]
    var obstacle: String?

    func outcome(_ name: String) -> CalibrationReport.Layer {
      CalibrationReport.Layer(
        name: name, chosen: chosen, divergences: divergences, obstacle: obstacle)
    }
  }

  /// The most elements of z: their second moments are a matrix of that size.
  private static let sizeLimit = 6144

  /// Why a set of weights is not calibrated; `nil` when it is.
  static func obstacle(to set: LSTMWeights) -> String? {
    let size = set.inputSize + set.outputSize
    return size < sizeLimit ? nil : "its cells read \(size) elements, more than \(sizeLimit)"
  }

  /// The multiplications of one product of all rows with the second moments from which a layer is rounded once, not a
  /// second time for what it has become itself: a pass takes long there.
  private static let largeWork = 5e10

  private var isLarge: Bool {
    let set = original.lstmWeights[weights]
    let size = Double(set.inputSize + set.outputSize)
    return Double(4 * set.hiddenSize * set.directions.count) * size * size > Self.largeWork
  }

  func run(
    judge: DataEvaluation, progress: (_ done: Int) -> Void
  ) throws(DiagnosticError) -> Outcome {
    let start = weightsOnly.lstmWeights[weights]
    var best = Outcome(weights: start, chosen: .weightsOnly, divergences: [:])
    let set = original.lstmWeights[weights]
    guard (try rounding(set, target: .symmetric)).isNeeded else {
      best.obstacle = "none of its matrices has codes that can be chosen"
      return best
    }
    if let obstacle = Self.obstacle(to: set) {
      best.obstacle = obstacle
      return best
    }
    best.divergences[.weightsOnly] = try divergence(start, judge)
    let moments = try self.moments(with: set)
    progress(1)
    // Where the inputs are the original's, both targets are the same.
    let hasOwnInputs = moments.allSatisfy { $0.own == $0.cross }
    var before: LSTMWeights?
    for (number, target) in [CalibrationReport.Choice.symmetric, .asymmetric].enumerated() {
      let first =
        try hasOwnInputs && number > 0 ? before : rounding(set, target: target).run(moments)
      before = first
      guard let first, !(isLarge && hasOwnInputs && number > 0) else { continue }
      let candidate =
        isLarge ? first : try rounding(set, target: target).run(try self.moments(with: first))
      guard let candidate else { continue }
      let divergence = try divergence(candidate, judge)
      best.divergences[target] = divergence
      if divergence < best.divergences[best.chosen] ?? .infinity {
        best.weights = candidate
        best.chosen = target
      }
      progress(2 + number)
    }
    return best
  }

  private func rounding(
    _ set: LSTMWeights, target: CalibrationReport.Choice
  ) throws(DiagnosticError) -> CellRounding {
    guard
      let layer = original.layers.first(where: {
        if case .lstm(let lstm) = $0.kind { lstm.weights == weights } else { false }
      }), case .lstm(let lstm) = layer.kind
    else { throw DiagnosticError(.badPlan, "no layer uses these weights") }
    return CellRounding(
      original: set, weightsOnly: weightsOnly.lstmWeights[weights], layer: layer.name,
      directions: lstm.directions.map(\.direction), plan: plan,
      answersInputs: target == .asymmetric, threads: threads)
  }

  /// The model with this layer as it is given.
  private func model(with set: LSTMWeights) -> Model {
    var model = calibrated
    model.lstmWeights[weights] = set
    return model
  }

  private func divergence(
    _ set: LSTMWeights, _ judge: DataEvaluation
  ) throws(DiagnosticError) -> Double {
    let score = try judge.evaluate(model(with: set))
    return score.divergence ?? score.change(from: judge.original)
  }

  private func moments(with set: LSTMWeights) throws(DiagnosticError) -> [SecondMoments] {
    try CellMoments(weights: weights, data: data.fitted, threads: threads).collect(
      original: original, compressed: model(with: set), hasBias: set.directions.map(\.hasBias))
  }
}
