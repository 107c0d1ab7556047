import Diagnostics
import LSTMCore
import ONNXProto

/// Finds LSTMs that a graph spells out in products, splits and activations, and proves each: the layer
/// that it rebuilds must compute what the nodes compute.
///
/// Which columns belong to which gate follows from what the graph does with them.
final class CellRecognizer {
  /// What was found.
  struct Result {
    /// The cells in the order of the graph.
    var cells: [RecognizedCell] = []
    /// Nodes that look like a cell and are none, with the reason.
    var others: [(place: ONNXPlacedNode, reason: String)] = []
  }

  /// A skeleton whose gates could not be read.
  private struct NotACell: Error {
    let reason: String
  }

  private let nodes: [ONNXPlacedNode]
  private let byteCount: Int
  private let skeletons: CellSkeletons
  private let roots: GraphRoots
  private let loops: [(scope: ONNXScope, loop: ONNXLoop)]
  /// The outputs of cells found before, with the cell states that belong to them.
  private var stateOf: [ONNXValueID: ONNXValueID] = [:]
  private var proof: CellProof

  init(
    _ nodes: [ONNXPlacedNode], loops: [(scope: ONNXScope, loop: ONNXLoop)], byteCount: Int
  ) {
    self.nodes = nodes
    self.loops = loops
    self.byteCount = byteCount
    skeletons = CellSkeletons(nodes)
    roots = GraphRoots(skeletons.places)
    proof = CellProof(byteCount: byteCount)
  }

  /// Looks through the graph.
  ///
  /// - Throws: `DiagnosticError` for damaged tensors.
  func find() throws -> Result {
    var result = Result()
    let evaluator = ONNXEvaluator(byteCount: byteCount)
    let reader = AffineReader(evaluator: evaluator, places: skeletons.places)
    for place in nodes {
      guard let skeleton = skeletons.skeleton(at: place) else {
        if let reason = skeletons.likeness(place) { result.others.append((place, reason)) }
        continue
      }
      do {
        let cell = try recognize(skeleton, reader)
        stateOf[skeleton.newOutput] = skeleton.newCell
        result.cells.append(cell)
      } catch let error as NotACell {
        result.others.append((place, error.reason))
      } catch let error as AffineReader.NotAffine {
        result.others.append((place, error.reason))
      } catch let error as ONNXEvaluator.NotConstant {
        result.others.append((place, "a weight \(error.reason)"))
      }
    }
    return result
  }

  private func recognize(
    _ skeleton: CellSkeleton, _ reader: AffineReader
  ) throws -> RecognizedCell {
    let forms = try PerGate { try reader.form(of: skeleton.gates[$0].value) }
    let hidden = forms[.input].width
    let gateActivation = skeleton.gates[.input].activation
    for gate in [Gate.forget, .output]
    where skeleton.gates[gate].activation != gateActivation {
      throw NotACell(reason: "its gates have different activations")
    }
    guard Gate.allCases.allSatisfy({ forms[$0].width == hidden }), hidden > 0 else {
      throw NotACell(reason: "its gates differ in width")
    }
    let (input, output, warning) = try sources(skeleton, forms, hidden: hidden)
    let inputPlaces = try PerGate { try part(forms[$0], input, input: input, hidden) }
    let recurrentPlaces = try PerGate { try part(forms[$0], output, input: input, hidden) }
    for gate in Gate.allCases {
      let terms = forms[gate].terms.count
      let sources = Set(forms[gate].terms.flatMap(\.sources))
      guard sources == [input, output], terms <= 2 else {
        throw NotACell(reason: "its gates do not all come from the same two values")
      }
      guard inputPlaces[gate].inputs.count == inputPlaces[.input].inputs.count else {
        throw NotACell(reason: "its gates have inputs of different widths")
      }
      guard recurrentPlaces[gate].inputs.count == hidden else {
        throw NotACell(
          reason: "its state has \(recurrentPlaces[gate].inputs.count) outputs and \(hidden) "
            + "units: an LSTM with a projection")
      }
    }
    var direction = DirectionWeights(
      inputWeights: PerGate { .dense(inputPlaces[$0].values) },
      recurrentWeights: PerGate { .dense(recurrentPlaces[$0].values) },
      peepholes: try peepholes(skeleton, forms, hidden))
    Self.addBiases(forms, hidden, recurrent: output, to: &direction)
    let weights = LSTMWeights(
      inputSize: inputPlaces[.input].inputs.count, hiddenSize: hidden, directions: [direction])
    let layer = LSTMLayer(
      weights: 0,
      directions: [
        DirectionSettings(
          direction: .forward, gateActivation: gateActivation,
          cellActivation: skeleton.gates[.cell].activation,
          outputActivation: skeleton.outputActivation)
      ], sourceGateOrder: Self.order(inputPlaces))
    let bound = CellProof.Bound(
      input: input, output: output, cell: skeleton.cell, newOutput: skeleton.newOutput,
      newCell: skeleton.newCell)
    let used: Set<String>
    switch try proof.prove(layer, weights, bound) {
    case .proved(let initializers): used = initializers
    case .differs:
      throw NotACell(
        reason: "the layer rebuilt from its weights computes something else, so it is no plain LSTM"
      )
    case .unknown(let reason): throw NotACell(reason: reason)
    }
    return RecognizedCell(
      skeleton: skeleton, input: input, output: output, weights: weights, layer: layer,
      inputPlaces: inputPlaces, recurrentPlaces: recurrentPlaces,
      biasPlaces: PerGate { gate in forms[gate].constants.lazy.compactMap(\.place).first },
      interior: roots.between(
        [skeleton.newOutput, skeleton.newCell], and: [input, output, skeleton.cell]),
      usedInitializers: used, warning: warning)
  }

  // MARK: - Input and state

  /// Which of the two values that go into the gates is the input, which the output before.
  private func sources(
    _ skeleton: CellSkeleton, _ forms: PerGate<AffineForm>, hidden: Int
  ) throws -> (input: ONNXValueID, output: ONNXValueID, warning: String?) {
    var sources: [ONNXValueID] = []
    var widths: [ONNXValueID: Int] = [:]
    for gate in Gate.allCases {
      for term in forms[gate].terms {
        for source in term.sources where !sources.contains(source) { sources.append(source) }
        if term.sources.count == 1 { widths[term.sources[0]] = term.matrix.inputs }
        for source in term.sources where widths[source] == nil {
          widths[source] = source.scope.width(of: source.name)
        }
      }
    }
    guard sources.count == 2 else {
      throw NotACell(
        reason: "its gates come from \(sources.count) values, those of an LSTM from two")
    }
    let (a, b) = (sources[0], sources[1])
    if isState(b, of: skeleton) { return (a, b, nil) }
    if isState(a, of: skeleton) { return (b, a, nil) }
    // Only the state has as many elements as there are units.
    if let one = widths[a], let other = widths[b], (one == hidden) != (other == hidden) {
      return one == hidden ? (b, a, nil) : (a, b, nil)
    }
    // The output of another cell, whose state is not ours, is what a layer above it reads.
    if (stateOf[a] != nil) != (stateOf[b] != nil) {
      return stateOf[a] != nil ? (a, b, nil) : (b, a, nil)
    }
    // States begin with one number; an input is no constant.
    if isFilled(skeleton.cell), isFilled(a) != isFilled(b) {
      return isFilled(a) ? (b, a, nil) : (a, b, nil)
    }
    // State and cell come from one place.
    let wanted = roots.roots(of: skeleton.cell)
    let (isA, isB) = (roots.roots(of: a) == wanted, roots.roots(of: b) == wanted)
    if isA != isB, !wanted.isEmpty { return isA ? (b, a, nil) : (a, b, nil) }
    return (
      a, b,
      "\(skeleton.place.path): the graph does not tell which of '\(a.name)' and '\(b.name)' is the "
        + "input of the LSTM and which its state; took the first as the input"
    )
  }

  /// Whether a value is a constant of any number of rows: zeros, as a rule.
  private func isFilled(_ value: ONNXValueID) -> Bool {
    guard let place = skeletons.places[value] else { return false }
    switch place.node.isStandard ? place.node.opType : "" {
    case "ConstantOfShape": return true
    case "Expand":
      guard let number = place.node.input(0).flatMap({ place.scope.identity(of: $0) }) else {
        return false
      }
      return roots.roots(of: number).isEmpty
    default: return false
    }
  }

  /// Whether a value is known to be the output of the step before.
  private func isState(_ value: ONNXValueID, of skeleton: CellSkeleton) -> Bool {
    if stateOf[value] == skeleton.cell { return true }
    for (scope, loop) in loops where value.scope === scope {
      guard let state = loop.carried.first(where: { $0.input == value.name }) else { continue }
      return roots.unwrapped(state.output, in: scope) == skeleton.newOutput
    }
    return false
  }

  /// The part of a gate's matrix that multiplies one of the two values.
  private func part(
    _ form: AffineForm, _ source: ONNXValueID, input: ONNXValueID, _ hidden: Int
  ) throws -> RecognizedCell.MatrixPart {
    let terms = form.terms.filter { $0.sources.contains(source) }
    guard terms.count == 1, let term = terms.first else {
      throw NotACell(reason: "one of its gates lacks the input or the state")
    }
    guard term.sources.count > 1 else {
      return RecognizedCell.MatrixPart(
        matrix: term.matrix, outputs: term.outputs, inputs: 0..<term.matrix.inputs)
    }
    // Two values side by side: the state has as many elements as there are units.
    guard term.sources.count == 2, term.matrix.inputs > hidden else {
      throw NotACell(reason: "its gates come from \(term.sources.count) values side by side")
    }
    let isFirst = term.sources[0] == source
    let split = term.sources[0] == input ? term.matrix.inputs - hidden : hidden
    return RecognizedCell.MatrixPart(
      matrix: term.matrix, outputs: term.outputs,
      inputs: isFirst ? 0..<split : split..<term.matrix.inputs)
  }

  // MARK: - Vectors

  /// One bias, or two where every gate has two; more are added up.
  ///
  /// Of two, that of the recurrent product is the second one, in whatever order the graph adds them.
  private static func addBiases(
    _ forms: PerGate<AffineForm>, _ hidden: Int, recurrent: ONNXValueID,
    to weights: inout DirectionWeights
  ) {
    let counts = Set(Gate.allCases.map { forms[$0].constants.count })
    if counts == [0] { return }
    let zeros = [Float](repeating: 0, count: hidden)
    func sum(_ constants: [AffineForm.Constant]) -> [Float] {
      guard let first = constants.first?.values else { return zeros }
      return constants.dropFirst().reduce(first) { sum, next in
        zip(sum, next.values).map { $0 + $1 }
      }
    }
    let own = PerGate { gate in forms[gate].constants.filter { $0.source == recurrent } }
    let others = PerGate { gate in forms[gate].constants.filter { $0.source != recurrent } }
    if Gate.allCases.allSatisfy({ !own[$0].isEmpty && !others[$0].isEmpty }) {
      weights.bias = PerGate { sum(others[$0]) }
      weights.recurrentBias = PerGate { sum(own[$0]) }
    } else if counts == [2] {
      weights.bias = PerGate { forms[$0].constants[0].values }
      weights.recurrentBias = PerGate { forms[$0].constants[1].values }
    } else {
      weights.bias = PerGate { sum(forms[$0].constants) }
    }
  }

  private func peepholes(
    _ skeleton: CellSkeleton, _ forms: PerGate<AffineForm>, _ hidden: Int
  ) throws -> PerGate<[Float]>? {
    guard Gate.allCases.contains(where: { !forms[$0].peepholes.isEmpty }) else { return nil }
    return try PerGate { gate in
      let found = forms[gate].peepholes
      let wanted = gate == .output ? skeleton.newCell : skeleton.cell
      guard found.count == (gate == .cell ? 0 : 1), found.allSatisfy({ $0.value == wanted }) else {
        throw NotACell(reason: "its gates multiply values that are no peepholes of an LSTM")
      }
      return found.first?.weights ?? []
    }
  }

  /// The gates in the order of the columns, when they stand in one matrix.
  private static func order(_ places: PerGate<RecognizedCell.MatrixPart>) -> String {
    guard Gate.allCases.allSatisfy({ places[$0].matrix === places[.input].matrix }) else {
      return "one matrix each"
    }
    return GateOrder(
      gates: Gate.allCases.sorted {
        places[$0].outputs.lowerBound < places[$1].outputs.lowerBound
      }
    ).description
  }
}
