import Diagnostics
import HDF5

/// Weights as Keras 1 and 2, and Keras 3 in `.h5`, store them: a group for each layer, with lists of
/// names in attributes.
struct KerasLegacyWeights {
  let file: HDF5Store
  /// The group that has `layer_names`.
  let base: String

  /// Finds the weights in a file; `nil` when it has none in this form.
  init?(_ file: HDF5Store) throws(DiagnosticError) {
    self.file = file
    if try file.kind(of: "/model_weights") == .group {
      base = "/model_weights"
    } else if try file.strings(ofAttribute: "layer_names", at: "/") != nil {
      base = "/"
    } else {
      return nil
    }
  }

  /// The layers in order.
  ///
  /// - Parameter config: The model's config, if the file has one.
  /// - Returns: Each layer with the places of its weights.
  /// - Throws: `DiagnosticError` for groups and datasets that are listed and not there.
  func layers(config: KerasConfig?) throws(DiagnosticError) -> [KerasLayerSource] {
    guard let names = try file.strings(ofAttribute: "layer_names", at: base) else {
      throw DiagnosticError(
        .malformedCheckpoint, object: base, "has no attribute 'layer_names', which lists the layers"
      )
    }
    var sources: [KerasLayerSource] = []
    let known = Set(names)
    // The config has every layer, in order; names that it does not have follow.
    for layer in config?.layers ?? [] {
      let tensors = known.contains(layer.name) ? try tensors(ofLayer: layer.name) : []
      try append(layer, name: layer.name, tensors: tensors, to: &sources)
    }
    let configured = Set((config?.layers ?? []).map(\.name))
    for name in names where !configured.contains(name) {
      try append(nil, name: name, tensors: try tensors(ofLayer: name), to: &sources)
    }
    return sources
  }

  private func tensors(ofLayer name: String) throws(DiagnosticError) -> [KerasTensorPlace] {
    let group = HDF5File.join(base, name)
    guard try file.kind(of: group) == .group else {
      throw DiagnosticError(
        .malformedCheckpoint, object: group,
        "is listed in 'layer_names' but there is no such group")
    }
    guard let weights = try file.strings(ofAttribute: "weight_names", at: group) else {
      throw DiagnosticError(
        .malformedCheckpoint, object: group,
        "has no attribute 'weight_names', which lists its weights")
    }
    var places: [KerasTensorPlace] = []
    for weight in weights {
      let path = HDF5File.join(group, weight)
      guard try file.kind(of: path) == .dataset else {
        throw DiagnosticError(
          .malformedCheckpoint, object: path,
          "is listed in 'weight_names' but there is no such dataset")
      }
      places.append(KerasTensorPlace(path: path, name: weight))
    }
    return places
  }

  /// Adds a layer, or the layers of a nested model, whose weights stand together in its group.
  private func append(
    _ config: KerasConfig?, name: String, tensors: [KerasTensorPlace],
    to sources: inout [KerasLayerSource]
  ) throws(DiagnosticError) {
    guard let inner = config?.layers else {
      sources.append(KerasLayerSource(name: name, config: config, tensors: tensors))
      return
    }
    var rest = tensors
    for layer in inner {
      // tf_keras leaves the names of inner models out.
      let names = layer.namesWithin
      let belongs = { (place: KerasTensorPlace) in
        names.contains { name in
          place.components.dropLast().contains(Substring(name))
            || place.leaf.hasPrefix(name + "_")
        }
      }
      try append(
        layer, name: "\(name)/\(layer.name)", tensors: rest.filter(belongs), to: &sources)
      rest.removeAll(where: belongs)
    }
    if !rest.isEmpty {
      sources.append(KerasLayerSource(name: name, config: nil, tensors: rest))
    }
  }
}

extension KerasConfig {
  /// Its name and those of the layers in it.
  fileprivate var namesWithin: [String] { [name] + (layers ?? []).flatMap(\.namesWithin) }
}
