import Diagnostics
import LSTMCore

/// Finds each matrix of a model in a file that was written of it.
///
/// Names and the order of layers are those of the kind of file, so matrices are found by what they hold.
struct WeightComparison {
  /// The vectors and matrices that belong together: those of an LSTM, or the one of another layer.
  private struct Group {
    /// The name of the layer.
    var name: String
    /// What has to agree before elements are compared: the kind, the sizes, which vectors there are.
    var signature: String
    /// The elements of the matrices, then those of the vectors.
    var parts: [[Float]]
    /// How many of the parts are matrices.
    var matrixCount: Int
    /// For vectors that are sums, by their place in the parts: |a| + |b|, of which rounding is a share.
    var magnitudes: [Int: [Float]] = [:]
    /// The settings, for an LSTM.
    var layer: LSTMLayer?
  }

  private let model: Model
  private let written: Model
  /// How many matrices were found.
  private(set) var matrixCount = 0
  /// The coarsest type to which one was rounded.
  private(set) var precision = SourceTensor.ElementType.float32
  /// What the LSTMs of the model do, and what those of the file do whose weights are the same.
  private var settings: [(name: String, model: LSTMLayer, written: [LSTMLayer])] = []

  init(_ model: Model, _ written: Model) {
    self.model = model
    self.written = written
  }

  /// Compares; gives the model with the numbers that the file holds in place of its own.
  ///
  /// - Throws: `DiagnosticError` with code `exportDiffers` that names a layer.
  mutating func run() throws(DiagnosticError) -> Model {
    var reference = model
    let candidates = Self.candidates(of: written)
    var isDone = Set<Int>()
    for (index, layer) in model.layers.enumerated() {
      switch layer.kind {
      case .lstm(let lstm):
        guard isDone.insert(lstm.weights).inserted else { continue }
        let weights = model.lstmWeights[lstm.weights]
        let group = Self.group(layer.name, lstm, weights)
        let found = try find(group, in: candidates[group.signature] ?? [])
        reference.lstmWeights[lstm.weights] = Self.replaced(weights, by: found[0].parts)
        settings.append((layer.name, lstm, found.compactMap(\.layer)))
      case .embedding(var embedding):
        embedding.weights = try stored(embedding.weights, of: layer.name, in: candidates)
        reference.layers[index].kind = .embedding(embedding)
      case .dense(var dense):
        dense.weights = try stored(dense.weights, of: layer.name, in: candidates)
        reference.layers[index].kind = .dense(dense)
      case .opaque: continue
      }
    }
    return reference
  }

  /// Compares the settings of LSTMs, for files that cannot be run whole.
  ///
  /// - Throws: `DiagnosticError` with code `exportDiffers` that names a layer.
  func compareSettings() throws(DiagnosticError) {
    for (name, own, others) in settings {
      let isThere = others.contains { other in
        other.directions == own.directions && other.clip == own.clip
          && other.couplesInputAndForget == own.couplesInputAndForget
          && Self.merge(other) == Self.merge(own)
      }
      if !isThere {
        throw DiagnosticError(
          .exportDiffers, object: name,
          "the file does not say the activations, direction, merge or clip that it has in the model",
          hint: "nothing was written; please report it")
      }
    }
  }

  /// Directions that are kept apart are joined by the connections, or side by side.
  private static func merge(_ layer: LSTMLayer) -> MergeMode? {
    layer.merge == .separate ? .concatenate : layer.merge
  }

  // MARK: - Groups

  private static func candidates(of model: Model) -> [String: [Group]] {
    var groups: [Group] = []
    for layer in model.layers {
      switch layer.kind {
      case .lstm(let lstm): groups.append(group(layer.name, lstm, model.lstmWeights[lstm.weights]))
      case .embedding(let embedding):
        groups.append(group(layer.name, embedding.weights.dequantized))
      case .dense(let dense): groups.append(group(layer.name, dense.weights.dequantized))
      case .opaque(let opaque):
        // A matrix that the file does not say to be one of these, either way round.
        for tensor in opaque.tensors where tensor.shape.count == 2 {
          guard let values = Tensor(tensor).floats else { continue }
          let matrix = Matrix(rows: tensor.shape[0], columns: tensor.shape[1], elements: values)
          groups += [group(layer.name, matrix), group(layer.name, matrix.transposed)]
        }
      }
    }
    return Dictionary(grouping: groups, by: \.signature)
  }

  private static func group(_ name: String, _ matrix: Matrix) -> Group {
    Group(
      name: name, signature: "\(matrix.rows) × \(matrix.columns)", parts: [matrix.elements],
      matrixCount: 1)
  }

  private static func group(_ name: String, _ layer: LSTMLayer, _ weights: LSTMWeights) -> Group {
    var matrices: [[Float]] = []
    var vectors: [[Float]] = []
    var magnitudes: [Int: [Float]] = [:]
    var signature =
      "LSTM \(weights.inputSize) → \(weights.hiddenSize) → \(weights.outputSize), \(weights.directions.count)"
    for direction in weights.directions {
      for gate in Gate.allCases {
        matrices.append(direction.inputWeights[gate].dequantized.elements)
        matrices.append(direction.recurrentWeights[gate].dequantized.elements)
      }
      if let projection = direction.projection {
        matrices.append(projection.dequantized.elements)
      }
      // One bias or two: their sum counts.
      let zeros = [Float](repeating: 0, count: weights.hiddenSize)
      for gate in Gate.allCases {
        let pair = (direction.bias?[gate] ?? zeros, direction.recurrentBias?[gate] ?? zeros)
        magnitudes[vectors.count] = zip(pair.0, pair.1).map { abs($0) + abs($1) }
        vectors.append(zip(pair.0, pair.1).map { $0 + $1 })
      }
      if let peepholes = direction.peepholes {
        signature += " with peepholes"
        vectors += [Gate.input, .forget, .output].map { peepholes[$0] }
      }
    }
    return Group(
      name: name, signature: signature, parts: matrices + vectors, matrixCount: matrices.count,
      magnitudes: Dictionary(
        uniqueKeysWithValues: magnitudes.map { ($0.key + matrices.count, $0.value) }),
      layer: layer)
  }

  /// The weights with the matrices of a group, and with its biases where they were rounded.
  private static func replaced(_ weights: LSTMWeights, by parts: [[Float]]) -> LSTMWeights {
    var weights = weights
    var next = 0
    func matrix(_ old: WeightMatrix) -> WeightMatrix {
      defer { next += 1 }
      return .dense(Matrix(rows: old.rows, columns: old.columns, elements: parts[next]))
    }
    for index in weights.directions.indices {
      for gate in Gate.allCases {
        let old = weights.directions[index]
        weights.directions[index].inputWeights[gate] = matrix(old.inputWeights[gate])
        weights.directions[index].recurrentWeights[gate] = matrix(old.recurrentWeights[gate])
      }
      weights.directions[index].projection = weights.directions[index].projection.map(matrix)
    }
    for index in weights.directions.indices {
      let own = weights.directions[index]
      let sums = parts[next..<next + Gate.allCases.count]
      next += Gate.allCases.count + (own.peepholes == nil ? 0 : Gate.allCases.count - 1)
      guard zip(Gate.allCases, sums).contains(where: { own.biasSum($0.0) != $0.1 }), own.hasBias
      else { continue }
      weights.directions[index].bias = PerGate { sums[sums.startIndex + $0.rawValue] }
      weights.directions[index].recurrentBias = nil
    }
    return weights
  }

  // MARK: - Elements

  private mutating func stored(
    _ matrix: WeightMatrix, of name: String, in candidates: [String: [Group]]
  ) throws(DiagnosticError) -> WeightMatrix {
    let group = Self.group(name, matrix.dequantized)
    let found = try find(group, in: candidates[group.signature] ?? [])
    return .dense(Matrix(rows: matrix.rows, columns: matrix.columns, elements: found[0].parts[0]))
  }

  /// The groups of the file with the numbers of a group of the model.
  private mutating func find(
    _ group: Group, in candidates: [Group]
  ) throws(DiagnosticError) -> [Group] {
    var found: [Group] = []
    var coarsest = Self.order.count
    for candidate in candidates {
      guard let rounding = Self.rounding(group, to: candidate) else { continue }
      // The closest first, of several that are the same but for rounding.
      if rounding < coarsest { found.insert(candidate, at: 0) } else { found.append(candidate) }
      coarsest = min(coarsest, rounding)
    }
    guard !found.isEmpty else {
      throw DiagnosticError(
        .exportDiffers, object: group.name,
        candidates.isEmpty
          ? "the file has no weights of its sizes (\(group.signature))"
          : "the file does not have its weights (\(group.signature)): "
            + "\(Self.difference(group, candidates))",
        hint: "nothing was written; please report it")
    }
    matrixCount += group.matrixCount
    if let index = Self.order.firstIndex(of: precision) {
      precision = Self.order[max(index, coarsest)]
    }
    return found
  }

  /// The types of files, the finest first.
  private static let order: [SourceTensor.ElementType] = [.float32, .float16, .bfloat16]

  /// The finest type to which the numbers of a group may have been rounded; `nil` when they are others.
  private static func rounding(_ group: Group, to other: Group) -> Int? {
    guard group.parts.count == other.parts.count else { return nil }
    // Two biases of a type make a sum that is not of it, so matrices tell the type of vectors, too.
    let matrices = other.parts.prefix(group.matrixCount)
    let ofVectors =
      order.indices.last { type in matrices.allSatisfy { isExact($0, as: order[type]) } } ?? 0
    var coarsest = 0
    for (index, parts) in zip(group.parts, other.parts).enumerated() {
      let known = index < group.matrixCount ? 0 : ofVectors
      guard
        let type = rounding(
          parts.0, to: parts.1, known: known, magnitudes: group.magnitudes[index])
      else { return nil }
      coarsest = max(coarsest, type)
    }
    return coarsest
  }

  /// The finest type to which numbers may have been rounded; `nil` when they are others.
  ///
  /// Codes times scales may be multiplied in another order: so twice half a unit in the last place is allowed, and in
  /// float32 what is nothing beside the largest number. What was rounded to 16 bits is a number of 16 bits: one weight
  /// that is wrong among others that are float32 does not pass for rounded.
  /// Up to the type `known` they may have been rounded whatever they are. `magnitudes` stand for the numbers themselves
  /// where they are sums of what was rounded.
  private static func rounding(
    _ own: [Float], to other: [Float], known: Int, magnitudes: [Float]?
  ) -> Int? {
    guard own.count == other.count else { return nil }
    if own == other { return 0 }
    let largest = own.reduce(Float(0)) { max($0, abs($1)) }
    let limits: [(relative: Float, absolute: Float)] = [
      (0, 1e-5 * largest), (0x1p-10, 0x1p-23), (0x1p-7, 0),
    ]
    return limits.indices.first { type in
      let (relative, absolute) = limits[type]
      return (type <= known || isExact(other, as: order[type]))
        && own.indices.allSatisfy { index in
          abs(own[index] - other[index])
            <= relative * (magnitudes?[index] ?? abs(own[index])) + absolute
        }
    }
  }

  /// Whether a type holds numbers as they are.
  private static func isExact(_ numbers: [Float], as type: SourceTensor.ElementType) -> Bool {
    switch type {
    case .float16: numbers.allSatisfy { Float(Float16($0)) == $0 }
    case .bfloat16: numbers.allSatisfy { $0.bitPattern & 0xFFFF == 0 }
    default: true
    }
  }

  /// What is nearest, for an error.
  private static func difference(_ group: Group, _ candidates: [Group]) -> String {
    let nearest = candidates.map { candidate -> (name: String, difference: Float) in
      let differences = zip(group.parts, candidate.parts).map { own, other in
        zip(own, other).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
      }
      return (candidate.name, differences.max() ?? 0)
    }.min { $0.difference < $1.difference }
    return nearest.map { "those of \($0.name) differ by up to \($0.difference)" }
      ?? "there are none"
  }
}
