import LSTMPackKit

/// The error for a model without LSTM weights.
enum NothingToCompress {
  /// How many layers the text names before it only counts them.
  private static let namedLayers = 4

  /// An error that gives the reasons of the layers that look recurrent and cannot be compressed.
  static func error(for model: Model) -> DiagnosticError {
    let reasons = model.layers.compactMap { layer -> String? in
      guard case .opaque(let opaque) = layer.kind, let reason = opaque.reason else { return nil }
      return "\(layer.name) (\(layer.sourceClass)): \(reason)"
    }
    var problem = "has no LSTM weights that lstmpack can compress"
    if !reasons.isEmpty { problem += ": " + reasons.prefix(namedLayers).joined(separator: "; ") }
    if reasons.count > namedLayers { problem += "; and \(reasons.count - namedLayers) more" }
    return DiagnosticError(
      .nothingToCompress, problem, hint: "`lstmpack inspect` lists what is in the file")
  }
}
