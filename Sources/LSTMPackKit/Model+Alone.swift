public import Diagnostics
public import LSTMCore
import LSTMRuntime

extension Model {
  /// A model of one LSTM layer, `[sequences, steps, features]` in and all outputs out.
  ///
  /// - Parameter name: The layer.
  /// - Returns: The model, whose output is named like the layer.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` when there is no such LSTM layer.
  public func alone(_ name: String) throws(DiagnosticError) -> Model {
    guard let index = layers.firstIndex(where: { $0.name == name }),
      case .lstm(let layer) = layers[index].kind
    else {
      let names = layers.compactMap { layer -> String? in
        if case .lstm = layer.kind { layer.name } else { nil }
      }
      throw DiagnosticError(
        .notRunnable, "there is no LSTM layer '\(name)'",
        hint: names.isEmpty
          ? "there are none" : "there are \(names.prefix(12).joined(separator: ", "))"
      ).suggesting(for: name, among: names)
    }
    var model = self
    // Both directions side by side, where the graph around it would take them apart.
    if layer.merge == .separate {
      var joined = layer
      joined.merge = .concatenate
      model.layers[index].kind = .lstm(joined)
    }
    model.graph = ModelGraph(
      inputs: [
        GraphInput(
          name: "x", shape: [nil, nil, lstmWeights[layer.weights].inputSize], isInteger: false)
      ],
      nodes: [
        GraphNode(
          name: name, operation: "keras.LSTM", layer: index,
          attributes: ["returnSequences": GraphAttribute(true)], inputs: ["x"], outputs: [name])
      ], outputs: [GraphOutput(name: name, value: name)])
    return model
  }
}
