import Diagnostics
import ONNXProto

/// What goes round in a `Loop` or `Scan`: the inputs of its body that come from the step before.
struct ONNXLoop {
  /// A value that each step hands to the next.
  struct Carried {
    /// The input of the body.
    let input: String
    /// The output of the body that becomes the input of the next step.
    let output: String
    /// The first value, as it is called outside.
    let initial: String
  }

  let carried: [Carried]
  private let body: ONNXGraph

  /// Reads a node; `nil` when it is no loop.
  ///
  /// - Throws: `DiagnosticError` with code `malformedONNX` for an attribute.
  init?(_ node: ONNXNode, body: ONNXGraph, scope: ONNXScope) throws(DiagnosticError) {
    guard node.isStandard else { return nil }
    self.body = body
    switch node.opType {
    case "Loop":
      // Inputs: trip count, condition, values. Body: step, condition, values in; condition, values,
      // what is collected out.
      carried = Self.pair(
        inputs: body.inputs.dropFirst(2), outputs: body.outputs.dropFirst(),
        initial: node.inputs.dropFirst(2))
    case "Scan":
      let settings = ONNXScopedNode(node: node, scope: scope)
      let scanned = try settings.integer("num_scan_inputs", default: 0, in: 0...node.inputs.count)
      let count = node.inputs.count - scanned
      carried = Self.pair(
        inputs: body.inputs.prefix(count), outputs: body.outputs[...],
        initial: node.inputs.prefix(count))
    default: return nil
    }
  }

  private static func pair(
    inputs: ArraySlice<String>, outputs: ArraySlice<String>, initial: ArraySlice<String>
  ) -> [Carried] {
    zip(zip(inputs, outputs), initial).compactMap { pair, initial in
      initial.isEmpty ? nil : Carried(input: pair.0, output: pair.1, initial: initial)
    }
  }

  /// The values that no step changes, by their name in the body, with their name outside.
  var invariants: [String: String] {
    var sources: [String: String] = [:]
    for node in body.nodes where node.isStandard && node.opType == "Identity" {
      if let input = node.input(0), let output = node.outputs.first { sources[output] = input }
    }
    var result: [String: String] = [:]
    for value in carried {
      var name = value.output
      for _ in 0..<8 {
        guard name != value.input, let source = sources[name] else { break }
        name = source
      }
      if name == value.input { result[value.input] = value.initial }
    }
    return result
  }
}
