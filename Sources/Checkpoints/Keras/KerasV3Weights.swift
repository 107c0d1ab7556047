import Diagnostics
import HDF5

/// Weights as the v3 format stores them, in `.keras` archives and `.weights.h5` files: paths made of
/// class names in order of appearance, `layers/lstm_1/cell/vars/0`.
struct KerasV3Weights {
  let file: HDF5Store
  /// `/layers`, or `/_layer_checkpoint_dependencies` in older files.
  let base: String

  private static let names = ["layers", "_layer_checkpoint_dependencies"]

  /// Finds the weights in a file; `nil` when it has none in this form.
  init?(_ file: HDF5Store) throws(DiagnosticError) {
    for name in Self.names where try file.kind(of: "/" + name) == .group {
      self.file = file
      self.base = "/" + name
      return
    }
    return nil
  }

  /// The layers in order.
  ///
  /// - Parameter config: The model's config, if there is one.
  /// - Returns: Each layer with the places of its weights.
  /// - Throws: `DiagnosticError` for groups and datasets that are listed and not there.
  func layers(config: KerasConfig?) throws(DiagnosticError) -> [KerasLayerSource] {
    var sources: [KerasLayerSource] = []
    if let layers = config?.layers {
      try append(layers, at: base, prefix: "", to: &sources)
    } else {
      try appendUnknown(at: base, prefix: "", depth: 0, to: &sources)
    }
    return sources
  }

  private func append(
    _ layers: [KerasConfig], at group: String, prefix: String,
    to sources: inout [KerasLayerSource]
  ) throws(DiagnosticError) {
    var counts: [String: Int] = [:]
    for layer in layers {
      let snake = KerasConfig.snakeCase(layer.className)
      let count = counts[snake, default: 0]
      counts[snake] = count + 1
      let path = HDF5File.join(group, count == 0 ? snake : "\(snake)_\(count)")
      let name = prefix + layer.name
      if let inner = layer.layers, let below = try layersGroup(in: path) {
        try append(inner, at: below, prefix: name + "/", to: &sources)
      } else {
        sources.append(
          KerasLayerSource(name: name, config: layer, tensors: try tensors(below: path)))
      }
    }
  }

  private func appendUnknown(
    at group: String, prefix: String, depth: Int, to sources: inout [KerasLayerSource]
  ) throws(DiagnosticError) {
    guard depth < HDF5File.Limit.depth else {
      throw DiagnosticError(
        .limitExceeded, object: group, "models are nested deeper than \(depth) levels")
    }
    for member in try file.members(of: group) where member.kind == .group {
      let path = HDF5File.join(group, member.name)
      let name = prefix + (try givenName(of: path) ?? member.name)
      if let below = try layersGroup(in: path) {
        try appendUnknown(at: below, prefix: name + "/", depth: depth + 1, to: &sources)
      } else {
        sources.append(
          KerasLayerSource(name: name, config: nil, tensors: try tensors(below: path)))
      }
    }
  }

  /// The name that the user gave to a layer, which Keras 3 notes beside its variables.
  private func givenName(of path: String) throws(DiagnosticError) -> String? {
    let variables = HDF5File.join(path, "vars")
    guard try file.kind(of: variables) == .group else { return nil }
    return try file.string(ofAttribute: "name", at: variables)
  }

  private func layersGroup(in path: String) throws(DiagnosticError) -> String? {
    for name in Self.names {
      let group = HDF5File.join(path, name)
      if try file.kind(of: group) == .group { return group }
    }
    return nil
  }

  private func tensors(below path: String) throws(DiagnosticError) -> [KerasTensorPlace] {
    guard try file.kind(of: path) == .group else { return [] }
    // Variables are numbered; some writers store them in another order.
    return try file.datasets(below: path).map {
      KerasTensorPlace(path: $0, name: String($0.dropFirst(path.count + 1)))
    }.sorted { a, b in
      if a.parent == b.parent, let x = Int(a.leaf), let y = Int(b.leaf) { return x < y }
      return NaturalOrder(a.name) < NaturalOrder(b.name)
    }
  }
}
