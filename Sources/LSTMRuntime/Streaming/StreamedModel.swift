public import Diagnostics
public import LSTMCore

/// A model that is taken step by step: embedding, LSTM layers, dense layers and activations in a
/// chain, prepared once; any number of ``StreamState``s, on any threads, share it.
public final class StreamedModel: Sendable {
  /// What a block of steps goes through.
  enum Stage: Sendable {
    case embedding(EmbeddingTable)
    case lstm(StreamedLSTM)
    case dense(any LinearMap)
    case bias([Float])
    case activation(Activation)

    /// The numbers of a step that come out; `nil` where the stage changes those of the one before.
    var size: Int? {
      switch self {
      case .embedding(let table): table.size
      case .lstm(let lstm): lstm.outputSize
      case .dense(let map): map.outputSize
      case .bias, .activation: nil
      }
    }
  }

  /// The numbers of a step; 1 for tokens.
  public let inputSize: Int
  /// How many tokens there are; `nil` when steps are vectors.
  public let tokenCount: Int?
  /// The numbers that come out of a step.
  public let outputSize: Int
  /// How products are computed.
  public let options: KernelOptions

  let stages: [Stage]

  /// Prepares a model.
  ///
  /// - Parameters:
  ///   - model: The model. Where the caller gives it up (`consume`), each layer's weights are freed once
  ///     they are prepared, on as many processors as there are.
  ///   - leavingOutSoftmax: Whether what goes into a last softmax is wanted.
  ///   - options: How products are computed; int8 activations unless something else is said, which
  ///     costs perplexity less than 0.1 % (`README.md`).
  /// - Throws: ``DiagnosticError`` with code `notRunnable` when the model is not such a chain, or
  ///   sizes do not fit; with `limitExceeded` when a layer is too large for steps.
  public init(
    _ model: consuming Model, leavingOutSoftmax: Bool = false,
    options: KernelOptions = KernelOptions(activations: .int8)
  ) throws(DiagnosticError) {
    self.options = options
    var parts = try StreamedParts(consume model, leavingOutSoftmax: leavingOutSoftmax)
    let names = parts.names
    var stages: [Stage] = []
    var size: Int?
    func expect(_ found: Int, _ layer: Int) throws(DiagnosticError) {
      guard size ?? found == found else {
        throw DiagnosticError(
          .notRunnable, object: names[layer],
          "takes \(found) numbers, but \(size ?? 0) come")
      }
    }
    var inputSize: Int?
    for link in parts.links {
      switch link {
      case .embedding(let layer):
        guard case .embedding(let embedding) = parts.take(layer) else { continue }
        guard stages.isEmpty else {
          throw DiagnosticError(.notRunnable, object: names[layer], "is no first layer")
        }
        try Self.check(embedding.weights.columns, names[layer])
        stages.append(.embedding(EmbeddingTable(embedding.weights)))
        inputSize = 1
      case .lstm(let layer):
        guard case .lstm(let lstm) = parts.take(layer), let weights = parts.weights(of: lstm)
        else { continue }
        try Self.check(4 * weights.hiddenSize, names[layer])
        let prepared: PreparedLSTM
        do throws(DiagnosticError) {
          prepared = try PreparedLSTM(layer: lstm, weights: weights, options: options)
        } catch { throw error.atObject(names[layer]) }
        try expect(prepared.inputSize, layer)
        inputSize = inputSize ?? prepared.inputSize
        stages.append(.lstm(StreamedLSTM(prepared)))
      case .dense(let layer):
        guard case .dense(let dense) = parts.take(layer) else { continue }
        try Self.check(dense.weights.rows, names[layer])
        let map = LinearMaps.map(dense.weights, options)
        try expect(map.inputSize, layer)
        inputSize = inputSize ?? map.inputSize
        stages.append(.dense(map))
      case .bias(let vector):
        guard let size, vector.count == size || vector.count == 1 else {
          throw DiagnosticError(.notRunnable, "adds a vector of \(vector.count) elements")
        }
        stages.append(
          .bias(vector.count == size ? vector : [Float](repeating: vector[0], count: size)))
      case .activation(let activation): stages.append(.activation(activation))
      }
      size = stages.last?.size ?? size
    }
    guard let inputSize, let size else {
      throw DiagnosticError(.notRunnable, "has no layer with weights to stream through")
    }
    self.inputSize = inputSize
    outputSize = size
    tokenCount =
      if case .embedding(let table) = stages.first { table.count } else { nil }
    self.stages = stages
  }

  /// The most numbers that a layer may compute in a step: of factors, a small file can say large ones.
  private static let sizeLimit = 1 << 24

  private static func check(_ size: Int, _ name: String) throws(DiagnosticError) {
    guard size > sizeLimit else { return }
    throw DiagnosticError(
      .limitExceeded, object: name,
      "computes \(size) numbers in a step, above the limit of \(sizeLimit) for streams")
  }

  /// The bytes of the weights as they are held.
  public var byteCount: Int {
    stages.reduce(0) {
      switch $1 {
      case .embedding(let table): $0 + table.byteCount
      case .lstm(let lstm): $0 + lstm.byteCount
      case .dense(let map): $0 + map.byteCount
      case .bias(let vector): $0 + vector.count * MemoryLayout<Float>.stride
      case .activation: $0
      }
    }
  }

  /// Multiplications of a step, for deciding whether threads are worth it.
  var productCount: Int {
    stages.reduce(0) {
      switch $1 {
      case .lstm(let lstm): $0 + 4 * lstm.units * (lstm.input.inputSize + lstm.outputSize)
      case .dense(let map): $0 + map.inputSize * map.outputSize
      case .embedding, .bias, .activation: $0
      }
    }
  }
}

/// The parts of a model, each released when it is taken for the last time.
private struct StreamedParts {
  let links: [StreamChain.Link]
  let names: [String]
  private var kinds: [Layer.Kind?]
  private var sets: [LSTMWeights?]
  /// How often each layer and each set is still wanted.
  private var layerUses: [Int]
  private var setUses: [Int]

  init(_ model: Model, leavingOutSoftmax: Bool) throws(DiagnosticError) {
    links = try StreamChain(model, leavingOutSoftmax: leavingOutSoftmax).links
    names = model.layers.map(\.name)
    kinds = model.layers.map(\.kind)
    sets = model.lstmWeights
    layerUses = [Int](repeating: 0, count: kinds.count)
    setUses = [Int](repeating: 0, count: sets.count)
    for link in links {
      switch link {
      case .embedding(let layer), .dense(let layer): layerUses[layer] += 1
      case .lstm(let layer):
        layerUses[layer] += 1
        if case .lstm(let lstm) = kinds[layer] { setUses[lstm.weights] += 1 }
      case .bias, .activation: break
      }
    }
  }

  mutating func take(_ layer: Int) -> Layer.Kind? {
    layerUses[layer] -= 1
    defer { if layerUses[layer] == 0 { kinds[layer] = nil } }
    return kinds[layer]
  }

  mutating func weights(of lstm: LSTMLayer) -> LSTMWeights? {
    setUses[lstm.weights] -= 1
    defer { if setUses[lstm.weights] == 0 { sets[lstm.weights] = nil } }
    return sets[lstm.weights]
  }
}

/// An LSTM layer of one forward direction.
struct StreamedLSTM: Sendable {
  let input: any LinearMap
  let recurrent: any LinearMap
  let projection: (any LinearMap)?
  let bias: [Float]
  let cell: CellUpdate
  let units: Int
  let outputSize: Int

  init(_ lstm: PreparedLSTM) {
    let direction = lstm.directions[0]
    input = direction.input
    recurrent = direction.recurrent
    projection = direction.projection
    bias = direction.bias
    cell = CellUpdate(direction, lstm.layer, units: lstm.hiddenSize)
    units = lstm.hiddenSize
    outputSize = lstm.outputSize
  }

  var byteCount: Int {
    input.byteCount + recurrent.byteCount + (projection?.byteCount ?? 0)
      + bias.count * MemoryLayout<Float>.stride
  }
}
