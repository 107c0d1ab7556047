/// The name of one compressible matrix of a model: `lstm_1/forward/recurrent/forget`,
/// `embedding_1/embedding`, `dense_1/dense`.
public struct MatrixPath: Hashable, Sendable, CustomStringConvertible {
  /// What a matrix multiplies.
  public enum Role: String, CaseIterable, Hashable, Sendable, CustomStringConvertible {
    /// The input of an LSTM.
    case input
    /// The previous output of an LSTM.
    case recurrent
    /// What the cell of an LSTM gives, to make its output.
    case projection
    /// A token (the row is looked up).
    case embedding
    /// The input of a dense layer.
    case dense

    /// The name in paths and options.
    public var description: String { rawValue }
  }

  /// The first layer that uses the matrix.
  public let layer: String
  /// What the matrix multiplies.
  public let role: Role
  /// The direction, for LSTM matrices.
  public let direction: Direction?
  /// The gate, for LSTM matrices.
  public let gate: Gate?

  /// Creates a path.
  public init(layer: String, role: Role, direction: Direction? = nil, gate: Gate? = nil) {
    self.layer = layer
    self.role = role
    self.direction = direction
    self.gate = gate
  }

  /// Whether the matrix belongs to an LSTM.
  public var isLSTM: Bool { direction != nil }

  /// The parts joined by slashes.
  public var description: String {
    [layer, direction?.rawValue, role.rawValue, gate?.description]
      .compactMap { $0 }.joined(separator: "/")
  }
}

extension Model {
  /// Where the weights of an LSTM matrix lie.
  ///
  /// - Parameter path: A path of ``matrices``.
  /// - Returns: The index of the set in ``lstmWeights`` and of the direction in it; `nil` for other matrices.
  public func lstmDirection(of path: MatrixPath) -> (weights: Int, direction: Int)? {
    for layer in layers where layer.name == path.layer {
      guard case .lstm(let lstm) = layer.kind,
        let index = lstm.directions.firstIndex(where: { $0.direction == path.direction })
      else { continue }
      return (lstm.weights, index)
    }
    return nil
  }

  /// Every matrix that lstmpack can compress, each once, in the order of the layers; of an LSTM by
  /// direction, input before recurrent, gates in canonical order, then the projection.
  public var matrices: [(path: MatrixPath, matrix: WeightMatrix)] {
    var result: [(path: MatrixPath, matrix: WeightMatrix)] = []
    var copy = self
    copy.updateMatrices { path, matrix in result.append((path, matrix)) }
    return result
  }

  /// Replaces every matrix, in the order of ``matrices``.
  ///
  /// The matrix is handed over by reference, so that a large one is freed as soon as `body`
  /// replaces it.
  public mutating func updateMatrices<Failure>(
    _ body: (MatrixPath, inout WeightMatrix) throws(Failure) -> Void
  ) throws(Failure) {
    var seen: Set<Int> = []
    for index in layers.indices {
      let name = layers[index].name
      switch layers[index].kind {
      case .lstm(let layer):
        guard seen.insert(layer.weights).inserted else { continue }
        for d in layer.directions.indices {
          let direction = layer.directions[d].direction
          for gate in Gate.allCases {
            let path = MatrixPath(layer: name, role: .input, direction: direction, gate: gate)
            try body(path, &lstmWeights[layer.weights].directions[d].inputWeights[gate])
          }
          for gate in Gate.allCases {
            let path = MatrixPath(layer: name, role: .recurrent, direction: direction, gate: gate)
            try body(path, &lstmWeights[layer.weights].directions[d].recurrentWeights[gate])
          }
          guard var projection = lstmWeights[layer.weights].directions[d].projection else {
            continue
          }
          lstmWeights[layer.weights].directions[d].projection = nil
          defer { lstmWeights[layer.weights].directions[d].projection = projection }
          try body(
            MatrixPath(layer: name, role: .projection, direction: direction), &projection)
        }
      case .embedding(var layer):
        layers[index].kind = .opaque(OpaqueLayer())
        defer { layers[index].kind = .embedding(layer) }
        try body(MatrixPath(layer: name, role: .embedding), &layer.weights)
      case .dense(var layer):
        layers[index].kind = .opaque(OpaqueLayer())
        defer { layers[index].kind = .dense(layer) }
        try body(MatrixPath(layer: name, role: .dense), &layer.weights)
      case .opaque: continue
      }
    }
  }
}
