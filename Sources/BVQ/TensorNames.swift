internal import LSTMCore

/// The names of tensors in the file.
///
/// A name is a layer's name, a slash and one of the suffixes below. Layer names are unique and may
/// hold slashes themselves. No suffix ends with a slash and another suffix, so two tensors never
/// get the same name.
enum TensorNames {
  /// A matrix: `lstm_1/forward/input/forget`, `dense_1/dense`.
  static func matrix(_ path: MatrixPath) -> String { path.description }
  /// The left factor of a matrix.
  static func left(_ path: MatrixPath) -> String { "\(path)/left" }
  /// The right factor of a matrix.
  static func right(_ path: MatrixPath) -> String { "\(path)/right" }
  /// The biases of one direction, `[4, hiddenSize]`.
  static func bias(_ layer: String, _ direction: Direction) -> String {
    "\(layer)/\(direction.rawValue)/bias"
  }
  /// The second biases of one direction, `[4, hiddenSize]`.
  static func recurrentBias(_ layer: String, _ direction: Direction) -> String {
    "\(layer)/\(direction.rawValue)/recurrentBias"
  }
  /// The peepholes of one direction, `[3, hiddenSize]`: input, forget, output.
  static func peepholes(_ layer: String, _ direction: Direction) -> String {
    "\(layer)/\(direction.rawValue)/peepholes"
  }
  /// The projection of one direction, `[outputSize, hiddenSize]`.
  static func projection(_ layer: String, _ direction: Direction) -> MatrixPath {
    MatrixPath(layer: layer, role: .projection, direction: direction)
  }
  /// The bias of a dense layer, `[1, outputs]`.
  static func denseBias(_ layer: String) -> String { "\(layer)/dense/bias" }
  /// A tensor of an opaque layer, by its place.
  static func opaque(_ layer: String, _ index: Int) -> String { "\(layer)/tensor/\(index)" }

  /// A tensor of a self-test: its inputs, then what it expects.
  static func selfTest(_ test: Int, _ index: Int) -> String { "selfTest/\(test)/\(index)" }

  /// The gates that have peepholes, in the order of the file.
  static let peepholeGates: [Gate] = [.input, .forget, .output]
}
