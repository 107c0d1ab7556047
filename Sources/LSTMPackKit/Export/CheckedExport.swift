public import Checkpoints
public import Diagnostics
import FileSupport
import LSTMCore
import LSTMRuntime
public import OrderedJSON

/// The one way in which models are written for another tool: the file is read back and compared with the model
/// before anybody gets it.
public struct CheckedExport: Sendable {
  /// The file.
  public var file: ExportResult
  /// How it was compared.
  public var check: ExportCheck

  /// Writes a model in memory, and compares the file with it.
  ///
  /// - Parameters:
  ///   - request: The model and how to write it.
  ///   - format: What to write.
  ///   - threads: How many threads may work; the comparison does not depend on it.
  /// - Throws: What the format throws; `DiagnosticError` with code `exportDiffers` that names the matrix or output
  ///   when the file is another model.
  public init(
    _ request: ExportRequest, as format: any ExportFormat, threads: Int = 1
  ) throws(DiagnosticError) {
    file = try format.export(request)
    check = ExportCheck()
    if let reason = format.obstacleToReading(request) {
      check.notCompared.append(reason)
      return
    }
    let written: Model
    do throws(DiagnosticError) {
      written = try CheckpointFormats.importModel(
        from: ByteSource(name: "the written file", bytes: file.bytes),
        options: format.isCopy(of: request.model) ? request.options : ImportOptions()
      ).model
    } catch {
      throw DiagnosticError(
        .exportDiffers, object: error.object,
        "the file that was written cannot be read back: \(error.problem)",
        hint: "nothing was written; please report it")
    }
    var comparison = WeightComparison(request.model, written)
    let reference = try comparison.run()
    check.matrixCount = comparison.matrixCount
    check.precision = comparison.precision
    let outputs = OutputComparison(
      reference: reference, written: written, layout: file.layout, threads: threads)
    do throws(OutputComparison.NotRun) { check.outputs = try outputs.run() } catch {
      switch error {
      case .obstacle(let reason):
        check.notCompared.append(reason)
        if request.model.layers.contains(where: \.hasTensorsBesideMatrices) {
          check.notCompared.append(
            "biases of dense layers and tensors of other layers, which only the outputs tell")
        }
        if !format.isCopy(of: request.model) { try comparison.compareSettings() }
      case .difference(let error): throw error
      }
    }
  }

  /// The check as JSON.
  public var checkJSON: JSONValue {
    var object: JSONObject = [
      "matrices": .integer(check.matrixCount), "precision": .string(check.precision.rawValue),
    ]
    if let outputs = check.outputs {
      object["outputs"] = .integer(outputs.count)
      object["inputShapes"] = .array(
        outputs.inputs.map { .array($0.map { .integer($0) }) })
      object["largestDifference"] = .number(Double(outputs.largestDifference))
      object["tolerance"] = .number(Double(ExportCheck.tolerance))
    }
    object["notCompared"] = .array(check.notCompared.map { .string($0) })
    return .object(object)
  }
}

extension Layer {
  /// Whether it has more than the matrices that are compared one by one.
  fileprivate var hasTensorsBesideMatrices: Bool {
    switch kind {
    case .dense(let dense): dense.bias != nil
    case .opaque(let opaque): !opaque.tensors.isEmpty
    case .lstm, .embedding: false
    }
  }
}

extension DiagnosticError.Code {
  /// A file that was written is another model than the one that was exported.
  public static let exportDiffers = Self("export.differs", .failure)
}
