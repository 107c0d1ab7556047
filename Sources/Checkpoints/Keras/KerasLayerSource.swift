import Diagnostics
import HDF5

/// A layer of a Keras file before it is understood: its config, if any, and where its weights are.
struct KerasLayerSource {
  /// Its name, with the names of the models around it: `encoder/lstm_1`.
  var name: String
  /// Its config; `nil` in a weights-only file.
  var config: KerasConfig?
  /// Its class as a weights-only file tells it; `nil` when that does not.
  var className: String?
  /// Its weights in the order of the file.
  var tensors: [KerasTensorPlace]
}

/// Where a weight is.
struct KerasTensorPlace {
  /// Its path in the HDF5 file.
  let path: String
  /// Its name below the layer, without the `:0` of TensorFlow: `lstm_1/kernel`, `cell/vars/0`.
  let name: String

  init(path: String, name: String) {
    self.path = path
    self.name = name.hasSuffix(":0") ? String(name.dropLast(2)) : name
  }

  /// The parts of the name.
  var components: [Substring] { name.split(separator: "/") }
  /// The last part of the name.
  var leaf: String { components.last.map(String.init) ?? "" }
  /// The name without its last part.
  var parent: String { components.dropLast().joined(separator: "/") }
}
