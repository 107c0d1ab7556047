internal import Diagnostics
internal import LSTMCore
internal import OrderedJSON

/// Self-tests in the metadata, both ways; their elements are tensors of the file.
enum SelfTestMetadata {
  /// A tensor of a self-test that is known by its place in the table.
  struct PlannedTensor {
    var name: String
    var shape: [Int]
    var tensor: Int
  }

  /// A self-test whose tensors are known by their places in the table.
  struct Plan {
    var layer: String?
    var inputs: [PlannedTensor]
    var expected: PlannedTensor
    var tolerance: Float

    /// The places of its tensors.
    var tensors: [Int] { (inputs + [expected]).map(\.tensor) }
  }

  /// The JSON of a self-test.
  static func json(of test: SelfTest) -> JSONValue {
    var object = JSONObject()
    object["layer"] = test.layer.map { .string($0) }
    object["inputs"] = .array(test.inputs.map(json))
    object["expected"] = json(of: test.expected)
    object["tolerance"] = JSONValue(test.tolerance)
    return .object(object)
  }

  private static func json(of tensor: SelfTest.Named) -> JSONValue {
    [
      "name": .string(tensor.name),
      "shape": .array(tensor.tensor.dims.map { .integer($0) }),
    ]
  }

  /// Reads a self-test and finds its tensors: `selfTest/<test>/<input>`, the expected one last.
  ///
  /// - Throws: ``DiagnosticError`` with code `bvqMetadata` or `bvqTensor`.
  static func plan(
    _ cursor: MetadataCursor, index: Int, _ finder: TensorFinder
  ) throws(DiagnosticError) -> Plan {
    var tensors: [PlannedTensor] = []
    let cursors = try cursor.required("inputs").elements + [cursor.required("expected")]
    for (position, cursor) in cursors.enumerated() {
      let shape = try cursor.required("shape")
      let sizes = try MetadataLayers.sizes(shape)
      tensors.append(
        PlannedTensor(
          name: try cursor.required("name").string, shape: sizes,
          tensor: try finder.selfTest(
            TensorNames.selfTest(index, position), count: sizes.reduce(1, *))))
    }
    return Plan(
      layer: try cursor.optional("layer")?.string, inputs: Array(tensors.dropLast()),
      expected: tensors[tensors.count - 1], tolerance: try cursor.required("tolerance").float)
  }
}

extension SelfTestMetadata.Plan {
  /// Loads the tensors.
  ///
  /// - Throws: ``DiagnosticError`` when elements are not numbers of a self-test.
  func load(_ tensors: LoadedTensors) throws(DiagnosticError) -> SelfTest {
    var named: [SelfTest.Named] = []
    for planned in inputs + [expected] {
      let record = tensors.records[planned.tensor]
      guard case .raw(let type) = record.storage,
        case .bytes(let bytes) = tensors.contents[planned.tensor]
      else { throw record.error("is not a raw tensor") }
      named.append(
        SelfTest.Named(
          name: planned.name,
          tensor: Tensor(
            SourceTensor(
              name: planned.name, shape: planned.shape, elementType: type, bytes: bytes))))
    }
    return SelfTest(
      layer: layer, inputs: Array(named.dropLast()), expected: named[named.count - 1],
      tolerance: tolerance)
  }
}
