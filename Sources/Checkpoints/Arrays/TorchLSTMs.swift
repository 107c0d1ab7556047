import Diagnostics
import LSTMCore

/// Finds the LSTMs of PyTorch among arrays by their names: `weight_ih_l0`, `weight_hh_l0_reverse`,
/// `bias_ih_l0`, `weight_hr_l0` of a projection, and those of `LSTMCell`, without `_l0`; and `peephole_i_l0`,
/// `_f_` and `_o_`, which lstmpack writes for LSTMs that PyTorch does not have.
///
/// Two ways in which libraries change weights while training are undone: weight drop keeps the true
/// weights in `weight_hh_l0_raw`; weight normalization keeps length and direction, `weight_hh_l0_g`
/// and `_v`, or `parametrizations.weight_hh_l0.original0` and `original1`.
/// Source: PyTorch, `torch.nn.LSTM`, `torch.nn.utils.weight_norm`; AWD-LSTM, `weight_drop.py`.
struct TorchLSTMs {
  let source: any ArraySource

  /// A parameter of a layer, however it is stored.
  private enum Parameter {
    case plain(ArrayDescription)
    case normalized(length: ArrayDescription, direction: ArrayDescription)

    var shape: [Int] {
      switch self {
      case .plain(let array): array.shape
      case .normalized(_, let direction): direction.shape
      }
    }
    var name: String {
      switch self {
      case .plain(let array): array.name
      case .normalized(_, let direction): direction.name
      }
    }
  }

  /// What a name says.
  private struct Key: Hashable {
    /// `weight_ih`, `weight_hh`, `weight_hr`, `bias_ih`, `bias_hh`, `peephole_i`, `_f`, `_o`.
    var parameter: String
    /// The layer; `nil` for an `LSTMCell`.
    var layer: Int?
    var isReverse: Bool
  }

  /// How a parameter is kept.
  private enum Form: Hashable { case plain, raw, length, direction }

  /// Whether any array has the name of recurrent weights.
  var isPresent: Bool {
    source.arrays.contains { Self.parse($0)?.key.parameter == "weight_hh" }
  }

  /// Looks through the arrays.
  ///
  /// - Throws: `DiagnosticError` for sets of weights that do not fit together.
  func find() throws(DiagnosticError) -> FoundArrays {
    var modules: [String: [Key: [Form: ArrayDescription]]] = [:]
    for array in source.arrays {
      guard let (module, key, form) = Self.parse(array) else { continue }
      modules[module, default: [:]][key, default: [:]][form] = array
    }
    // Other things have a weight_hh, too; an LSTMCell has both weights.
    for (module, parameters) in modules where parameters.keys.allSatisfy({ $0.layer == nil }) {
      let names = Set(parameters.keys.map(\.parameter))
      if !names.isSuperset(of: ["weight_ih", "weight_hh"]) { modules[module] = nil }
    }
    Self.moveRawWeightsInside(&modules)
    var found = FoundArrays()
    for (module, parameters) in modules.sorted(
      by: { NaturalOrder($0.key) < NaturalOrder($1.key) })
    {
      try read(module, parameters, into: &found)
    }
    return found
  }

  // MARK: - Names

  private static let parameters = [
    "weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh", "peephole_i", "peephole_f",
    "peephole_o",
  ]

  private static func parse(
    _ array: ArrayDescription
  ) -> (module: String, key: Key, form: Form)? {
    var components = array.components
    guard var leaf = components.popLast() else { return nil }
    var form = Form.plain
    if components.count >= 2, components[components.count - 2] == "parametrizations",
      ["original0", "original1"].contains(leaf)
    {
      form = leaf == "original0" ? .length : .direction
      leaf = components.removeLast()
      components.removeLast()
    }
    guard let parameter = parameters.first(where: { leaf.hasPrefix($0) }) else { return nil }
    var rest = leaf.dropFirst(parameter.count)
    for (suffix, other) in [("_raw", Form.raw), ("_g", .length), ("_v", .direction)]
    where form == .plain && rest.hasSuffix(suffix) {
      form = other
      rest = rest.dropLast(suffix.count)
    }
    let isReverse = rest.hasSuffix("_reverse")
    if isReverse { rest = rest.dropLast("_reverse".count) }
    var layer: Int?
    if !rest.isEmpty {
      guard rest.hasPrefix("_l"), let number = Int(rest.dropFirst(2)), number >= 0 else {
        return nil
      }
      layer = number
    }
    return (
      components.joined(separator: "."),
      Key(parameter: parameter, layer: layer, isReverse: isReverse), form
    )
  }

  /// Some libraries keep the raw weight beside the module that it belongs to: `rnns.0.weight_hh_l0_raw`
  /// for `rnns.0.module.weight_hh_l0`.
  private static func moveRawWeightsInside(
    _ modules: inout [String: [Key: [Form: ArrayDescription]]]
  ) {
    for (module, parameters) in modules
    where parameters.values.allSatisfy({ $0.keys.allSatisfy { $0 == .raw } }) {
      let inner = module.isEmpty ? "module" : "\(module).module"
      guard modules[inner] != nil else { continue }
      for (key, forms) in parameters {
        modules[inner]?[key, default: [:]][.raw] = forms[.raw]
      }
      modules[module] = nil
    }
  }

  // MARK: - Modules

  private func read(
    _ module: String, _ arrays: [Key: [Form: ArrayDescription]], into found: inout FoundArrays
  ) throws(DiagnosticError) {
    var parameters: [Key: Parameter] = [:]
    for (key, forms) in arrays {
      found.used.formUnion(forms.values.map(\.name))
      if let raw = forms[.raw] {
        parameters[key] = .plain(raw)
        if let stale = forms[.plain] {
          found.warnings.append(
            "\(stale.name) is left out: \(raw.name) beside it has the weights before dropout")
        }
      } else if let length = forms[.length], let direction = forms[.direction] {
        parameters[key] = .normalized(length: length, direction: direction)
      } else if let plain = forms[.plain] {
        parameters[key] = .plain(plain)
      } else if let half = forms.values.first {
        throw DiagnosticError(
          .malformedCheckpoint, object: half.name,
          "is one half of a normalized weight; the other, its length or its direction, is not there"
        )
      }
    }
    if let reason = Self.otherCell(parameters) {
      found.refused.append(
        (module, reason.sourceClass, reason.text, arrays.values.flatMap { $0.values }))
      return
    }
    let layers = Set(parameters.keys.map { $0.layer ?? -1 }).sorted()
    let isCell = layers == [-1]
    guard isCell || layers == Array(0..<layers.count) else {
      throw DiagnosticError(
        .malformedCheckpoint, object: module.isEmpty ? nil : module,
        "has weights of the layers \(layers.map(String.init).joined(separator: ", ")), expected "
          + "layers from 0 on without a gap")
    }
    for layer in layers {
      found.lstms.append(try self.layer(isCell ? nil : layer, module, parameters))
    }
  }

  /// Which other cell the weights are of; `nil` for an LSTM.
  private static func otherCell(
    _ parameters: [Key: Parameter]
  ) -> (sourceClass: String, text: String)? {
    guard let hh = parameters.first(where: { $0.key.parameter == "weight_hh" })?.value.shape,
      hh.count == 2, hh[1] > 0, !parameters.keys.contains(where: { $0.parameter == "weight_hr" })
    else { return nil }
    if hh[0] == 3 * hh[1] {
      return ("GRU", "a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs")
    }
    if hh[0] == hh[1] {
      return ("RNN", "a simple RNN has no gates; lstmpack compresses LSTMs")
    }
    return nil
  }

  private func layer(
    _ layer: Int?, _ module: String, _ parameters: [Key: Parameter]
  ) throws(DiagnosticError) -> FoundLSTM {
    let isBidirectional = parameters.keys.contains { $0.isReverse }
    var directions: [DirectionWeights] = []
    var sizes: [[Int]] = []
    for isReverse in isBidirectional ? [false, true] : [false] {
      let (weights, size) = try direction(
        module, parameters, layer: layer, isReverse: isReverse)
      directions.append(weights)
      sizes.append(size)
    }
    let name = [module, layer.map { "l\($0)" } ?? (module.isEmpty ? "cell" : "")]
      .filter { !$0.isEmpty }.joined(separator: ".")
    guard Set(sizes).count == 1 else {
      throw DiagnosticError(
        .malformedCheckpoint, object: name, "the two directions differ in size")
    }
    return FoundLSTM(
      name: name, sourceClass: layer == nil ? "LSTMCell" : "LSTM", module: module,
      layer: LSTMLayer(
        weights: 0,
        directions: isBidirectional
          ? [DirectionSettings(direction: .forward), DirectionSettings(direction: .backward)]
          : [DirectionSettings(direction: .forward)],
        merge: isBidirectional ? .concatenate : nil,
        sourceGateOrder: GateOrder.torch.description),
      weights: LSTMWeights(
        inputSize: sizes[0][0], hiddenSize: sizes[0][1], outputSize: sizes[0][2],
        directions: directions))
  }

  /// The weights of one direction, and the sizes of input, units and output.
  private func direction(
    _ module: String, _ parameters: [Key: Parameter], layer: Int?, isReverse: Bool
  ) throws(DiagnosticError) -> (DirectionWeights, [Int]) {
    func parameter(_ name: String) -> Parameter? {
      parameters[Key(parameter: name, layer: layer, isReverse: isReverse)]
    }
    func title(_ name: String) -> String {
      let leaf = name + (layer.map { "_l\($0)" } ?? "") + (isReverse ? "_reverse" : "")
      return module.isEmpty ? leaf : "\(module).\(leaf)"
    }
    func required(_ name: String) throws(DiagnosticError) -> Parameter {
      guard let found = parameter(name) else {
        if let factor = source.arrays.first(where: { $0.name.hasPrefix(title(name) + ".") }) {
          throw DiagnosticError(
            .unsupportedCheckpoint, object: title(name),
            "stands there as factors (\(factor.name)), which lstmpack writes and does not read",
            hint: "use the .bvq that it was exported from")
        }
        throw DiagnosticError(
          .malformedCheckpoint, object: title(name),
          "is not there, but other weights of this LSTM are",
          hint: "save the whole state dict of the model")
      }
      return found
    }
    let (ih, hh) = (try required("weight_ih"), try required("weight_hh"))
    let hr = parameter("weight_hr")
    let hidden = hr?.shape.last ?? hh.shape.last ?? 0
    let output = hr?.shape.first ?? hidden
    guard hidden > 0, hh.shape == [4 * hidden, output] else {
      throw DiagnosticError(
        .malformedCheckpoint, object: hh.name,
        "expected shape [\(4 * hidden), \(output)] (4 × \(hidden) units), found \(hh.shape)")
    }
    guard ih.shape.count == 2, ih.shape[0] == 4 * hidden, ih.shape[1] > 0 else {
      throw DiagnosticError(
        .malformedCheckpoint, object: ih.name,
        "expected shape [\(4 * hidden), input] (4 × \(hidden) units), found \(ih.shape)")
    }
    if let hr, hr.shape.count != 2 || output == 0 {
      throw DiagnosticError(
        .malformedCheckpoint, object: hr.name,
        "expected shape [proj_size, \(hidden)], found \(hr.shape)")
    }
    func bias(_ name: String) throws(DiagnosticError) -> PerGate<[Float]>? {
      let other = name == "bias_ih" ? "bias_hh" : "bias_ih"
      guard let found = parameter(name) else {
        guard parameter(other) == nil else { throw missingBias(title(name), title(other)) }
        return nil
      }
      guard found.shape == [4 * hidden] else {
        throw DiagnosticError(
          .malformedCheckpoint, object: found.name,
          "expected shape [\(4 * hidden)] (4 × \(hidden) units), found \(found.shape)")
      }
      return GateOrder.torch.split(try values(found)[...])
    }
    var weights = DirectionWeights(
      inputWeights: try gates(ih, columns: ih.shape[1], hidden: hidden),
      recurrentWeights: try gates(hh, columns: output, hidden: hidden),
      bias: try bias("bias_ih"), recurrentBias: try bias("bias_hh"))
    if let hr {
      weights.projection = .dense(
        Matrix(rows: output, columns: hidden, elements: try values(hr)))
    }
    weights.peepholes = try peepholes(
      ["peephole_i", "peephole_f", "peephole_o"].map { (title($0), parameter($0)) }, hidden: hidden)
    return (weights, [ih.shape[1], hidden, output])
  }

  /// The peepholes of the input, forget and output gates; `nil` when there are none.
  private func peepholes(
    _ parameters: [(title: String, parameter: Parameter?)], hidden: Int
  ) throws(DiagnosticError) -> PerGate<[Float]>? {
    guard parameters.contains(where: { $0.parameter != nil }) else { return nil }
    var vectors: [[Float]] = []
    for (title, parameter) in parameters {
      guard let parameter else {
        throw DiagnosticError(
          .malformedCheckpoint, object: title,
          "is not there, but other peepholes of this LSTM are; it has three or none")
      }
      guard parameter.shape == [hidden] else {
        throw DiagnosticError(
          .malformedCheckpoint, object: parameter.name,
          "expected shape [\(hidden)], found \(parameter.shape)")
      }
      vectors.append(try values(parameter))
    }
    return PerGate { gate in
      switch gate {
      case .input: vectors[0]
      case .forget: vectors[1]
      case .output: vectors[2]
      case .cell: []
      }
    }
  }

  private func missingBias(_ name: String, _ other: String) -> DiagnosticError {
    DiagnosticError(
      .malformedCheckpoint, object: name,
      "is not there, but \(other) is; an LSTM has both biases or none")
  }

  private func gates(
    _ parameter: Parameter, columns: Int, hidden: Int
  ) throws(DiagnosticError) -> PerGate<WeightMatrix> {
    let values = try values(parameter)
    let size = hidden * columns
    return PerGate { gate in
      let start = GateOrder.torch.position(of: gate) * size
      return .dense(
        Matrix(rows: hidden, columns: columns, elements: Array(values[start..<start + size])))
    }
  }

  // MARK: - Values

  private func values(_ parameter: Parameter) throws(DiagnosticError) -> [Float] {
    switch parameter {
    case .plain(let array): return try source.finiteFloats(array)
    case .normalized(let length, let direction):
      let g = try source.finiteFloats(length)
      let v = try source.finiteFloats(direction)
      return try Self.normalized(
        g, shape: length.shape, v, rows: direction.shape.first ?? 0, name: length.name)
    }
  }

  /// g · v / ‖v‖, with the norm over rows, over columns, or over all, as the shape of g says.
  private static func normalized(
    _ g: [Float], shape: [Int], _ v: [Float], rows: Int, name: String
  ) throws(DiagnosticError) -> [Float] {
    let columns = rows == 0 ? 0 : v.count / rows
    let group: (Int) -> Int
    if shape == [rows, 1] || shape == [rows] {
      group = { $0 / columns }
    } else if shape == [1, columns] {
      group = { $0 % columns }
    } else if g.count == 1 {
      group = { _ in 0 }
    } else {
      throw DiagnosticError(
        .malformedCheckpoint, object: name,
        "expected one length for each of the \(rows) rows, found shape \(shape)")
    }
    var squares = [Double](repeating: 0, count: g.count)
    for (index, value) in v.enumerated() {
      squares[group(index)] += Double(value) * Double(value)
    }
    let factors = zip(g, squares).map { $1 == 0 ? 0 : Double($0) / $1.squareRoot() }
    return v.enumerated().map { Float(Double($1) * factors[group($0)]) }
  }
}
