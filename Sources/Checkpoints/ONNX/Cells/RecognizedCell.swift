import LSTMCore
import ONNXProto

/// An LSTM cell that was found in a graph and proved.
struct RecognizedCell {
  /// What it is made of.
  let skeleton: CellSkeleton
  /// The input and the output before.
  let input: ONNXValueID
  let output: ONNXValueID
  /// The weights with the settings; the index of the weights is not set.
  let weights: LSTMWeights
  let layer: LSTMLayer
  /// Where each gate's matrices are.
  let inputPlaces: PerGate<MatrixPart>
  let recurrentPlaces: PerGate<MatrixPart>
  /// Where a constant that is added to each gate stands; `nil` for a gate without one in the file.
  let biasPlaces: PerGate<AffineForm.Place?>
  /// The values between input and new state; nobody else needs them.
  let interior: Set<ONNXValueID>
  /// The initializers that are weights of it.
  let usedInitializers: Set<String>
  /// What was assumed.
  let warning: String?

  /// A part of a matrix that a node multiplies by.
  struct MatrixPart {
    let matrix: ONNXMatrixInput
    let outputs: Range<Int>
    let inputs: Range<Int>

    /// As `[outputs, inputs]`.
    var values: Matrix { matrix.part(outputs: outputs, inputs: inputs) }

    /// Whether both are the same part of the same matrix.
    func isSame(as other: MatrixPart) -> Bool {
      matrix === other.matrix && outputs == other.outputs && inputs == other.inputs
    }
  }

  /// Whether two cells are steps of one layer: they use the same weights in the same way.
  func isStep(ofSameLayerAs other: RecognizedCell) -> Bool {
    layer == other.layer && weights.inputSize == other.weights.inputSize
      && Gate.allCases.allSatisfy {
        inputPlaces[$0].isSame(as: other.inputPlaces[$0])
          && recurrentPlaces[$0].isSame(as: other.recurrentPlaces[$0])
      } && weights.directions[0].bias == other.weights.directions[0].bias
      && weights.directions[0].recurrentBias == other.weights.directions[0].recurrentBias
  }
}
