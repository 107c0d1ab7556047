public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// A layer, or a path through the graph, that lstmpack cannot run.
  public static let notRunnable = Self("runtime.notRunnable", .malformedInput)
  /// Data that do not fit the model.
  public static let badData = Self("runtime.badData", .malformedInput)
}

/// An LSTM layer ready to run: its matrices as they are stored, packed, factored or dense.
public struct PreparedLSTM: Sendable {
  /// The number of features of the input.
  public let inputSize: Int
  /// The number of units of one direction.
  public let hiddenSize: Int
  /// The number of outputs of one direction: that of units, or of a projection's rows.
  public let outputSize: Int
  /// How the layer runs.
  public let layer: LSTMLayer

  let directions: [PreparedDirection]

  /// The bytes of the prepared matrices.
  public var byteCount: Int {
    directions.reduce(0) {
      $0 + $1.input.byteCount + $1.recurrent.byteCount + ($1.projection?.byteCount ?? 0)
    }
  }

  /// Prepares a layer.
  ///
  /// - Parameters:
  ///   - layer: How it runs.
  ///   - weights: Its weights, with as many directions.
  ///   - options: How products are computed.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for an activation that lstmpack does not
  ///   know.
  public init(
    layer: LSTMLayer, weights: LSTMWeights, options: KernelOptions = KernelOptions()
  ) throws(DiagnosticError) {
    inputSize = weights.inputSize
    hiddenSize = weights.hiddenSize
    outputSize = weights.outputSize
    self.layer = layer
    for settings in layer.directions {
      for activation in [
        settings.gateActivation, settings.cellActivation, settings.outputActivation,
      ] where !activation.isKnown {
        throw DiagnosticError(
          .notRunnable, "has the activation '\(activation)', which lstmpack does not know",
          hint: "the activations it knows are "
            + Activation.Function.allCases.filter { $0 != .unknown }.map(\.rawValue)
            .joined(separator: ", "))
      }
    }
    directions = zip(layer.directions, weights.directions).map {
      PreparedDirection(
        settings: $0, weights: $1, hiddenSize: weights.hiddenSize, options: options)
    }
  }
}

/// One direction of a prepared LSTM.
struct PreparedDirection: Sendable {
  let settings: DirectionSettings
  /// `[4 · hiddenSize, inputSize]`, gates in canonical order.
  let input: any LinearMap
  /// `[4 · hiddenSize, outputSize]`.
  let recurrent: any LinearMap
  /// Both biases together, `[4 · hiddenSize]`.
  let bias: [Float]
  let peepholes: PerGate<[Float]>?
  /// `[outputSize, hiddenSize]`.
  let projection: (any LinearMap)?

  init(
    settings: DirectionSettings, weights: DirectionWeights, hiddenSize: Int,
    options: KernelOptions
  ) {
    self.settings = settings
    input = LinearMaps.stack(Gate.allCases.map { weights.inputWeights[$0] }, options)
    recurrent = LinearMaps.stack(Gate.allCases.map { weights.recurrentWeights[$0] }, options)
    var bias = [Float](repeating: 0, count: 4 * hiddenSize)
    for vectors in [weights.bias, weights.recurrentBias] {
      guard let vectors else { continue }
      for (index, value) in Gate.allCases.flatMap({ vectors[$0] }).enumerated() {
        bias[index] += value
      }
    }
    self.bias = bias
    peepholes = weights.peepholes
    projection = weights.projection.map { LinearMaps.map($0, options) }
  }
}
