import Diagnostics
import LSTMCore

/// Finds the LSTM cells of TensorFlow 1 among arrays: `…/basic_lstm_cell/kernel` `[I + H, 4H]` and
/// `/bias` `[4H]` in the order i j f o, j being the cell gate, with the peepholes `w_f_diag`, `w_i_diag`
/// and `w_o_diag` and the projection `projection/kernel` `[H, P]` of `LSTMCell`.
///
/// The forget bias is a constant of the graph, 1 unless the program said otherwise, and not in the
/// arrays; it is added here. Source: TensorFlow 1.15, `rnn_cell_impl.py`, `BasicLSTMCell`, `LSTMCell`.
struct TensorFlowLSTMs {
  let source: any ArraySource
  /// What is added to the bias of the forget gate; 1 when `nil`.
  let forgetBias: Float?

  /// The names of kernel and bias, in TensorFlow from 1.2 on and before.
  private static let names = [("kernel", "bias"), ("weights", "biases")]

  private struct Cell {
    let module: String
    let kernel: ArrayDescription
    let bias: ArrayDescription
    let others: [String: ArrayDescription]
  }

  /// Whether any arrays have the names of a cell.
  var isPresent: Bool { !cells().isEmpty }

  /// Looks through the arrays.
  ///
  /// - Throws: `DiagnosticError` for sets of weights that do not fit together.
  func find() throws(DiagnosticError) -> FoundArrays {
    var found = FoundArrays()
    var cells: [String: FoundLSTM] = [:]
    for cell in self.cells() {
      found.used.formUnion([cell.kernel.name, cell.bias.name] + cell.others.values.map(\.name))
      cells[cell.module] = try lstm(cell)
    }
    for (module, cell) in cells.sorted(by: { NaturalOrder($0.key) < NaturalOrder($1.key) }) {
      var forward = cell
      // The layers of a stack in one direction feed each other, not those of the other direction.
      let isInStack = module.split(separator: ".").contains("multi_rnn_cell")
      if let twin = Self.forwardTwin(of: module).flatMap({ cells[$0] }) {
        // It stands beside the forward one then.
        if !isInStack, twin.weights.hasSizes(of: cell.weights) { continue }
        forward.layer.directions[0].direction = .backward
      }
      guard !isInStack, let backward = Self.backwardTwin(of: module).flatMap({ cells[$0] }),
        backward.weights.hasSizes(of: forward.weights)
      else {
        found.lstms.append(forward)
        continue
      }
      found.lstms.append(joined(forward, backward))
      found.warnings.append(
        "\(module): arrays do not record how the outputs of fw and bw are merged; assumed concat")
    }
    if !cells.isEmpty, forgetBias == nil {
      found.warnings.append(
        "the forget bias of TensorFlow 1 cells is not in the file: added 1, its default; give "
          + "--forget-bias if the program had another")
    }
    return found
  }

  private func cells() -> [Cell] {
    let modules = Dictionary(grouping: source.arrays, by: \.module)
    var cells: [Cell] = []
    for (module, arrays) in modules {
      guard let last = module.split(separator: ".").last, last.lowercased().contains("lstm") else {
        continue
      }
      for (kernelName, biasName) in Self.names {
        guard let kernel = arrays.first(where: { $0.leaf == kernelName }),
          let bias = arrays.first(where: { $0.leaf == biasName }), bias.shape.count == 1,
          kernel.shape.count == 2, kernel.shape[1] == bias.shape[0],
          !arrays.contains(where: { $0.leaf == "recurrent_kernel" })
        else { continue }
        var others: [String: ArrayDescription] = [:]
        for gate in ["i", "f", "o"] {
          others["w_\(gate)_diag"] = arrays.first { $0.leaf == "w_\(gate)_diag" }
        }
        others["projection"] = modules["\(module).projection"]?.first { $0.leaf == kernelName }
        cells.append(Cell(module: module, kernel: kernel, bias: bias, others: others))
      }
    }
    return cells
  }

  private func lstm(_ cell: Cell) throws(DiagnosticError) -> FoundLSTM {
    let hidden = cell.bias.shape[0] / 4
    let projection = cell.others["projection"]
    let output = projection.map { $0.shape.last ?? 0 } ?? hidden
    let input = cell.kernel.shape[0] - output
    guard hidden > 0, cell.bias.shape[0] == 4 * hidden, input > 0 else {
      throw DiagnosticError(
        .malformedCheckpoint, object: cell.kernel.name,
        "expected shape [input + \(output), \(4 * hidden)] (4 × \(hidden) units), found "
          + "\(cell.kernel.shape)")
    }
    if let projection, projection.shape != [hidden, output] || output == 0 {
      throw DiagnosticError(
        .malformedCheckpoint, object: projection.name,
        "expected shape [\(hidden), projection], found \(projection.shape)")
    }
    let kernel = try source.matrix(cell.kernel)
    func block(_ gate: Gate, rows: Range<Int>) -> WeightMatrix {
      let start = GateOrder.tensorFlow.position(of: gate) * hidden
      var elements: [Float] = []
      elements.reserveCapacity(hidden * rows.count)
      for unit in start..<start + hidden {
        for row in rows { elements.append(kernel[row, unit]) }
      }
      return .dense(Matrix(rows: hidden, columns: rows.count, elements: elements))
    }
    var bias = GateOrder.tensorFlow.split(try source.finiteFloats(cell.bias)[...])
    // CuDNN has no such constant, and neither has the cell that stands in for it.
    let isCuDNN = cell.module.lowercased().contains("cudnn")
    bias[.forget] = bias[.forget].map { $0 + (forgetBias ?? (isCuDNN ? 0 : 1)) }
    var weights = DirectionWeights(
      inputWeights: PerGate { block($0, rows: 0..<input) },
      recurrentWeights: PerGate { block($0, rows: input..<input + output) }, bias: bias,
      peepholes: try peepholes(cell, hidden: hidden))
    if let projection {
      weights.projection = .dense(try source.matrix(projection).transposed)
    }
    let parts = cell.module.split(separator: ".")
    return FoundLSTM(
      name: parts.joined(separator: "/"), sourceClass: String(parts.last ?? "lstm_cell"),
      module: cell.module,
      layer: LSTMLayer(
        weights: 0, directions: [DirectionSettings(direction: .forward)],
        sourceGateOrder: GateOrder.tensorFlow.description),
      weights: LSTMWeights(
        inputSize: input, hiddenSize: hidden, outputSize: output, directions: [weights]))
  }

  private func peepholes(
    _ cell: Cell, hidden: Int
  ) throws(DiagnosticError) -> PerGate<[Float]>? {
    guard cell.others.keys.contains(where: { $0.hasSuffix("_diag") }) else { return nil }
    return try PerGate { gate throws(DiagnosticError) in
      let letter: String
      switch gate {
      case .cell: return []
      case .input: letter = "i"
      case .forget: letter = "f"
      case .output: letter = "o"
      }
      guard let array = cell.others["w_\(letter)_diag"] else {
        throw DiagnosticError(
          .malformedCheckpoint, object: cell.kernel.name,
          "has peepholes, but no w_\(letter)_diag beside it")
      }
      guard array.shape == [hidden] else {
        throw DiagnosticError(
          .malformedCheckpoint, object: array.name,
          "expected shape [\(hidden)], found \(array.shape)")
      }
      return try source.finiteFloats(array)
    }
  }

  // MARK: - Two directions

  private func joined(_ forward: FoundLSTM, _ backward: FoundLSTM) -> FoundLSTM {
    var joined = forward
    joined.weights.directions += backward.weights.directions
    joined.layer.directions.append(DirectionSettings(direction: .backward))
    joined.layer.merge = .concatenate
    return joined
  }

  /// `bidirectional_rnn.bw.cell` for `bidirectional_rnn.fw.cell`.
  private static func backwardTwin(of module: String) -> String? {
    replaced(module, "fw", by: "bw")
  }

  private static func forwardTwin(of module: String) -> String? {
    replaced(module, "bw", by: "fw")
  }

  private static func replaced(_ module: String, _ part: String, by other: String) -> String? {
    var parts = module.split(separator: ".").map(String.init)
    guard let index = parts.firstIndex(of: part) else { return nil }
    parts[index] = other
    return parts.joined(separator: ".")
  }
}

extension LSTMWeights {
  /// Whether two cells can be the directions of one layer.
  fileprivate func hasSizes(of other: LSTMWeights) -> Bool {
    inputSize == other.inputSize && hiddenSize == other.hiddenSize
      && outputSize == other.outputSize
  }
}
