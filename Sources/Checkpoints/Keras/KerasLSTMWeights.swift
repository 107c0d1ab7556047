import Diagnostics
import HDF5
import LSTMCore

/// Where the weights of one direction of an LSTM are in a Keras file.
struct KerasLSTMPlaces {
  /// How they are stored.
  enum Layout {
    /// Keras 2 and 3: kernel `[I, 4H]`, recurrent kernel `[H, 4H]`, bias `[4H]` (CuDNN `[8H]`).
    case joined(kernel: String, recurrent: String, bias: String?)
    /// Keras 1: an array for each gate, `[I, H]`, `[H, H]`, `[H]`, keyed `W_i`, `U_f`, `b_c`, ….
    case perGate([String: String])
  }

  /// Where in the layer they stand: `forward_lstm_1/lstm_cell`, `backward_layer/cell/vars`.
  var prefix: String
  /// How they are stored.
  var layout: Layout

  /// Whether the names say that these are the weights of the backward half.
  var isBackward: Bool {
    prefix.split(separator: "/").contains { $0.hasPrefix("backward_") }
  }

  /// Finds the LSTMs among the weights of a layer, in order; the rest is left in `tensors`.
  static func take(from tensors: inout [KerasTensorPlace]) -> [KerasLSTMPlaces] {
    var found: [KerasLSTMPlaces] = []
    let groups = Dictionary(grouping: tensors, by: \.parent)
    var taken: Set<String> = []
    for tensor in tensors where !taken.contains(tensor.path) {
      let group = groups[tensor.parent] ?? []
      func path(_ leaf: String) -> String? { group.first { $0.leaf == leaf }?.path }
      if let kernel = path("kernel"), let recurrent = path("recurrent_kernel") {
        let bias = path("bias")
        found.append(
          KerasLSTMPlaces(
            prefix: tensor.parent,
            layout: .joined(kernel: kernel, recurrent: recurrent, bias: bias)))
        taken.formUnion([kernel, recurrent, bias].compactMap { $0 })
      } else if isCellVariables(tensor), let kernel = path("0"), let recurrent = path("1") {
        let bias = path("2")
        found.append(
          KerasLSTMPlaces(
            prefix: tensor.parent,
            layout: .joined(kernel: kernel, recurrent: recurrent, bias: bias)))
        taken.formUnion([kernel, recurrent, bias].compactMap { $0 })
      } else if tensor.leaf.hasSuffix("_W"), let stem = Optional(tensor.leaf.dropLast(2)),
        let recurrent = path("\(stem)_U"), let bias = path("\(stem)_b")
      {
        // Keras 1 with consume_less="gpu" joins the gates, in the order of Keras 2.
        found.append(
          KerasLSTMPlaces(
            prefix: tensor.parent.isEmpty ? String(stem) : "\(tensor.parent)/\(stem)",
            layout: .joined(kernel: tensor.path, recurrent: recurrent, bias: bias)))
        taken.formUnion([tensor.path, recurrent, bias])
      } else if let key = keras1Key(tensor.leaf) {
        let stem = tensor.leaf.dropLast(key.count + 1)
        var paths: [String: String] = [:]
        for other in group where other.leaf.hasPrefix(stem + "_") {
          if let key = keras1Key(other.leaf), other.leaf.count == stem.count + 1 + key.count {
            paths[key] = other.path
          }
        }
        let prefix = tensor.parent.isEmpty ? String(stem) : "\(tensor.parent)/\(stem)"
        found.append(KerasLSTMPlaces(prefix: prefix, layout: .perGate(paths)))
        taken.formUnion(paths.values)
      }
    }
    tensors.removeAll { taken.contains($0.path) }
    return found
  }

  /// Whether these are the variables of a cell in the v3 format: `cell/vars`, or one of a stack,
  /// `cell/cells/lstm_cell_1/vars`.
  private static func isCellVariables(_ tensor: KerasTensorPlace) -> Bool {
    let parts = tensor.components.dropLast()
    guard parts.last == "vars", let owner = parts.dropLast().last else { return false }
    return owner == "cell" || parts.dropLast(2).last == "cells"
  }

  /// `W_i` of `lstm_1_W_i`; `nil` for other names.
  private static func keras1Key(_ leaf: String) -> String? {
    let key = String(leaf.suffix(3))
    guard leaf.dropLast(3).hasSuffix("_"), let array = key.first, let gate = key.last,
      "WUb".contains(array), "ifco".contains(gate), key.dropFirst().first == "_"
    else { return nil }
    return key
  }
}

/// Reads the weights of one direction of an LSTM into canonical layout.
struct KerasLSTMReader {
  let file: HDF5Store

  /// What was read.
  struct Result {
    var inputSize: Int
    var hiddenSize: Int
    var weights: DirectionWeights
    /// Whether the weights were in the layout of CuDNN.
    var isCuDNN: Bool
  }

  /// Reads the weights.
  ///
  /// - Parameters:
  ///   - places: Where they are.
  ///   - isCuDNN: Whether the class is `CuDNNLSTM`; a bias of `[8H]` tells as well.
  /// - Returns: The weights with their sizes.
  /// - Throws: `DiagnosticError` for shapes that are not those of an LSTM, and for missing arrays.
  func read(_ places: KerasLSTMPlaces, isCuDNN: Bool) throws(DiagnosticError) -> Result {
    switch places.layout {
    case .joined(let kernel, let recurrent, let bias):
      try readJoined(kernel: kernel, recurrent: recurrent, bias: bias, isCuDNN: isCuDNN)
    case .perGate(let paths): try readPerGate(paths, prefix: places.prefix)
    }
  }

  /// The gates in the number of blocks that a recurrent kernel `[H, blocks·H]` has, in words.
  static func kindOfCell(recurrentShape shape: [Int]) -> String? {
    guard shape.count == 2, shape[0] > 0, shape[1] % shape[0] == 0 else { return nil }
    switch shape[1] / shape[0] {
    case 1: return "a simple RNN has no gates, an LSTM 4"
    case 3: return "a GRU has 3 gates, an LSTM 4"
    default: return nil
    }
  }

  private func readJoined(
    kernel: String, recurrent: String, bias: String?, isCuDNN: Bool
  ) throws(DiagnosticError) -> Result {
    let recurrentShape = try file.info(ofDataset: recurrent).shape
    let kernelShape = try file.info(ofDataset: kernel).shape
    guard recurrentShape.count == 2, let hidden = recurrentShape.first, hidden > 0,
      recurrentShape[1] == 4 * hidden
    else {
      let units = recurrentShape.first ?? 0
      throw DiagnosticError(
        .malformedCheckpoint, object: recurrent,
        "expected shape [\(units), \(4 * units)] (4 × \(units) units), found \(recurrentShape)",
        hint: Self.kindOfCell(recurrentShape: recurrentShape))
    }
    guard kernelShape.count == 2, kernelShape[1] == 4 * hidden, kernelShape[0] > 0 else {
      // The size of the input is whatever the kernel says, if that makes sense.
      let input = kernelShape.count == 2 && kernelShape[0] > 0 ? "\(kernelShape[0])" : "input"
      throw DiagnosticError(
        .malformedCheckpoint, object: kernel,
        "expected shape [\(input), \(4 * hidden)] (4 × \(hidden) units), found \(kernelShape)",
        hint: kernelShape.count == 2 && kernelShape[1] == 3 * hidden
          ? "a GRU has 3 gates, an LSTM 4" : nil)
    }
    let input = kernelShape[0]
    var inputBias: PerGate<[Float]>?
    var recurrentBias: PerGate<[Float]>?
    var isCuDNN = isCuDNN
    if let bias {
      let values = try floats(bias)
      switch values.count {
      case 4 * hidden: inputBias = GateOrder.keras.split(values[...])
      case 8 * hidden:
        inputBias = GateOrder.keras.split(values[..<(4 * hidden)])
        recurrentBias = GateOrder.keras.split(values[(4 * hidden)...])
        isCuDNN = true
      default:
        throw DiagnosticError(
          .malformedCheckpoint, object: bias,
          "expected shape [\(4 * hidden)] (4 × \(hidden) units), or [\(8 * hidden)] from CuDNN, "
            + "found [\(values.count)]")
      }
    }
    let kernelValues = try floats(kernel)
    let recurrentValues = try floats(recurrent)
    func matrices(_ values: [Float], columns: Int) -> PerGate<WeightMatrix> {
      PerGate { gate in
        .dense(
          gateMatrix(
            values, gate: gate, inputs: columns, hidden: hidden, isCuDNN: isCuDNN))
      }
    }
    return Result(
      inputSize: input, hiddenSize: hidden,
      weights: DirectionWeights(
        inputWeights: matrices(kernelValues, columns: input),
        recurrentWeights: matrices(recurrentValues, columns: hidden), bias: inputBias,
        recurrentBias: recurrentBias), isCuDNN: isCuDNN)
  }

  /// The block of one gate of `[inputs, 4H]` as `[H, inputs]`.
  ///
  /// CuDNN's matrices are `[H, inputs]` already: Keras stores their buffer reshaped to the block's
  /// shape, so the block's elements in order are the matrix (tf_keras,
  /// `saving/legacy/hdf5_format.py`, `convert_rnn_weights`).
  private func gateMatrix(
    _ values: [Float], gate: Gate, inputs: Int, hidden: Int, isCuDNN: Bool
  ) -> Matrix {
    let start = GateOrder.keras.position(of: gate) * hidden
    var block = [Float]()
    block.reserveCapacity(inputs * hidden)
    for row in 0..<inputs {
      let offset = row * 4 * hidden + start
      block += values[offset..<offset + hidden]
    }
    return isCuDNN
      ? Matrix(rows: hidden, columns: inputs, elements: block)
      : Matrix(rows: inputs, columns: hidden, elements: block).transposed
  }

  /// The letter of a gate in the names of Keras 1.
  static func letter(_ gate: Gate) -> String {
    switch gate {
    case .input: "i"
    case .forget: "f"
    case .cell: "c"
    case .output: "o"
    }
  }

  private func readPerGate(
    _ paths: [String: String], prefix: String
  ) throws(DiagnosticError) -> Result {
    func path(_ array: String, _ gate: Gate) throws(DiagnosticError) -> String {
      let key = "\(array)_\(Self.letter(gate))"
      guard let path = paths[key] else {
        throw DiagnosticError(
          .malformedCheckpoint, object: prefix,
          "has no array '…_\(key)'; Keras 1 stores 12 arrays for an LSTM, found \(paths.count)",
          hint: paths.keys.contains("W_r") ? "a GRU has 3 gates, an LSTM 4" : nil)
      }
      return path
    }
    let inputShape = try file.info(ofDataset: path("W", .input)).shape
    guard inputShape.count == 2, inputShape[0] > 0, inputShape[1] > 0 else {
      throw DiagnosticError(
        .malformedCheckpoint, object: try path("W", .input),
        "expected shape [input, units], found \(inputShape)")
    }
    let (input, hidden) = (inputShape[0], inputShape[1])
    func array(
      _ name: String, _ gate: Gate, shape: [Int]
    ) throws(DiagnosticError) -> [Float] {
      let path = try path(name, gate)
      let found = try file.info(ofDataset: path).shape
      guard found == shape else {
        throw DiagnosticError(
          .malformedCheckpoint, object: path, "expected shape \(shape), found \(found)")
      }
      return try floats(path)
    }
    return Result(
      inputSize: input, hiddenSize: hidden,
      weights: DirectionWeights(
        inputWeights: try PerGate { (gate) throws(DiagnosticError) in
          .dense(
            Matrix(
              rows: input, columns: hidden,
              elements: try array("W", gate, shape: [input, hidden])
            ).transposed)
        },
        recurrentWeights: try PerGate { (gate) throws(DiagnosticError) in
          .dense(
            Matrix(
              rows: hidden, columns: hidden,
              elements: try array("U", gate, shape: [hidden, hidden])
            ).transposed)
        },
        bias: try PerGate { (gate) throws(DiagnosticError) in
          try array("b", gate, shape: [hidden])
        }), isCuDNN: false)
  }

  /// Reads float values and refuses those that are not finite.
  func floats(_ path: String) throws(DiagnosticError) -> [Float] {
    let values = try file.floats(ofDataset: path)
    guard let index = values.firstIndex(where: { !$0.isFinite }) else { return values }
    throw DiagnosticError(
      .malformedCheckpoint, object: path,
      "element \(index) is \(values[index]), expected a finite number",
      hint: "the training of this model diverged; take an earlier checkpoint")
  }
}
