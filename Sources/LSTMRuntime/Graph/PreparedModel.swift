public import Diagnostics
public import LSTMCore

/// A model ready to run from its inputs to its outputs.
public struct PreparedModel: Sendable {
  /// One node that is run.
  private struct Step: Sendable {
    let name: String
    let operation: Operation
    let inputs: [Int?]
    let outputs: [Int?]
    /// Whether the first two axes are folded into one meanwhile (Keras `TimeDistributed`).
    let foldsTime: Bool
    /// Whether the masks that it makes meanwhile are kept (tf.keras 2).
    let masksEachStep: Bool
    /// Whether it only makes initial states, and is left out with the inputs that it makes them of.
    let isOfState: Bool
    /// Then, the inputs whose elements are the states.
    let moved: [Int]
    /// Whether neither this nor what it reads depends on the weights that compression changes.
    let isPrefix: Bool
  }

  /// What the model is given.
  ///
  /// Those that only begin the state of an LSTM may be left out.
  public let inputs: [GraphInput]
  /// The names of the inputs that may be left out: initial states, which are zero then, or carried.
  public let stateInputs: Set<String>
  /// The inputs that begin states, whatever else reads them.
  public let inputsOfStates: Set<String>
  /// What the axes of inputs, outputs and the values between count.
  public let axes: GraphAxes
  /// The names of what ``run(_:session:threads:)`` returns, in order.
  public let outputNames: [String]
  /// The values that it returns, as ``axes`` names them.
  public let outputValues: [String]
  /// Whether the last operation on the first output was a softmax that was left out.
  public let leavesOutSoftmax: Bool
  /// Whether an LSTM layer on the way reads its input from the end, so that no state can be carried.
  public let readsBackwards: Bool
  /// The bytes of the weights of the layers on the way as they are stored.
  public let weightByteCount: Int
  /// The bytes of the prepared weights in memory: codes that are multiplied in float32 are unpacked.
  public let heldByteCount: Int

  /// The bytes of the weights and constants that a run reads, from which its budget follows.
  private let modelByteCount: Int

  private let steps: [Step]
  private let slotCount: Int
  private let inputSlots: [Int]
  private let outputSlots: [Int]
  /// The values whose last reader is a step, to free them after it.
  private let lastReads: [[Int]]
  /// The values that the prefix makes for the steps after it.
  private let prefixSlots: Set<Int>

  /// Prepares a model.
  ///
  /// Only what the outputs need is prepared, so a model with an opaque layer can still be run up to
  /// it.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - outputs: Names of outputs or layers, `layer#1` for a second output of a layer; the model's
  ///     own outputs when `nil`.
  ///   - leavingOutSoftmax: Whether to return what goes into the softmax that makes the first
  ///     output, if one does, so that logarithms of probabilities are exact.
  ///   - addingDecoderInput: Whether to return, after the outputs, what the dense operation reads
  ///     that makes the first output: the hidden states of a language model.
  ///   - feedingBack: Inputs whose values come from outputs of the call before, and so depend on
  ///     the weights.
  ///   - options: How products are computed.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` when the model has no graph, an output
  ///   does not exist, an operation on the way to one is not supported, or no dense operation makes
  ///   the first output.
  public init(
    _ model: Model, outputs: [String]? = nil, leavingOutSoftmax: Bool = false,
    addingDecoderInput: Bool = false, feedingBack: Set<String> = [],
    options: KernelOptions = KernelOptions()
  ) throws(DiagnosticError) {
    guard var graph = model.graph else { throw .noGraph }
    if let twice = graph.valueMadeTwice {
      throw DiagnosticError(
        .notRunnable, object: graph.nodes[twice.node].name,
        "makes the value '\(twice.name)', which an input or another node makes, too")
    }
    var wanted = try GraphSearch(graph).values(of: outputs)
    guard let firstWanted = wanted.first else {
      throw DiagnosticError(.notRunnable, "has no outputs")
    }
    leavesOutSoftmax =
      leavingOutSoftmax
      ? try graph.keepLogits(of: firstWanted.value, layers: model.layers) : false
    if addingDecoderInput {
      guard let found = try graph.decoderInput(of: firstWanted.value) else {
        throw DiagnosticError(
          .notRunnable, object: firstWanted.name,
          "no dense layer makes this output, so it has no hidden states for a cache",
          hint: "choose another output with --output, or leave out --cache-window")
      }
      wanted.append(GraphOutput(name: "decoder input", value: found))
    }
    outputNames = wanted.map(\.name)
    outputValues = wanted.map(\.value)
    let needed = GraphSearch(graph).nodes(for: wanted.map(\.value))
    var slots: [String: Int] = [:]
    for input in graph.inputs where slots[input.name] == nil { slots[input.name] = slots.count }
    var steps: [Step] = []
    let states = graph.stateValues(nodes: needed, outputs: wanted.map(\.value))
    var read = Set(wanted.map(\.value))
    let preparedLayers = PreparedLayers(options)
    var prefix = Set(slots.filter { !feedingBack.contains($0.key) }.values)
    for index in needed {
      let node = graph.nodes[index]
      do {
        guard let prepare = Operators.all[node.operation] else {
          throw DiagnosticError.cannotRun(node)
        }
        let context = NodeContext(
          model: model, node: node, index: index, prepared: preparedLayers)
        let operation = try prepare(context)
        var inputs: [Int?] = []
        for name in node.inputs {
          read.insert(name)
          if name.isEmpty {
            inputs.append(nil)
          } else if let slot = slots[name] {
            inputs.append(slot)
          } else {
            throw DiagnosticError(.notRunnable, "reads the value '\(name)', which nothing makes")
          }
        }
        let outputs = node.outputs.map { name -> Int? in
          guard !name.isEmpty else { return nil }
          let slot = slots.count
          slots[name] = slot
          return slot
        }
        let isPrefix =
          inputs.allSatisfy { $0.map(prefix.contains) ?? true } && !context.hasCompressibleWeights
        if isPrefix { prefix.formUnion(outputs.compactMap { $0 }) }
        steps.append(
          Step(
            name: node.name, operation: operation, inputs: inputs, outputs: outputs,
            foldsTime: try context.flag("timeDistributed"),
            masksEachStep: try context.flag("masksEachStep"),
            isOfState: states.nodes.contains(index),
            moved: OperationAxes.movedInputs(of: node), isPrefix: isPrefix))
      } catch { throw DiagnosticError.of(error).atObject(node.name) }
    }
    inputs = graph.inputs.filter { read.contains($0.name) }
    if let empty = inputs.compactMap(\.obstacle).first { throw empty }
    stateInputs = states.optional
    inputsOfStates = graph.stateValues().inputs
    axes = GraphAxes(model)
    inputSlots = inputs.compactMap { slots[$0.name] }
    var outputSlots: [Int] = []
    for output in wanted {
      guard let slot = slots[output.value] else {
        throw DiagnosticError(.notRunnable, object: output.name, "nothing makes this output")
      }
      outputSlots.append(slot)
    }
    self.outputSlots = outputSlots
    var lastReader: [Int: Int] = [:]
    for (index, step) in steps.enumerated() {
      for slot in (step.inputs + step.outputs).compactMap({ $0 }) { lastReader[slot] = index }
    }
    for slot in outputSlots { lastReader[slot] = nil }
    var lastReads = [[Int]](repeating: [], count: steps.count)
    for (slot, step) in lastReader { lastReads[step].append(slot) }
    self.lastReads = lastReads
    self.steps = steps
    let made = Set(steps.filter(\.isPrefix).flatMap(\.outputs).compactMap { $0 })
    prefixSlots = made.intersection(
      steps.filter { !$0.isPrefix }.flatMap(\.inputs).compactMap { $0 } + outputSlots)
    slotCount = slots.count
    readsBackwards = needed.contains { index in
      guard let layer = graph.nodes[index].layer, case .lstm(let lstm) = model.layers[layer].kind
      else { return false }
      return lstm.directions.contains { $0.direction == .backward }
    }
    weightByteCount = Set(needed.compactMap { graph.nodes[$0].layer })
      .reduce(0) { $0 + model.weightByteCount(ofLayer: $1) }
    heldByteCount = preparedLayers.byteCount
    modelByteCount = needed.reduce(weightByteCount) { $0 + graph.nodes[$1].attributeByteCount }
  }

  /// Runs the model.
  ///
  /// - Parameters:
  ///   - inputs: A value for each of ``inputs``, by name; ``stateInputs`` may be missing.
  ///   - session: States and recordings.
  ///   - threads: How many threads may work; results do not depend on it.
  /// - Returns: A tensor for each of ``outputNames``.
  /// - Throws: ``DiagnosticError`` with code `badData` when an input is missing or does not fit, and
  ///   with the node named when values do not fit on the way, or with `limitExceeded` when it wants more than
  ///   the ``RunBudget``.
  public func run(
    _ inputs: [String: Tensor], session: inout RunSession, threads: Int = 1
  ) throws(DiagnosticError) -> [Tensor] {
    var values = [GraphValue?](repeating: nil, count: slotCount)
    for (input, slot) in zip(self.inputs, inputSlots) {
      guard let tensor = inputs[input.name] else {
        if stateInputs.contains(input.name) { continue }
        throw DiagnosticError(
          .badData, object: input.name, "no value is given for this input",
          hint: "it has the shape \(input.shapeText)")
      }
      values[slot] = GraphValue(try input.checked(tensor))
    }
    session.runs = []
    let batch = session.batch
    session.batch += 1
    let shared = prefixSlots.isEmpty ? nil : session.prefix
    let known = shared?.values(ofBatch: batch)
    var prefix: [Int: GraphValue] = [:]
    let meter = RunMeter(
      RunBudget(
        modelBytes: modelByteCount,
        inputElements: inputSlots.reduce(0) { $0 + (values[$1]?.tensor.count ?? 0) }))
    var held = [Int](repeating: 0, count: slotCount)
    for (slot, value) in known ?? [:] { values[slot] = value }
    for (index, step) in steps.enumerated() where !(step.isPrefix && known != nil) {
      if step.isOfState {
        let given = step.moved.count { step.inputs[$0].map { values[$0] != nil } ?? true }
        if given == 0 { continue }
        guard given == step.moved.count else {
          throw DiagnosticError(
            .badData, object: step.name,
            "joins initial states, of which some are given and others are not",
            hint: "give all of " + stateInputs.sorted().joined(separator: ", ") + ", or none")
        }
      }
      do {
        var call = OperationCall(
          inputs: step.inputs.map { $0.flatMap { values[$0] } }, threads: threads, meter: meter,
          session: session)
        try meter.spend(call.elementCount, RunBudget.operationsPerElement)
        let results =
          step.foldsTime
          ? try Self.runFolded(step.operation, masksEachStep: step.masksEachStep, &call)
          : try step.operation(&call)
        session = call.session
        for (slot, result) in zip(step.outputs, results) {
          guard let slot else { continue }
          values[slot] = result
          session.madeElements += result.tensor.count
          // Constants are held by the model in any case.
          if !step.inputs.isEmpty {
            held[slot] = try meter.hold(result)
            try meter.spend(result.tensor.count, RunBudget.operationsPerElement)
          }
          if shared != nil, known == nil, prefixSlots.contains(slot) { prefix[slot] = result }
        }
      } catch { throw DiagnosticError.of(error).atObject(step.name) }
      for slot in lastReads[index] {
        meter.release(held[slot])
        values[slot] = nil
      }
    }
    if known == nil { shared?.keep(prefix, ofBatch: batch) }
    var outputs: [Tensor] = []
    for (name, slot) in zip(outputNames, outputSlots) {
      guard let value = values[slot] else {
        throw DiagnosticError(.badData, object: name, "has no value")
      }
      outputs.append(value.tensor)
    }
    return outputs
  }

  /// Runs an operation on every step of time as if it were a sequence of its own.
  ///
  /// A mask of `[batch, steps, inner steps]` is that of the sequences inside. Where the operation hands masks on,
  /// they are the mask of the result; where it makes none of a mask, a step counts if one of those inside does.
  private static func runFolded(
    _ operation: Operation, masksEachStep: Bool, _ call: inout OperationCall
  ) throws -> [GraphValue] {
    let x = try call.tensor(0)
    guard x.dims.count >= 3 else {
      throw OperationCall.error("needs an input with a time axis, found \(x.dims)")
    }
    let mask = try call.value(0).mask
    let rows = x.dims[0] * x.dims[1]
    let folded = try x.reshaped([rows] + x.dims[2...], zeroKeeps: false)
    let isOfInnerSteps = mask.map { $0.count == rows * x.dims[2] } ?? false
    var inner = OperationCall(
      inputs: [GraphValue(folded, mask: isOfInnerSteps ? mask : nil)] + call.inputs.dropFirst(),
      threads: call.threads, meter: call.meter, session: call.session)
    return try operation(&inner).map { value in
      var result = mask
      if masksEachStep {
        result = value.mask
        if result == nil, let mask {
          let count = mask.count / max(1, rows)
          result = (0..<rows).map { mask[$0 * count..<($0 + 1) * count].contains(true) }
        }
      }
      return GraphValue(
        try value.tensor.reshaped(
          [x.dims[0], x.dims[1]] + value.tensor.dims.dropFirst(), zeroKeeps: false), mask: result)
    }
  }
}

extension DiagnosticError {
  /// Operators throw this one error and those of `Tensor`, which are of the same type.
  static func of(_ error: any Error) -> DiagnosticError {
    error as? DiagnosticError ?? DiagnosticError(.badData, "\(error)")
  }
}

extension GraphNode {
  /// The bytes of the numbers among its settings, which for a constant are its elements.
  fileprivate var attributeByteCount: Int {
    attributes.values.reduce(0) {
      guard case .numbers(let values) = $1 else { return $0 }
      return $0 + values.count * MemoryLayout<Double>.stride
    }
  }
}

extension Model {
  /// The bytes of the weights of a layer as they are stored.
  fileprivate func weightByteCount(ofLayer index: Int) -> Int {
    switch layers[index].kind {
    case .lstm(let layer):
      lstmWeights[layer.weights].directions.reduce(0) { sum, direction in
        Gate.allCases.reduce(sum) {
          $0 + direction.inputWeights[$1].byteCount + direction.recurrentWeights[$1].byteCount
        }
      }
    case .embedding(let layer): layer.weights.byteCount
    case .dense(let layer): layer.weights.byteCount
    case .opaque(let layer): layer.tensors.reduce(0) { $0 + $1.bytes.count }
    }
  }
}
