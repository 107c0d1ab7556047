internal import Diagnostics
internal import LSTMCore

/// Finds tensors by name and checks that they have the kind and shape that the metadata ask for.
struct TensorFinder {
  private let tensors: [BVQTensor]
  private let positions: [String: Int]
  private var isUsed: [Bool]

  init(_ tensors: [BVQTensor]) {
    self.tensors = tensors
    positions = Dictionary(
      tensors.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    isUsed = tensors.map { $0.kind == .selfTest }
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

  /// Throws when a tensor was not asked for; self-test tensors never are.
  func checkNothingIsLeft() throws(DiagnosticError) {
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
    return index
  }

  private func missing(_ name: String) -> DiagnosticError {
    DiagnosticError(.bvqTensor, object: name, "is missing from the tensor table")
  }
}
