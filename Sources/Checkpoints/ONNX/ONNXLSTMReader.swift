import Diagnostics
import LSTMCore
import ONNXProto

/// Reads an ONNX `LSTM` node: its weights by constant evaluation, and its attributes.
///
/// Source: ONNX, `docs/Operators.md`, LSTM.
struct ONNXLSTMReader {
  let place: ONNXPlacedNode
  let evaluator: ONNXEvaluator

  private var node: ONNXNode { place.node }

  /// The weights and settings of a node.
  struct Result {
    var weights: LSTMWeights
    var layer: LSTMLayer
    var warnings: [String]
  }

  /// Reads the node.
  ///
  /// - Throws: ``ONNXEvaluator/NotConstant`` when a weight is not constant; `DiagnosticError` with
  ///   the node named when shapes or attributes cannot be.
  func read() throws -> Result {
    let directions = try directions()
    let w = node.isDynamicQuantizeLSTM ? try quantized(1, "W") : try tensor(1, "W")
    let r = node.isDynamicQuantizeLSTM ? try quantized(2, "R") : try tensor(2, "R")
    guard r.dims.count == 3, r.dims[2] > 0 else {
      throw malformed("R: expected shape [\(directions.count), 4·H, H], found \(r.dims)")
    }
    let hidden = r.dims[2]
    if let given = try place.integer("hidden_size"), given != hidden {
      throw malformed("hidden_size is \(given), but R has shape \(r.dims)")
    }
    guard r.dims == [directions.count, 4 * hidden, hidden] else {
      throw malformed(
        "R: expected shape [\(directions.count), \(4 * hidden), \(hidden)] (4 × \(hidden) units), "
          + "found \(r.dims)")
    }
    guard w.dims.count == 3, w.dims[2] > 0, w.dims[0] == directions.count,
      w.dims[1] == 4 * hidden
    else {
      throw malformed(
        "W: expected shape [\(directions.count), \(4 * hidden), I] (4 × \(hidden) units), found "
          + "\(w.dims)")
    }
    let b = try optionalTensor(3, "B", dims: [directions.count, 8 * hidden])
    let p = try optionalTensor(7, "P", dims: [directions.count, 3 * hidden])
    var sets: [DirectionWeights] = []
    for index in directions.indices {
      sets.append(
        DirectionWeights(
          inputWeights: blocks(w.values, columns: w.dims[2], hidden: hidden, direction: index),
          recurrentWeights: blocks(r.values, columns: hidden, hidden: hidden, direction: index),
          bias: b.map { GateOrder.onnx.split($0[(index * 8 * hidden)..<(index * 8 + 4) * hidden]) },
          recurrentBias: b.map {
            GateOrder.onnx.split($0[(index * 8 + 4) * hidden..<(index + 1) * 8 * hidden])
          }, peepholes: p.map { peepholes($0, hidden: hidden, direction: index) }))
    }
    var activations = ONNXActivations(
      names: try place.texts("activations"),
      alphas: try place.floats("activation_alpha") ?? [],
      betas: try place.floats("activation_beta") ?? [])
    var settings: [DirectionSettings] = []
    for direction in directions {
      settings.append(
        DirectionSettings(
          direction: direction, gateActivation: try activations.next(.sigmoid, node: place.path),
          cellActivation: try activations.next(.tanh, node: place.path),
          outputActivation: try activations.next(.tanh, node: place.path)))
    }
    let clip = try place.float("clip")
    if let clip, !(clip >= 0 && clip.isFinite) {
      throw malformed("expected a clip of 0 or more, found \(clip)")
    }
    // The weights are the same in both layouts; only inputs and states differ.
    _ = try place.flag("layout")
    let layer = LSTMLayer(
      weights: 0, directions: settings, merge: directions.count == 2 ? .separate : nil,
      clip: clip,
      couplesInputAndForget: try place.flag("input_forget"),
      sourceGateOrder: GateOrder.onnx.description)
    return Result(
      weights: LSTMWeights(inputSize: w.dims[2], hiddenSize: hidden, directions: sets),
      layer: layer,
      warnings: activations.warnings
        + (node.isDynamicQuantizeLSTM
          ? [
            "\(place.path): its 8-bit weights are read as float32; ONNX Runtime rounds its inputs to 8 "
              + "bits as well, which lstmpack does not"
          ] : []))
  }

  private func malformed(_ problem: String) -> DiagnosticError {
    DiagnosticError(.malformedONNX, object: place.path, problem)
  }

  private func directions() throws -> [Direction] {
    switch try place.text("direction")?.lowercased() {
    case nil, "forward": return [.forward]
    case "reverse": return [.backward]
    case "bidirectional": return [.forward, .backward]
    case .some(let other):
      throw malformed(
        "expected a direction of forward, reverse or bidirectional, found '\(other)'")
    }
  }

  private func tensor(_ index: Int, _ label: String) throws -> (dims: [Int], values: [Float]) {
    guard let name = node.input(index) else { throw malformed("has no input \(label)") }
    do {
      let value = try evaluator.value(name, in: place.scope)
      guard let floats = value.floats else {
        throw malformed("\(label): expected floating-point numbers, found integers")
      }
      if let bad = floats.firstIndex(where: { !$0.isFinite }) {
        throw DiagnosticError(
          .malformedONNX, object: place.path,
          "\(label) (\(name)): element \(bad) is \(floats[bad]), expected a finite number",
          hint: "the training of this model diverged; take an earlier checkpoint")
      }
      return (value.dims, floats)
    } catch let error as ONNXEvaluator.NotConstant {
      throw ONNXEvaluator.NotConstant(reason: "its \(label) \(error.reason)")
    }
  }

  /// The weights of a `DynamicQuantizeLSTM`, `[D, inputs, 4H]` in 8 bits, as `[D, 4H, inputs]`.
  ///
  /// Source: ONNX Runtime, `docs/ContribOperators.md`; scales and zero points are one for each
  /// direction, or one for each of its columns.
  private func quantized(_ index: Int, _ label: String) throws -> (dims: [Int], values: [Float]) {
    func constant(_ index: Int, _ label: String) throws -> ONNXConstant? {
      guard let name = node.input(index) else { return nil }
      do { return try evaluator.value(name, in: place.scope) } catch let error
        as ONNXEvaluator.NotConstant
      { throw ONNXEvaluator.NotConstant(reason: "its \(label) \(error.reason)") }
    }
    let position = index == 1 ? 8 : 10
    guard let codes = try constant(index, label), let numbers = codes.integers,
      codes.dims.count == 3, codes.dims.allSatisfy({ $0 > 0 })
    else { throw malformed("\(label): expected 8-bit numbers of shape [D, inputs, 4·H]") }
    let (directions, inputs, outputs) = (codes.dims[0], codes.dims[1], codes.dims[2])
    guard let scale = try constant(position, "\(label)_scale"), let scales = scale.floats,
      [directions, directions * outputs].contains(scales.count), scales.allSatisfy(\.isFinite)
    else {
      throw malformed("\(label)_scale: expected \(directions) or \(directions * outputs) numbers")
    }
    let zero = try constant(position + 1, "\(label)_zero_point")
    if let zero, zero.integers?.count != scales.count {
      throw malformed("\(label)_zero_point: expected \(scales.count) integers, found \(zero.count)")
    }
    let dequantizer = ONNXDequantizer(
      scales: scales, zeroPoints: zero?.integers, object: place.path,
      what: label)
    let values = try dequantizer.values(numbers) { index in
      let direction = index / (inputs * outputs)
      return scales.count == directions ? direction : direction * outputs + index % outputs
    }
    let rows = try Tensor([directions, inputs, outputs], values).transposed([0, 2, 1])
    return (rows.dims, rows.floats ?? [])
  }

  private func optionalTensor(_ index: Int, _ label: String, dims: [Int]) throws -> [Float]? {
    guard node.input(index) != nil else { return nil }
    let tensor = try tensor(index, label)
    guard tensor.dims == dims else {
      throw malformed("\(label): expected shape \(dims), found \(tensor.dims)")
    }
    return tensor.values
  }

  /// The four blocks of one direction, each `[H, columns]`.
  private func blocks(
    _ values: [Float], columns: Int, hidden: Int, direction: Int
  ) -> PerGate<WeightMatrix> {
    PerGate { gate in
      let size = hidden * columns
      let start = (direction * 4 + GateOrder.onnx.position(of: gate)) * size
      return .dense(
        Matrix(rows: hidden, columns: columns, elements: Array(values[start..<start + size])))
    }
  }

  /// P holds input, output and forget gate.
  private func peepholes(_ values: [Float], hidden: Int, direction: Int) -> PerGate<[Float]> {
    PerGate { gate in
      guard gate != .cell else { return [] }
      let start = (direction * 3 + GateOrder.onnx.position(of: gate)) * hidden
      return Array(values[start..<start + hidden])
    }
  }
}

/// The activations of a node, in the order in which the attributes list them.
///
/// `activation_alpha` and `activation_beta` have values only for functions that take them.
private struct ONNXActivations {
  private var names: ArraySlice<String>?
  private var alphas: ArraySlice<Float>
  private var betas: ArraySlice<Float>
  private(set) var warnings: [String] = []

  init(names: [String]?, alphas: [Float], betas: [Float]) {
    self.names = names.map { $0[...] }
    self.alphas = alphas[...]
    self.betas = betas[...]
  }

  mutating func next(_ standard: Activation, node: String) throws -> Activation {
    guard names != nil else { return standard }
    guard let name = names?.popFirst() else {
      throw DiagnosticError(
        .malformedONNX, object: node, "has fewer than three activations for a direction")
    }
    // The specification writes Sigmoid, ONNX Runtime's own default is sigmoid.
    switch name.lowercased() {
    case "sigmoid": return .sigmoid
    case "tanh": return .tanh
    case "relu": return Activation(.relu)
    case "softsign": return Activation(.softsign)
    case "softplus": return Activation(.softplus)
    case "hardsigmoid": return .hardSigmoid(alpha: alpha(0.2), beta: beta(0.5))
    case "leakyrelu": return Activation(.leakyRelu, alpha: alpha(0.01))
    case "thresholdedrelu": return Activation(.thresholdedRelu, alpha: alpha(1))
    case "elu": return Activation(.elu, alpha: alpha(1))
    case "affine": return Activation(.affine, alpha: alpha(1), beta: beta(0))
    case "scaledtanh": return Activation(.scaledTanh, alpha: alpha(1), beta: beta(1))
    default:
      warnings.append(
        "\(node): the activation '\(name)' is not one of ONNX; weights are not affected")
      return Activation(.unknown, sourceName: name)
    }
  }

  private mutating func alpha(_ standard: Float) -> Float { alphas.popFirst() ?? standard }
  private mutating func beta(_ standard: Float) -> Float { betas.popFirst() ?? standard }
}

extension ONNXNode {
  /// Whether it is ONNX Runtime's LSTM with 8-bit weights.
  var isDynamicQuantizeLSTM: Bool { domain == "com.microsoft" && opType == "DynamicQuantizeLSTM" }
}
