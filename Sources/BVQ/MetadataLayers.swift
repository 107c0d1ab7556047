internal import Diagnostics
internal import LSTMCore

/// Reads what the metadata say of layers.
enum MetadataLayers {
  /// An LSTM layer.
  static func lstm(_ cursor: MetadataCursor) throws(DiagnosticError) -> LSTMLayer {
    var directions: [DirectionSettings] = []
    for direction in try cursor.required("directions").elements {
      directions.append(
        DirectionSettings(
          direction: try direction.required("direction").choice(),
          keepsComputedOrder: try direction.optional("keepsComputedOrder")?.bool ?? false,
          gateActivation: try activation(direction.required("gateActivation")),
          cellActivation: try activation(direction.required("cellActivation")),
          outputActivation: try activation(direction.required("outputActivation"))))
    }
    guard (1...2).contains(directions.count) else {
      throw cursor.error("has \(directions.count) directions; an LSTM has one or two")
    }
    guard directions.count == 1 || directions[0].direction != directions[1].direction else {
      throw cursor.error("has the direction \(directions[0].direction.rawValue) twice")
    }
    let merge: MergeMode? = try cursor.optional("merge")?.choice()
    guard (merge != nil) == (directions.count == 2) else {
      throw cursor.error("needs 'merge' for two directions, and only for two")
    }
    return LSTMLayer(
      weights: try cursor.required("weights").size, directions: directions, merge: merge,
      clip: try cursor.optional("clip")?.float,
      couplesInputAndForget: try cursor.optional("couplesInputAndForget")?.bool ?? false,
      sourceGateOrder: try cursor.required("sourceGateOrder").string)
  }

  /// An activation with its constants.
  static func activation(_ cursor: MetadataCursor) throws(DiagnosticError) -> Activation {
    Activation(
      try cursor.required("function").choice(), alpha: try cursor.optional("alpha")?.float,
      beta: try cursor.optional("beta")?.float,
      sourceName: try cursor.optional("sourceName")?.string)
  }

  /// The names and shapes of an opaque layer's tensors.
  static func opaqueTensors(
    _ cursor: MetadataCursor
  ) throws(DiagnosticError) -> [(name: String, shape: [Int])] {
    var tensors: [(name: String, shape: [Int])] = []
    for tensor in try cursor.required("tensors").elements {
      let sizes = try sizes(tensor.required("shape"))
      tensors.append((name: try tensor.required("name").string, shape: sizes))
    }
    return tensors
  }

  /// A shape whose elements can be counted.
  static func sizes(_ shape: MetadataCursor) throws(DiagnosticError) -> [Int] {
    var sizes: [Int] = []
    for size in try shape.elements { sizes.append(try size.size) }
    guard sizes.count <= BVQFormat.maximumShapeRank else {
      throw shape.error(
        "has \(sizes.count) sizes, above the limit of \(BVQFormat.maximumShapeRank)")
    }
    do throws(DiagnosticError) {
      _ = try checkedProduct(sizes, limit: BVQFormat.maximumElementCount, of: "a tensor")
    } catch { throw shape.error(error.problem) }
    return sizes
  }
}
