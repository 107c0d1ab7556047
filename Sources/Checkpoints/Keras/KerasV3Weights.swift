import Diagnostics
import HDF5

/// Weights as the v3 format stores them, in `.keras` archives and `.weights.h5` files: paths made of
/// class names in order of appearance, `layers/lstm_1/cell/vars/0`; what a class of the user's holds
/// stands under the names of its attributes, `encoder/vars/0`.
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
      try appendLayers(of: "/", prefix: "", depth: 0, to: &sources)
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

  /// The layers of a weights-only file in a group, and those in the models and blocks in it.
  ///
  /// `isOfClasses`: whether the groups are named for the classes of layers, not for the attributes
  /// that hold them.
  private func appendUnknown(
    at group: String, prefix: String, isOfClasses: Bool, depth: Int,
    to sources: inout [KerasLayerSource]
  ) throws(DiagnosticError) {
    guard depth < HDF5File.Limit.depth else {
      throw DiagnosticError(
        .limitExceeded, object: group, "models are nested deeper than \(depth) levels")
    }
    let groups = try file.members(of: group).filter {
      $0.kind == .group && !Self.names.contains($0.name) && !Self.notLayers.contains($0.name)
    }.sorted { NaturalOrder($0.name) < NaturalOrder($1.name) }
    for member in groups {
      let path = HDF5File.join(group, member.name)
      let givenName = try givenName(of: path)
      let name = prefix + (givenName ?? member.name)
      // Of a layer in an attribute the class is not written down; Keras names layers for it.
      let className =
        KerasClassNames.className(of: isOfClasses ? member.name : givenName ?? member.name)
      if className == nil, try isBlock(path) {
        let own = try tensors(in: HDF5File.join(path, "vars"), below: path)
        if !own.isEmpty { sources.append(KerasLayerSource(name: name, tensors: own)) }
        try appendLayers(of: path, prefix: name + "/", depth: depth + 1, to: &sources)
      } else {
        sources.append(
          KerasLayerSource(name: name, className: className, tensors: try tensors(below: path)))
      }
    }
  }

  /// The layers of a model or a block: those in a list, and those in attributes of their own.
  private func appendLayers(
    of path: String, prefix: String, depth: Int, to sources: inout [KerasLayerSource]
  ) throws(DiagnosticError) {
    if let below = try layersGroup(in: path) {
      try appendUnknown(
        at: below, prefix: prefix, isOfClasses: true, depth: depth, to: &sources)
    }
    try appendUnknown(
      at: path, prefix: prefix, isOfClasses: false, depth: depth, to: &sources)
  }

  /// Groups beside layers that hold none.
  private static let notLayers: Set<String> = ["vars", "optimizer", "seed_generator"]
  /// The groups in a layer that is recurrent or wraps another.
  private static let partsOfLayers: Set<String> = [
    "cell", "layer", "forward_layer", "backward_layer",
  ]

  /// Whether a group is a model, or a layer of the user's that has layers in it.
  private func isBlock(_ path: String) throws(DiagnosticError) -> Bool {
    if try layersGroup(in: path) != nil { return true }
    let groups = try file.members(of: path).filter {
      $0.kind == .group && !Self.notLayers.contains($0.name)
    }
    return !groups.isEmpty && !groups.contains { Self.partsOfLayers.contains($0.name) }
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
    try tensors(in: path, below: path)
  }

  /// The datasets in a group, named from another one around it.
  private func tensors(
    in group: String, below path: String
  ) throws(DiagnosticError) -> [KerasTensorPlace] {
    guard try file.kind(of: group) == .group else { return [] }
    // Variables are numbered; some writers store them in another order.
    return try file.datasets(below: group).map {
      KerasTensorPlace(path: $0, name: String($0.dropFirst(path.count + 1)))
    }.sorted { a, b in
      if a.parent == b.parent, let x = Int(a.leaf), let y = Int(b.leaf) { return x < y }
      return NaturalOrder(a.name) < NaturalOrder(b.name)
    }
  }
}
