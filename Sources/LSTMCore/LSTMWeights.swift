/// The weights of one LSTM, in canonical layout, whatever file they came from.
///
/// Several layers of a model may use one set (`Model.lstmWeights`).
public struct LSTMWeights: Equatable, Sendable {
  /// The number of features of the input, I.
  public var inputSize: Int
  /// The number of units, H.
  public var hiddenSize: Int
  /// The number of outputs, P: that of units unless the LSTM has a projection (PyTorch `proj_size`).
  public var outputSize: Int
  /// One or two sets of matrices: two for a bidirectional LSTM, forward first.
  public var directions: [DirectionWeights]

  /// Creates a set of weights.
  ///
  /// - Precondition: Every matrix and vector has the shape its documentation gives, and there are
  ///   one or two directions. Importers check shapes and throw before they come here.
  public init(
    inputSize: Int, hiddenSize: Int, outputSize: Int? = nil, directions: [DirectionWeights]
  ) {
    let outputSize = outputSize ?? hiddenSize
    precondition((1...2).contains(directions.count), "An LSTM has one or two directions")
    for direction in directions {
      for gate in Gate.allCases {
        precondition(
          direction.inputWeights[gate].rows == hiddenSize
            && direction.inputWeights[gate].columns == inputSize
            && direction.recurrentWeights[gate].rows == hiddenSize
            && direction.recurrentWeights[gate].columns == outputSize,
          "Gate matrices must be [hiddenSize, inputSize] and [hiddenSize, outputSize]")
      }
      precondition(
        direction.projection.map { $0.rows == outputSize && $0.columns == hiddenSize }
          ?? (outputSize == hiddenSize), "A projection must be [outputSize, hiddenSize]")
    }
    self.inputSize = inputSize
    self.hiddenSize = hiddenSize
    self.outputSize = outputSize
    self.directions = directions
  }
}

/// The weights of one direction of an LSTM.
public struct DirectionWeights: Equatable, Sendable {
  /// Per gate `[hiddenSize, inputSize]`; Keras `kernel`, ONNX `W`, PyTorch `weight_ih`.
  public var inputWeights: PerGate<WeightMatrix>
  /// Per gate `[hiddenSize, outputSize]`; Keras `recurrent_kernel`, ONNX `R`, PyTorch `weight_hh`.
  public var recurrentWeights: PerGate<WeightMatrix>
  /// Per gate `[hiddenSize]`; `nil` when the source has no bias.
  public var bias: PerGate<[Float]>?
  /// The second bias of sources that have two (ONNX `Rb`, PyTorch `bias_hh`, CuDNN).
  ///
  /// Per gate `[hiddenSize]`. The cell adds both; they are kept apart so that an export is
  /// bit-equal.
  public var recurrentBias: PerGate<[Float]>?
  /// Per gate `[hiddenSize]`, without the cell gate (its vector is empty); `nil` without peepholes.
  public var peepholes: PerGate<[Float]>?
  /// What makes the output of o ⊙ h(c), `[outputSize, hiddenSize]`; PyTorch `weight_hr`.
  ///
  /// `nil` without a projection.
  public var projection: WeightMatrix?

  /// Creates the weights of one direction.
  public init(
    inputWeights: PerGate<WeightMatrix>, recurrentWeights: PerGate<WeightMatrix>,
    bias: PerGate<[Float]>? = nil, recurrentBias: PerGate<[Float]>? = nil,
    peepholes: PerGate<[Float]>? = nil, projection: WeightMatrix? = nil
  ) {
    self.inputWeights = inputWeights
    self.recurrentWeights = recurrentWeights
    self.bias = bias
    self.recurrentBias = recurrentBias
    self.peepholes = peepholes
    self.projection = projection
  }
}

extension DirectionWeights {
  /// Whether the source has a bias.
  public var hasBias: Bool { bias != nil || recurrentBias != nil }

  /// Both biases of a gate together, `[hiddenSize]`; empty without any.
  public func biasSum(_ gate: Gate) -> [Float] {
    guard let bias else { return recurrentBias?[gate] ?? [] }
    guard let recurrentBias else { return bias[gate] }
    return zip(bias[gate], recurrentBias[gate]).map(+)
  }

  /// Changes the first of the biases that there are, so that both together are a new sum; nothing without a bias.
  ///
  /// - Parameters:
  ///   - gate: The gate.
  ///   - sum: `[hiddenSize]`.
  public mutating func setBiasSum(_ gate: Gate, to sum: [Float]) {
    if var own = bias {
      let other = recurrentBias?[gate]
      own[gate] = sum.enumerated().map { $0.element - (other?[$0.offset] ?? 0) }
      bias = own
    } else {
      recurrentBias?[gate] = sum
    }
  }
}

extension LSTMWeights {
  /// Both biases of each direction, without the matrices.
  public var biases: [[PerGate<[Float]>?]] { directions.map { [$0.bias, $0.recurrentBias] } }
}
