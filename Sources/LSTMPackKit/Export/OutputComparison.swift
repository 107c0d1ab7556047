import Checkpoints
import Diagnostics
import LSTMCore
import LSTMRuntime

/// Runs a model and the file that was written of it on the same synthetic input.
struct OutputComparison {
  /// Why there is no result.
  enum NotRun: Error {
    /// One of them cannot be run.
    case obstacle(String)
    /// They give different results.
    case difference(DiagnosticError)
  }

  /// The model, with the numbers that the file holds.
  let reference: Model
  let written: Model
  let layout: ExportLayout
  let threads: Int

  func run() throws(NotRun) -> ExportCheck.Outputs {
    guard reference.graph != nil else {
      throw .obstacle(
        "the outputs, because the checkpoint does not say how its layers are connected")
    }
    if let obstacle = reference.obstacleToRunning { throw Self.obstacle("the model", obstacle) }
    if let obstacle = written.obstacleToRunning { throw Self.obstacle("the file", obstacle) }
    let (inputs, expected, names) = try runReference()
    let found = try runWritten(inputs, names)
    guard found.count == expected.count else {
      throw .difference(
        Self.error(nil, "the file has \(found.count) outputs, the model \(expected.count)"))
    }
    var largest: Float = 0
    for (name, (own, other)) in zip(names, zip(expected, found)) {
      largest = max(largest, try compare(name, own, other))
    }
    return ExportCheck.Outputs(
      count: expected.count, inputs: inputs.map(\.tensor.dims), largestDifference: largest)
  }

  // MARK: - Runs

  private typealias Named = SyntheticInputs.Named

  private func runReference() throws(NotRun) -> (
    inputs: [Named], outputs: [Tensor], names: [String]
  ) {
    let prepared: PreparedModel
    do throws(DiagnosticError) { prepared = try PreparedModel(reference) } catch {
      throw Self.obstacle("the model", error)
    }
    // States are given where the file takes them, too.
    let names = Set(written.graph?.inputs.map(\.name) ?? [])
    var first: DiagnosticError?
    for sizes in SyntheticInputs.sizes {
      do throws(DiagnosticError) {
        let inputs = try SyntheticInputs(model: reference, prepared: prepared, sizes: sizes)
          .make { names.contains($0) }
        var session = RunSession()
        let outputs = try prepared.run(
          Dictionary(
            inputs.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first }),
          session: &session, threads: threads)
        return (inputs, outputs, prepared.outputNames)
      } catch { first = first ?? error }
    }
    throw Self.obstacle(
      "the model", first ?? DiagnosticError(.notRunnable, "there is no input for it"))
  }

  /// Runs the file; its outputs, in their order, are those that have the names.
  private func runWritten(_ inputs: [Named], _ names: [String]) throws(NotRun) -> [Tensor] {
    let prepared: PreparedModel
    do throws(DiagnosticError) { prepared = try PreparedModel(written) } catch {
      throw Self.obstacle("the file", error)
    }
    var given: [String: Tensor] = [:]
    var others = prepared.inputs.map(\.name).filter { name in
      !inputs.contains { $0.name == name } && !prepared.stateInputs.contains(name)
    }[...]
    do {
      for (name, tensor) in inputs {
        let isThere = prepared.inputs.contains { $0.name == name }
        guard let own = isThere ? name : others.popFirst() else { continue }
        given[own] = layout.swappedInputs.contains(name) ? try Self.swapped(tensor) : tensor
      }
      var session = RunSession()
      let outputs = try prepared.run(given, session: &session, threads: threads)
      return try outputs.enumerated().map { index, output in
        let isSwapped =
          names.indices.contains(index) && layout.swappedOutputs.contains(names[index])
        return isSwapped ? try Self.swapped(output) : output
      }
    } catch {
      let error = error as? DiagnosticError ?? DiagnosticError(.badData, "\(error)")
      if error.code == .limitExceeded { throw Self.obstacle("the file", error) }
      throw .difference(
        Self.error(
          error.object,
          "the file that was written cannot be run on an input of the model: "
            + error.problem))
    }
  }

  private static func swapped(_ tensor: Tensor) throws -> Tensor {
    guard tensor.dims.count >= 2 else { return tensor }
    return try tensor.transposed([1, 0] + Array(2..<tensor.dims.count))
  }

  // MARK: - Outputs

  /// The largest difference, as a share of the largest number.
  private func compare(_ name: String, _ own: Tensor, _ other: Tensor) throws(NotRun) -> Float {
    guard own.dims == other.dims else {
      throw .difference(
        Self.error(name, "has the shape \(other.dims) in the file, \(own.dims) in the model"))
    }
    switch (own.elements, other.elements) {
    case (.integers(let a), .integers(let b)):
      guard let index = zip(a, b).enumerated().first(where: { $1.0 != $1.1 })?.offset else {
        return 0
      }
      throw .difference(
        Self.error(name, "element \(index) is \(b[index]) in the file, \(a[index]) in the model"))
    case (.floats(let a), .floats(let b)):
      let largest = a.reduce(Float(0)) { $1.isFinite ? max($0, abs($1)) : $0 }
      let limit = max(largest * ExportCheck.tolerance, 1e-9)
      var worst: Float = 0
      for (index, (x, y)) in zip(a, b).enumerated() where x != y && !(x.isNaN && y.isNaN) {
        let difference = abs(x - y)
        guard difference <= limit else {
          throw .difference(
            Self.error(
              name,
              "element \(index) of the shape \(own.dims) is \(y) in the file and \(x) in the "
                + "model, on synthetic input; the largest element is \(largest)"))
        }
        worst = max(worst, difference)
      }
      return largest > 0 ? worst / largest : 0
    default:
      throw .difference(
        Self.error(name, "has elements of another kind (integers or not) in the file"))
    }
  }

  private static func error(_ object: String?, _ problem: String) -> DiagnosticError {
    DiagnosticError(
      .exportDiffers, object: object, problem,
      hint: "nothing was written; please report it")
  }

  private static func obstacle(_ what: String, _ error: DiagnosticError) -> NotRun {
    .obstacle(
      "the outputs, because \(what) cannot be run: "
        + (error.object.map { "\($0): " } ?? "") + error.problem)
  }
}
