import Diagnostics
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Streams against whole runs, and against each other.
@Suite struct StreamTests {
  /// A language model: an embedding, two LSTMs, a dense layer with a softmax.
  private static func languageModel(_ bits: String, units: Int = 24) throws -> Model {
    var numbers = SeededNumbers(seed: 21)
    func matrix(_ rows: Int, _ columns: Int) throws -> WeightMatrix {
      switch bits {
      case "float":
        .dense(
          Matrix(
            rows: rows, columns: columns,
            elements: (0..<rows * columns).map { _ in
              Float.random(in: -0.5...0.5, using: &numbers)
            }))
      case "product":
        .product(left: try packed("uniform8", rows, 5), right: try packed("binary", 5, columns))
      default: try packed(bits, rows, columns)
      }
    }
    func packed(_ name: String, _ rows: Int, _ columns: Int) throws -> WeightMatrix {
      .packed(
        try Int8MapTests.matrix(
          name, rows: rows, columns: columns, groupSize: min(32, columns), &numbers))
    }
    func vector(_ count: Int) -> [Float] {
      (0..<count).map { _ in Float.random(in: -0.5...0.5, using: &numbers) }
    }
    let weights = try [10, units].map { inputs in
      LSTMWeights(
        inputSize: inputs, hiddenSize: units, outputSize: units,
        directions: [
          DirectionWeights(
            inputWeights: try PerGate { _ in try matrix(units, inputs) },
            recurrentWeights: try PerGate { _ in try matrix(units, units) },
            bias: PerGate { _ in vector(units) }, recurrentBias: nil, peepholes: nil,
            projection: nil)
        ])
    }
    let layers: [Layer] =
      [
        Layer(
          name: "embedding", sourceClass: "Embedding",
          kind: .embedding(EmbeddingLayer(weights: try matrix(11, 10))))
      ]
      + [0, 1].map { index in
        Layer(
          name: "lstm\(index)", sourceClass: "LSTM",
          kind: .lstm(
            LSTMLayer(
              weights: index,
              directions: [
                DirectionSettings(
                  direction: .forward, gateActivation: Activation(.sigmoid),
                  cellActivation: Activation(.tanh), outputActivation: Activation(.tanh))
              ], merge: nil, clip: nil, sourceGateOrder: "i f c o")))
      }
      + [
        Layer(
          name: "dense", sourceClass: "Dense",
          kind: .dense(
            DenseLayer(
              weights: try matrix(11, units), bias: vector(11), activation: Activation(.softmax))))
      ]
    let graph = ModelGraph(
      inputs: [GraphInput(name: "tokens", shape: [nil, nil], isInteger: true)],
      nodes: [
        GraphNode(
          name: "embedding", operation: "keras.Embedding", layer: 0, inputs: ["tokens"],
          outputs: ["e"]),
        GraphNode(
          name: "lstm0", operation: "keras.LSTM", layer: 1,
          attributes: ["returnSequences": GraphAttribute(true)], inputs: ["e"], outputs: ["a"]),
        GraphNode(
          name: "lstm1", operation: "keras.LSTM", layer: 2,
          attributes: ["returnSequences": GraphAttribute(true)], inputs: ["a"], outputs: ["b"]),
        GraphNode(
          name: "dense", operation: "keras.Dense", layer: 3, inputs: ["b"], outputs: ["y"]),
      ], outputs: [GraphOutput(name: "y", value: "y")])
    return Model(
      source: ModelSource(format: "test", writer: "test", byteCount: 0, sha256: ""), layers: layers,
      lstmWeights: weights, graph: graph)
  }

  private static let storages =
    ["float", "product"]
    + WeightEncodings.all.filter { $0.parametersPerGroup > 0 }.map(\.name)
  private static let tokens = (0..<70).map { $0 * 7 % 11 }

  private static func results(_ stream: StreamState, _ tokens: [Int]) throws -> [Float] {
    var results: [Float] = []
    var failure: (any Error)?
    unsafe tokens.withUnsafeBufferPointer { tokens in
      do {
        try unsafe stream.run(tokens: tokens) { part in
          for index in 0..<part.count { unsafe results.append(part[index]) }
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return results
  }

  @Test func layersUsedTwice() throws {
    var model = try Self.languageModel("uniform4")
    let again = GraphNode(
      name: "again", operation: "keras.LSTM", layer: 2,
      attributes: ["returnSequences": GraphAttribute(true)], inputs: ["b"], outputs: ["c"])
    model.graph?.nodes.insert(again, at: 3)
    model.graph?.nodes[4].inputs = ["c"]
    let once = try StreamedModel(try Self.languageModel("uniform4"))
    let prepared = try PreparedModel(model, options: KernelOptions(activations: .int8))
    var session = RunSession()
    let whole = try prepared.run(
      ["tokens": Tensor(dims: [1, 5], elements: .integers([1, 2, 3, 4, 5]))], session: &session)[0]
    let streamed = try Self.results(StreamState(try StreamedModel(model)), [1, 2, 3, 4, 5])
    #expect(whole.floats?.count == streamed.count)
    #expect(zip(streamed, whole.floats ?? []).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(streamed != (try Self.results(StreamState(once), [1, 2, 3, 4, 5])))
  }

  /// More threads than a pool of queues has.
  @Test func manyStreamsOnThreads() throws {
    let model = try StreamedModel(try Self.languageModel("binary", units: 300))
    let expected = try Self.results(StreamState(model), [1, 2])
    let streams = (0..<90).map { _ in StreamState(model, threads: 4) }
    #expect(streams.allSatisfy { $0.threads == 4 })
    for stream in streams { #expect(try Self.results(stream, [1, 2]) == expected) }
  }

  @Test(arguments: storages, Activations.allCases)
  func aStreamIsAWholeRun(storage: String, activations: Activations) throws {
    let model = try Self.languageModel(storage)
    let options = KernelOptions(activations: activations)
    let prepared = try PreparedModel(model, options: options)
    var session = RunSession()
    let whole = try prepared.run(
      [
        "tokens": Tensor(
          dims: [1, Self.tokens.count], elements: .integers(Self.tokens.map { Int64($0) }))
      ], session: &session)[0]
    let streamed = try StreamedModel(model, options: options)
    #expect(streamed.tokenCount == 11 && streamed.outputSize == 11)
    for stepsAtOnce in [1, 3, 64] {
      let stream = StreamState(streamed, stepsAtOnce: stepsAtOnce)
      #expect(try Self.results(stream, Self.tokens) == whole.floats, "\(stepsAtOnce) at once")
    }
  }

  @Test func instructionSetsDoNotChangeResults() throws {
    let model = try Self.languageModel("codebook2")
    let all = try InstructionSet.available.map { instructions in
      try Self.results(
        StreamState(
          try StreamedModel(
            model, options: KernelOptions(activations: .int8, instructions: instructions))),
        Self.tokens)
    }
    for results in all { #expect(results == all[0]) }
  }

  @Test(arguments: ["codebook2", "uniform8", "float", "product"])
  func threadsDoNotChangeResults(storage: String) throws {
    // Large enough for threads.
    let streamed = try StreamedModel(try Self.languageModel(storage, units: 300))
    let single = StreamState(streamed)
    let team = StreamState(streamed, threads: 3)
    #expect(single.threads == 1 && team.threads == 3)
    for _ in 0..<4 {
      #expect(try Self.results(team, Self.tokens) == Self.results(single, Self.tokens))
    }
    #expect(team.states == single.states)
  }

  /// A stage that works in place at the beginning has vectors of its own to work on.
  @Test(arguments: [1, 64])
  func anActivationMayComeFirst(stepsAtOnce: Int) throws {
    var model = try Self.languageModel("float", units: 300)
    model.layers.removeFirst()
    var graph = try #require(model.graph)
    graph.inputs = [GraphInput(name: "x", shape: [nil, nil, 10], isInteger: false)]
    graph.nodes[0] = GraphNode(
      name: "act", operation: "activation", attributes: ["function": .text("tanh")], inputs: ["x"],
      outputs: ["e"])
    for index in 1..<graph.nodes.count { graph.nodes[index].layer = index - 1 }
    model.graph = graph
    let x = (0..<70 * 10).map { Float($0 % 17) / 4 - 2 }
    var session = RunSession()
    let whole = try PreparedModel(model).run(["x": Tensor([1, 70, 10], x)], session: &session)[0]
    let streamed = try StreamedModel(model, options: KernelOptions())
    for threads in [1, 2] {
      let stream = StreamState(streamed, threads: threads, stepsAtOnce: stepsAtOnce)
      var results: [Float] = []
      unsafe x.withUnsafeBufferPointer { x in
        do {
          try unsafe stream.run(x: x) { part in
            for index in 0..<part.count { unsafe results.append(part[index]) }
          }
        } catch { Issue.record(error) }
      }
      #expect(results == whole.floats)
    }
  }

  /// A bias of its own, before or after what it is added to.
  @Test(arguments: [true, false])
  func aConstantVectorIsAdded(comesFirst: Bool) throws {
    var model = try Self.languageModel("float")
    let before = try Self.results(StreamState(try StreamedModel(model)), Self.tokens)
    var graph = try #require(model.graph)
    graph.nodes.append(
      GraphNode(
        name: "bias", operation: GraphNode.constantOperation,
        attributes: ["shape": .numbers([11]), "floats": .numbers((0..<11).map { Double($0) })],
        inputs: [], outputs: ["v"]))
    graph.nodes.append(
      GraphNode(
        name: "add", operation: "onnx.Add", inputs: comesFirst ? ["v", "y"] : ["y", "v"],
        outputs: ["z"]))
    graph.outputs = [GraphOutput(name: "z", value: "z")]
    model.graph = graph
    let after = try Self.results(StreamState(try StreamedModel(model)), Self.tokens)
    #expect(zip(after, before).enumerated().allSatisfy { abs($1.0 - $1.1 - Float($0 % 11)) < 1e-5 })
  }

  @Test func aStreamOfManyThreadsIsFreed() throws {
    let model = try StreamedModel(try Self.languageModel("binary", units: 300))
    weak var gone: StreamState?
    do {
      let stream = StreamState(model, threads: 3)
      #expect(stream.threads == 3)
      _ = try Self.results(stream, [1, 2])
      gone = stream
    }
    #expect(gone == nil)
  }

  /// What a stream would leave out makes a model none for streams.
  @Test func nodesThatStreamsWouldReadOtherwiseAreRefused() throws {
    func refusal(_ change: (inout ModelGraph) -> Void) throws -> String {
      var model = try Self.languageModel("float")
      var graph = try #require(model.graph)
      graph.nodes[3] = GraphNode(
        name: "soft", operation: "onnx.Softmax", inputs: ["b"], outputs: ["y"])
      change(&graph)
      model.graph = graph
      do {
        _ = try StreamedModel(model)
        return ""
      } catch { return "\(error)" }
    }
    #expect(try refusal { _ in } == "")
    #expect(try refusal { $0.nodes[3].attributes["axis"] = .number(2) } == "")
    #expect(
      try refusal { $0.nodes[3].attributes["axis"] = .number(0) }.contains("not over the last"))
    #expect(try refusal { $0.nodes[3].attributes["axis"] = .number(1) }.contains("second axis"))
    #expect(
      try refusal {
        $0.nodes[3].attributes["axis"] = .number(1)
        $0.nodes[2].attributes["returnSequences"] = .number(0)
      } == "")
    #expect(
      try refusal {
        $0.nodes[3] = GraphNode(
          name: "cast", operation: "onnx.Cast", attributes: ["toFloat": .number(0)], inputs: ["b"],
          outputs: ["y"])
      }.contains("makes numbers whole"))
    // A start state: given from outside, it is zeros; what the model computes is not.
    #expect(
      try refusal {
        $0.inputs.append(GraphInput(name: "h", shape: [nil, 24], isInteger: false))
        $0.nodes[2].inputs += ["h", "h"]
      } == "")
    #expect(
      try refusal { $0.nodes[2].inputs += ["a", "a"] }.contains(
        "start state is computed by 'lstm0'"))
    for (value, text) in [(0.0, ""), (1, "its start state is 1")] {
      let found = try refusal {
        $0.nodes.insert(
          GraphNode(
            name: "state", operation: "onnx.ConstantOfShape", attributes: ["float": .number(value)],
            inputs: ["shape"], outputs: ["s"]), at: 2)
        $0.nodes.insert(
          GraphNode(name: "shape", operation: "onnx.Shape", inputs: ["a"], outputs: ["shape"]),
          at: 2)
        $0.nodes[4].inputs += ["s", "s"]
      }
      #expect(text.isEmpty ? found.isEmpty : found.contains(text), "\(found)")
    }
  }

  /// The last step, however it is written, is what comes out so far; of other parts a stream knows
  /// nothing.
  @Test(arguments: ["last_gather", "last_slice", "last_layer", "first_layer"])
  func theLastStepIsTaken(name: String) throws {
    let item = try #require(RuntimeCase.all.first { $0.description == "graph_\(name).onnx" })
    let arrays = try item.read()
    let streamed = try StreamedModel(try importModel(item.model), options: KernelOptions())
    let x = try #require(arrays["in.X"]?.floats)
    let wanted = try #require(arrays["out.probs"]?.floats)
    var last: [Float] = []
    unsafe x.withUnsafeBufferPointer { x in
      do {
        try unsafe StreamState(streamed, threads: 1).run(x: x) { part in
          last = (0..<part.count).suffix(3).map { unsafe part[$0] }
        }
      } catch { Issue.record(error) }
    }
    #expect(zip(last, wanted).allSatisfy { abs($0 - $1) < 1e-5 } && last.count == wanted.count)
  }

  /// Before the last step is taken, the axes of a softmax are other ones.
  @Test(arguments: [(1, false), (2, true), (-1, true)])
  func aSoftmaxBeforeTheLastStepIsOverTheFeatures(axis: Int, fits: Bool) throws {
    let item = try #require(RuntimeCase.all.first { $0.description == "graph_last_gather.onnx" })
    var model = try importModel(item.model)
    var graph = try #require(model.graph)
    let index = try #require(graph.nodes.firstIndex { $0.operation == "onnx.Gather" })
    graph.nodes.insert(
      GraphNode(
        name: "soft", operation: "onnx.Softmax", attributes: ["axis": .number(Double(axis))],
        inputs: [graph.nodes[index].inputs[0]], outputs: ["softened"]), at: index)
    graph.nodes[index + 1].inputs[0] = "softened"
    model.graph = graph
    do {
      _ = try StreamedModel(model)
      #expect(fits)
    } catch {
      #expect(!fits)
      #expect("\(error)".contains("softmax that is not over the last axis"))
    }
  }

  @Test(arguments: ["first_gather", "features_gather"])
  func otherPartsOfStepsAreRefused(name: String) throws {
    let item = try #require(RuntimeCase.all.first { $0.description == "graph_\(name).onnx" })
    let model = try importModel(item.model)
    let error = #expect(throws: DiagnosticError.self) { try StreamedModel(model) }
    #expect(error?.problem == "cannot be streamed: it takes a part that is not the last step")
    #expect(error?.object?.hasPrefix("Gather") == true)
  }

  @Test func smallModelsTakeOneThread() throws {
    let streamed = try StreamedModel(try Self.languageModel("binary"))
    #expect(StreamState(streamed, threads: 8).threads == 1)
  }

  @Test func aCloneGoesOnAndAResetBeginsAgain() throws {
    let streamed = try StreamedModel(try Self.languageModel("ternary2"))
    let stream = StreamState(streamed)
    let begin = try Self.results(stream, Self.tokens)
    let clone = stream.clone()
    let next = try Self.results(stream, Self.tokens)
    #expect(next != begin)
    #expect(try Self.results(clone, Self.tokens) == next)
    stream.reset()
    #expect(try Self.results(stream, Self.tokens) == begin)
  }

  @Test func anUnknownTokenIsRefusedBeforeAnyStep() throws {
    let stream = StreamState(try StreamedModel(try Self.languageModel("uniform4")))
    let states = stream.states
    for bad in [[1, 11], [-1], [0, 3, Int.max]] {
      #expect(throws: (any Error).self) { try Self.results(stream, bad) }
    }
    #expect(stream.states == states)
  }

  @Test func aModelThatIsNoChainIsRefused() throws {
    var model = try Self.languageModel("uniform4")
    model.graph?.nodes[1].operation = "keras.GlobalMaxPooling1D"
    #expect(throws: (any Error).self) { try StreamedModel(model) }
    model.graph = nil
    #expect(throws: (any Error).self) { try StreamedModel(model) }
  }
}
