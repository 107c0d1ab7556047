internal import Diagnostics
internal import LSTMCore
internal import OrderedJSON

/// Finds tensors by name and checks that they have the kind and shape that the metadata ask for.
struct TensorFinder {
  private let tensors: [BVQTensor]
  private var positions: [String: Int]
  private var isUsed: [Bool]
  /// The names for which another tensor stands and that nobody has asked for yet.
  private var unusedNames: Set<String> = []

  /// - Parameters:
  ///   - tensors: The tensor table.
  ///   - shared: The names that are not in it, each with the tensor that stands for it.
  /// - Throws: ``DiagnosticError`` with code `bvqMetadata` for a name that is in the table, or one that does not stand
  ///   for a factor in the table.
  init(_ tensors: [BVQTensor], shared: MetadataCursor?) throws(DiagnosticError) {
    self.tensors = tensors
    let stored = Dictionary(
      tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    positions = stored
    isUsed = tensors.map { $0.kind == .selfTest }
    guard let shared else { return }
    guard let names = shared.value.objectValue?.members, !names.isEmpty else {
      throw shared.error("expected an object with a name at least")
    }
    guard names.count <= BVQFormat.maximumTensorCount else {
      throw DiagnosticError(
        .limitExceeded, object: "metadata",
        "name \(names.count) shared tensors, above the limit of \(BVQFormat.maximumTensorCount)")
    }
    for (name, value) in names.map({ ($0.key, $0.value) }) {
      guard let index = value.stringValue.flatMap({ stored[$0] }),
        [.leftFactor, .rightFactor].contains(tensors[index].kind)
      else {
        throw shared.error(
          "\(value.serialized()), which stands for '\(name)', is no factor of the tensor table")
      }
      guard positions.updateValue(index, forKey: name) == nil else {
        throw shared.error("'\(name)' is in the tensor table, so no other tensor stands for it")
      }
      unusedNames.insert(name)
    }
  }

  /// A matrix, whole or as two factors.
  ///
  /// - Parameters:
  ///   - path: Its name.
  ///   - shape: The shape it must have; `nil` for any.
  /// - Returns: Where its tensors are.
  /// - Throws: ``DiagnosticError`` with code `bvqTensor` or `limitExceeded`.
  mutating func matrix(
    _ path: MatrixPath, _ shape: (rows: Int, columns: Int)?
  ) throws(DiagnosticError) -> ModelPlan.Matrix {
    for name in [TensorNames.left(path), TensorNames.right(path)] where unusedNames.contains(name) {
      guard let index = positions[name], let direction = path.direction, path.gate != nil,
        tensors[index].name.hasPrefix("\(path.layer)/\(direction.rawValue)/")
      else {
        throw DiagnosticError(
          .bvqMetadata, object: "metadata: shared",
          "'\(name)' is not a factor of a gate's matrix for which one of the same direction stands")
      }
    }
    let found: ModelPlan.Matrix
    if let whole = try take(TensorNames.matrix(path), .matrix) {
      found = .whole(whole)
    } else if let left = try take(TensorNames.left(path), .leftFactor) {
      guard let right = try take(TensorNames.right(path), .rightFactor) else {
        throw missing(TensorNames.right(path))
      }
      guard tensors[left].columns == tensors[right].rows else {
        throw tensors[right].error(
          "has \(tensors[right].rows) rows, its left factor \(tensors[left].columns) columns")
      }
      found = .product(left: left, right: right)
    } else {
      throw missing(TensorNames.matrix(path))
    }
    let size = self.shape(of: found)
    if let shape, shape != size {
      throw DiagnosticError(
        .bvqTensor, object: path.description,
        "expected shape [\(shape.rows), \(shape.columns)], found [\(size.rows), \(size.columns)]")
    }
    do throws(DiagnosticError) {
      _ = try checkedProduct(
        [size.rows, size.columns], limit: BVQFormat.maximumElementCount, of: "the product")
    } catch { throw error.atObject(path.description) }
    return found
  }

  /// A matrix that need not be there; `nil` when neither it nor its factors are.
  mutating func optionalMatrix(
    _ path: MatrixPath, _ shape: (rows: Int, columns: Int)
  ) throws(DiagnosticError) -> ModelPlan.Matrix? {
    guard
      positions[TensorNames.matrix(path)] != nil || positions[TensorNames.left(path)] != nil
    else { return nil }
    return try matrix(path, shape)
  }

  /// Biases or peepholes; `nil` when there is no such tensor.
  mutating func vector(
    _ name: String, rows: Int, columns: Int
  ) throws(DiagnosticError) -> Int? {
    guard let index = try take(name, .vector) else { return nil }
    guard tensors[index].rows == rows, tensors[index].columns == columns else {
      throw tensors[index].error(
        "expected shape [\(rows), \(columns)], "
          + "found [\(tensors[index].rows), \(tensors[index].columns)]")
    }
    return index
  }

  /// A tensor of an opaque layer, which is stored as one row.
  mutating func opaque(_ name: String, shape: [Int]) throws(DiagnosticError) -> Int {
    guard let index = try take(name, .opaque) else { throw missing(name) }
    guard tensors[index].rows == 1, tensors[index].columns == shape.reduce(1, *) else {
      throw tensors[index].error(
        "has the shape [\(tensors[index].rows), \(tensors[index].columns)], the metadata say "
          + "\(shape); it is stored as one row")
    }
    return index
  }

  /// A tensor of a self-test; nobody has to use it.
  func selfTest(_ name: String, count: Int) throws(DiagnosticError) -> Int {
    guard let index = positions[name] else { throw missing(name) }
    guard tensors[index].kind == .selfTest, tensors[index].rows == 1,
      tensors[index].columns == count
    else {
      throw tensors[index].error("is no self-test tensor of \(count) elements, as the metadata say")
    }
    return index
  }

  /// The shape that a matrix stands for.
  func shape(of matrix: ModelPlan.Matrix) -> (rows: Int, columns: Int) {
    switch matrix {
    case .whole(let index): (tensors[index].rows, tensors[index].columns)
    case .product(let left, let right): (tensors[left].rows, tensors[right].columns)
    }
  }

  /// Throws when a tensor was not asked for, or a name that another one stands for; self-test tensors never are.
  func checkNothingIsLeft() throws(DiagnosticError) {
    if let name = unusedNames.min() {
      throw DiagnosticError(
        .bvqMetadata, object: "metadata: shared", "'\(name)' is a factor of no layer")
    }
    guard let index = isUsed.firstIndex(of: false) else { return }
    throw tensors[index].error("belongs to no layer of the metadata")
  }

  private mutating func take(
    _ name: String, _ kind: BVQTensor.Kind
  ) throws(DiagnosticError) -> Int? {
    guard let index = positions[name] else { return nil }
    guard tensors[index].kind == kind else {
      throw tensors[index].error("is a \(tensors[index].kind), expected a \(kind)")
    }
    isUsed[index] = true
    unusedNames.remove(name)
    return index
  }

  private func missing(_ name: String) -> DiagnosticError {
    DiagnosticError(.bvqTensor, object: name, "is missing from the tensor table")
  }
}
