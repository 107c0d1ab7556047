public import Diagnostics
public import LSTMCore
public import LSTMRuntime
import ModelCompression
public import ModelEvaluation

/// Ranks treatments without running the model once for each.
///
/// The loss is D, the divergence of the outputs from the original's. Its gradient at the original
/// weights is zero, so what is left is the curvature: D(W + Δ) ≈ ½ Σ Δᵀ H Δ. H is taken to depend on
/// what a matrix adds to the sums of its gate, Δx, alike in all directions. Then one probe N of random
/// weights (a Hutchinson estimate of the trace) tells the scale for all treatments of the matrix:
///
///     D(W + Δ) ≈ D(W + N) · E‖Δx‖² / E‖Nx‖²
///
/// with x the inputs of the layer, or its outputs for the recurrent matrix, as recorded. D is the
/// Kullback–Leibler divergence in nats of outputs that are probabilities, else the relative squared
/// error.
public struct FirstOrderAnalyzer: Sendable {
  /// The size of a probe: the root mean square of N over that of W.
  private static let probeSize: Float = 0.1
  /// How many probes are averaged.
  private static let probes = 2
  /// The sequences and steps over which a probe is run.
  private static let sequences = 8
  private static let steps = 100
  /// The inputs over which E‖Δx‖² is taken.
  private static let inputCount = 128

  private let threads: Int

  /// Creates an analyzer.
  ///
  /// - Parameter threads: How many probes may run at once; results do not depend on it.
  public init(threads: Int) { self.threads = max(1, threads) }

  /// Tells how far a model is from the original.
  public typealias Divergence = @Sendable (Model) throws(DiagnosticError) -> Double

  /// Ranks.
  ///
  /// - Parameters:
  ///   - table: The matrices under their treatments.
  ///   - runs: What the LSTM layers were given in the original model, and what they made of it.
  ///   - divergence: Run on two probes for each matrix.
  ///   - progress: Called after each matrix.
  /// - Returns: An expectation for each treatment of each matrix of a layer that was run.
  /// - Throws: ``DiagnosticError`` when a probe has no divergence.
  public func rank(
    _ table: TreatmentTable, runs: [RunSession.LSTMRun], divergence: @escaping Divergence,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(DiagnosticError) -> FirstOrderRanking {
    let found = try mapTasks(table.rows.count, threads: threads, progress: progress) {
      (index) throws(DiagnosticError) in
      do throws(DiagnosticError) { return try candidates(table, index, runs, divergence) } catch {
        throw error.atObject(table.rows[index].path.description)
      }
    }
    return FirstOrderRanking(candidates: found.flatMap { $0 })
  }

  /// The divergence of what models make of the beginning of data from what the original makes.
  ///
  /// - Parameters:
  ///   - original: The original.
  ///   - data: What models are run on.
  /// - Returns: What tells the divergence of a model.
  /// - Throws: ``DiagnosticError`` when the original cannot be run on the data.
  public static func divergence(
    from original: Model, on data: EvaluationData
  ) throws(DiagnosticError) -> Divergence {
    let outputs = try Outputs(of: original, on: data)
    return { (model) throws(DiagnosticError) in
      try Outputs(of: model, on: data).divergence(from: outputs)
    }
  }

  private func candidates(
    _ table: TreatmentTable, _ index: Int, _ runs: [RunSession.LSTMRun],
    _ divergence: Divergence
  ) throws(DiagnosticError) -> [FirstOrderRanking.Candidate] {
    let row = table.rows[index]
    guard let inputs = Self.inputs(of: row.path, table.model, runs) else { return [] }
    var measured = 0.0
    var scale = 0.0
    for probe in 0..<Self.probes {
      let noise = Self.noise(like: row.original, seed: UInt64(index * Self.probes + probe))
      var model = table.model
      model.updateMatrices { path, matrix in
        guard path == row.path else { return }
        matrix = .dense(
          Matrix(
            rows: noise.rows, columns: noise.columns,
            elements: zip(row.original.elements, noise.elements).map(+)))
      }
      measured += try divergence(model)
      scale += Self.energy(noise, inputs)
    }
    guard scale > 0 else { return [] }
    return row.cells.map { cell in
      let treated = cell.matrix.dequantized
      let change = Matrix(
        rows: treated.rows, columns: treated.columns,
        elements: zip(treated.elements, row.original.elements).map(-))
      return FirstOrderRanking.Candidate(
        path: row.path, treatment: cell.treatment,
        predicted: measured * Self.energy(change, inputs) / scale)
    }
  }

  /// Normal numbers in the shape of a matrix.
  private static func noise(like matrix: Matrix, seed: UInt64) -> Matrix {
    var random = SeededGenerator(seed: seed)
    let squares = matrix.elements.reduce(0.0) { $0 + Double($1) * Double($1) }
    let size =
      probeSize * Float((squares / Double(max(1, matrix.elements.count))).squareRoot())
    return Matrix(
      rows: matrix.rows, columns: matrix.columns,
      elements: matrix.elements.map { _ in size * random.normal() })
  }

  /// What a matrix is multiplied with, some rows spread over the recorded ones.
  private static func inputs(
    of path: MatrixPath, _ model: Model, _ runs: [RunSession.LSTMRun]
  ) -> [ArraySlice<Float>]? {
    guard let run = runs.first(where: { model.layers[$0.layer].name == path.layer }),
      case .lstm(let layer) = model.layers[run.layer].kind, let input = run.input,
      let direction = layer.directions.firstIndex(where: { $0.direction == path.direction })
    else { return nil }
    let weights = model.lstmWeights[layer.weights]
    let rows = input.batch * input.steps
    let (values, width, size, offset): ([Float], Int, Int, Int) =
      switch path.role {
      case .input: (input.x, weights.inputSize, weights.inputSize, 0)
      case .recurrent:
        (
          run.result.outputs, layer.directions.count * weights.outputSize, weights.outputSize,
          direction * weights.outputSize
        )
      // What a projection reads is not recorded.
      case .projection, .embedding, .dense: ([], 0, 0, 0)
      }
    guard size > 0, values.count == rows * width, rows > 0 else { return nil }
    let count = min(rows, inputCount)
    return (0..<count).map { number in
      let start = rows * number / count * width + offset
      return values[start..<start + size]
    }
  }

  /// Σ‖Δx‖² over the inputs.
  private static func energy(_ change: Matrix, _ inputs: [ArraySlice<Float>]) -> Double {
    var total = 0.0
    for row in 0..<change.rows {
      let weights = change.row(row)
      for input in inputs {
        var sum: Float = 0
        for (a, b) in zip(weights, input) { sum += a * b }
        total += Double(sum) * Double(sum)
      }
    }
    return total
  }

  /// What a model makes of the beginning of the data.
  private struct Outputs: Sendable {
    let values: [Float]
    let classes: Int
    /// Whether rows are logits, or probabilities.
    let areScores: Bool

    init(of model: Model, on data: EvaluationData) throws(DiagnosticError) {
      do {
        let model = try DataModel(model, on: data, leavingOutSoftmax: true)
        let feed = try DataFeed(data, for: model)
        var session = DataSession(for: model)
        let output = try model.run(
          try feed.first(
            sequences: FirstOrderAnalyzer.sequences, steps: FirstOrderAnalyzer.steps),
          session: &session
        )[0]
        guard let values = output.floats else {
          throw DiagnosticError(.badEvaluationData, "the output holds integers")
        }
        self.values = values
        classes = output.dims.last ?? 1
        areScores = model.prepared.leavesOutSoftmax
      } catch {
        throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)")
      }
    }

    /// The mean divergence of this from what the original makes.
    func divergence(from original: Outputs) -> Double {
      let rows = values.count / max(1, classes)
      if areScores, classes > 1, rows > 0 {
        return RowScores(classes: classes, threads: 1)
          .divergence(of: values, from: original.values, rows: rows).reduce(0, +) / Double(rows)
      }
      var (difference, norm) = (0.0, 0.0)
      for (a, b) in zip(values, original.values) {
        difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
        norm += Double(b) * Double(b)
      }
      return norm > 0 ? difference / norm : 0
    }
  }
}
