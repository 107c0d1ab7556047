import LSTMCore
import OrderedJSON

/// Reads who is connected to whom, as Keras 1 and 2 (lists) and Keras 3 (objects) write it.
enum KerasConnections {
  /// An output of a call of a layer.
  struct Endpoint {
    let layer: String
    let call: Int
    let output: Int

    /// The call, as a key.
    var key: String { "\(layer)/\(call)" }
  }

  /// One call of a layer.
  struct Call {
    var inputs: [Endpoint] = []
    /// Why the call cannot be run, if so.
    var problem: String?
  }

  /// The endpoints of `input_layers` or `output_layers`: one, a list, or an object of them.
  static func endpoints(
    _ value: JSONValue?
  ) throws(KerasGraphBuilder.Unconnected) -> [Endpoint] {
    guard let value else { return [] }
    if let one = endpoint(value) { return [one] }
    let values = value.arrayValue ?? value.objectValue?.members.map(\.value) ?? []
    var result: [Endpoint] = []
    for value in values {
      guard let endpoint = endpoint(value) else {
        throw KerasGraphBuilder.Unconnected(
          reason: "the config has inputs or outputs in a form that lstmpack does not know")
      }
      result.append(endpoint)
    }
    return result
  }

  /// `["lstm", 0, 0]` or `["lstm", 0, 0, {}]`.
  private static func endpoint(_ value: JSONValue) -> Endpoint? {
    guard let parts = value.arrayValue, parts.count >= 3, let name = parts[0].stringValue,
      let call = parts[1].intValue, let output = parts[2].intValue,
      ClosedRange.positions.contains(call), ClosedRange.positions.contains(output)
    else { return nil }
    return Endpoint(layer: name, call: call, output: output)
  }

  /// The calls of a layer, in order.
  static func calls(of layer: KerasConfig) throws(KerasGraphBuilder.Unconnected) -> [Call] {
    var calls: [Call] = []
    for node in layer.inboundNodes {
      var call = Call()
      if let arguments = node["args"] {
        try collect(arguments, into: &call)
        guard let keywords = (node["kwargs"] ?? [:]).objectValue else { throw unknownForm(layer) }
        for member in keywords.members { try keyword(member.key, member.value, &call) }
      } else {
        // Some versions write a single input without the list around it.
        let inputs = endpoint(node).map { _ in [node] } ?? node.arrayValue ?? []
        for input in inputs {
          guard let endpoint = endpoint(input) else { throw unknownForm(layer) }
          call.inputs.append(endpoint)
          let parts = input.arrayValue ?? []
          for member in (parts.count > 3 ? parts[3].objectValue?.members : nil) ?? [] {
            try keyword(member.key, member.value, &call)
          }
        }
      }
      calls.append(call)
    }
    return calls
  }

  private static func unknownForm(_ layer: KerasConfig) -> KerasGraphBuilder.Unconnected {
    KerasGraphBuilder.Unconnected(
      reason: "'\(layer.name)' is connected in a form that lstmpack does not know")
  }

  /// Keras tensors, however deep they stand in lists.
  private static func collect(
    _ value: JSONValue, into call: inout Call
  ) throws(KerasGraphBuilder.Unconnected) {
    if let history = value["config"]?["keras_history"] {
      guard let endpoint = endpoint(history) else {
        throw KerasGraphBuilder.Unconnected(
          reason: "expected a tensor's layer, call and output, found "
            + "\(history.serialized().prefix(60))")
      }
      call.inputs.append(endpoint)
      return
    }
    for element in value.arrayValue ?? [] { try collect(element, into: &call) }
  }

  private static func keyword(
    _ name: String, _ value: JSONValue, _ call: inout Call
  ) throws(KerasGraphBuilder.Unconnected) {
    switch (name, value) {
    case (_, .null), ("training", _): return
    case ("initial_state", _):
      let before = call.inputs.count
      try collect(value, into: &call)
      if call.inputs.count == before { call.inputs += try endpoints(value) }
    default: call.problem = "it is called with the argument '\(name)'"
    }
  }
}
