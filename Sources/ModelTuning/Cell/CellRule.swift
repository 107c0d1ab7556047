package import LSTMCore

/// What a cell does besides its products: activations, clip, peepholes, coupled gates.
package struct CellRule: Sendable {
  let gate: CellFunction
  let cell: CellFunction
  let output: CellFunction
  /// Pre-activations are limited to ± this.
  let clip: Float?
  /// Whether f = 1 − i.
  let couplesInputAndForget: Bool
  /// Per gate `[units]`; the cell gate's vector is empty.
  let peepholes: PerGate<[Float]>?

  package init(_ layer: LSTMLayer, direction: Int, weights: DirectionWeights) {
    let settings = layer.directions[direction]
    gate = CellFunction(activation: settings.gateActivation)
    cell = CellFunction(activation: settings.cellActivation)
    output = CellFunction(activation: settings.outputActivation)
    clip = layer.clip.flatMap { $0 > 0 ? $0 : nil }
    couplesInputAndForget = layer.couplesInputAndForget
    peepholes = weights.peepholes
  }

  /// Whether pre-activations are kept: slopes or the clip need them.
  var keepsRawGates: Bool {
    clip != nil || !gate.givesSlopesByValue || !cell.givesSlopesByValue
  }

  /// Why gradients do not go through it; `nil` when they do.
  var obstacle: String? {
    for function in [gate, cell, output]
    where [.softmax, .unknown].contains(function.activation.function) {
      return "gradients do not go through the activation \(function.activation)"
    }
    return nil
  }
}
