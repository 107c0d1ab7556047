/// Where an initializer, or the value of a `Constant` node, went.
enum ONNXOwner {
  /// Into the weights of an LSTM.
  case lstm
  /// The matrix of an embedding or dense layer, as it is or transposed.
  case matrix(layer: Int, isTransposed: Bool)
  /// The bias of a dense layer.
  case bias(layer: Int)
  /// A tensor of an opaque layer.
  case tensor(layer: Int, index: Int)
}
