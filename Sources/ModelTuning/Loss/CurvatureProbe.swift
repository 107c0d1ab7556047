import Diagnostics
import LSTMCore
import LSTMRuntime
import LSTMTraining
import ModelEvaluation

/// The mean curvature of what follows an LSTM, whatever it is: by running the original with the LSTM's outputs a little changed.
///
/// One run for each element of the outputs: it is changed at every step, up or down by chance, the same for all elements, so that what the
/// steps do to each other cancels out. The changes g of the model's first output, in the metric of its divergence, give
/// F = E[g gᵀ] for a step: ½ δᵀFδ is what an error δ of the LSTM's outputs costs.
struct CurvatureProbe {
  let original: Model
  let data: EvaluationData
  let seed: UInt64
  let threads: Int

  /// The steps over which it is averaged, about.
  private static let steps = 256
  /// The most outputs of an LSTM: as many runs.
  private static let widest = 512
  /// The maximum number of outputs that are kept of all runs together; where there are more, as many are drawn.
  private static let elementLimit = 1 << 22
  /// The change, in units of the outputs' root mean square.
  private static let size: Float = 0.05

  /// Measures.
  ///
  /// - Parameters:
  ///   - layer: The LSTM's index in `Model.layers`.
  ///   - width: Its outputs, of all directions.
  /// - Returns: `nil` where the first output does not depend on it, or either is too wide.
  /// - Throws: ``DiagnosticError`` when the model cannot be run.
  func curvature(ofLayer layer: Int, width: Int) throws(DiagnosticError) -> CurvatureLoss? {
    guard width > 0, width <= Self.widest else { return nil }
    let data = try data.sample(steps: Self.steps)
    let model = try DataModel(original, on: data)
    guard case .lstm(let lstm) = original.layers[layer].kind else { return nil }
    let outputs = AlteredOutputs(
      layer: layer, directions: lstm.directions.map(\.direction), width: width, seed: seed)
    let prefix = SharedPrefix()
    func run() throws(DiagnosticError) -> [Float]? {
      var made: [Float] = []
      do {
        let feed = try DataFeed(data, for: model)
        var session = DataSession(
          for: model, carriesState: feed.carriesState, recording: .outputs, prefix: prefix)
        session.altering = { outputs.alter($0, $1, &$2) }
        try feed.forEach { inputs, _ in
          let first = try model.run(inputs, session: &session, threads: threads).first
          made += first?.floats ?? []
        }
      } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
      return made.isEmpty ? nil : made
    }
    guard let base = try run(), outputs.steps > 0 else { return nil }
    let change = Self.size * outputs.rootMeanSquare
    guard change > 0, change.isFinite else { return nil }
    let weights = Self.weights(base)
    let kept = keptOutputs(of: base.count, limit: max(1, Self.elementLimit / width))
    let g = NumberBuffer<Float>(width * kept.count)
    for element in 0..<width {
      outputs.begin(changing: element, by: change)
      guard let made = try run(), made.count == base.count else { return nil }
      for (place, index) in kept.enumerated() {
        g[element * kept.count + place] = (made[index] - base[index]) / change * weights[index]
      }
    }
    let curvature = NumberBuffer<Float>(width * width)
    unsafe Float.product(
      MatrixView(g.start, stride: kept.count),
      MatrixView(g.start, stride: kept.count, transposed: true), into: curvature.start,
      stride: width, rows: width, inputs: kept.count, outputs: width, accumulate: false)
    let scale = Float(base.count) / Float(kept.count) / Float(outputs.steps)
    for index in 0..<curvature.count { curvature[index] *= scale }
    guard curvature.values.allSatisfy(\.isFinite), curvature.values.contains(where: { $0 > 0 })
    else { return nil }
    return CurvatureLoss(width: width, curvature: curvature)
  }

  /// The indices of the outputs that are looked at: all, or as many as may be, drawn from all.
  private func keptOutputs(of count: Int, limit: Int) -> [Int] {
    guard count > limit else { return Array(0..<count) }
    var random = SeededGenerator(seed: seed)
    // One of each stretch, so that all steps are seen alike.
    return (0..<limit).map { part in
      let range = count * part / limit..<count * (part + 1) / limit
      return range.lowerBound + random.integer(below: range.count)
    }
  }

  /// The square roots of the metric of outputs: of probabilities the Fisher information of each by itself, else in units of their mean square.
  private static func weights(_ outputs: [Float]) -> [Float] {
    if outputs.allSatisfy({ (0...1).contains($0) }) {
      return outputs.map { 1 / max(1e-6, $0 * (1 - $0)).squareRoot() }
    }
    let square = outputs.reduce(0) { $0 + $1 * $1 } / Float(max(1, outputs.count))
    return outputs.map { _ in 1 / max(1e-12, square).squareRoot() }
  }
}

/// What an LSTM made in a first run, with one element changed in later ones.
///
/// A run is on one thread at this place; calls come in the same order in every run.
private final class AlteredOutputs: @unchecked Sendable {
  private let layer: Int
  private let directions: [Direction]
  private let width: Int
  private let seed: UInt64
  private var recorded: [LSTMResult] = []
  private var change: (element: Int, size: Float)?
  private var next = 0
  /// The steps of all sequences.
  private(set) var steps = 0
  private var squares = 0.0

  init(layer: Int, directions: [Direction], width: Int, seed: UInt64) {
    self.layer = layer
    self.directions = directions
    self.width = width
    self.seed = seed
  }

  var rootMeanSquare: Float { Float((squares / Double(max(1, steps * width))).squareRoot()) }

  func begin(changing element: Int, by size: Float) {
    change = (element, size)
    next = 0
  }

  func alter(_ own: Int, _ sequence: LSTMSequence, _ result: inout LSTMResult) {
    guard own == layer else { return }
    guard let change else {
      recorded.append(result)
      steps += result.outputs.count / width
      squares += result.outputs.reduce(0) { $0 + Double($1) * Double($1) }
      return
    }
    guard next < recorded.count else { return }
    var changed = recorded[next]
    var random = SeededGenerator(seed: seed &+ UInt64(next))
    next += 1
    let signs = (0..<changed.outputs.count / width).map { _ in
      random.next() & 1 == 0 ? change.size : -change.size
    }
    for (row, size) in signs.enumerated() {
      changed.outputs[row * width + change.element] += size
    }
    // What is computed last stands in the last outputs and the state, too.
    let units = width / directions.count
    let (direction, unit) = change.element.quotientAndRemainder(dividingBy: units)
    for row in 0..<sequence.batch {
      let counted = (0..<sequence.steps).filter { time in
        sequence.lengths.map { time < $0[row] } ?? true
          && sequence.mask?[row * sequence.steps + time] ?? true
      }
      guard let last = directions[direction] == .forward ? counted.last : counted.first else {
        continue
      }
      let place = (direction * sequence.batch + row) * units + unit
      changed.lastOutputs[place] += signs[sequence.inputRow(row, last)]
      changed.state.h[place] += signs[sequence.inputRow(row, last)]
    }
    result = changed
  }
}
