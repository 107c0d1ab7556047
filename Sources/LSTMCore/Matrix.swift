/// A dense float32 matrix, row-major: rows are outputs, columns are inputs.
public struct Matrix: Equatable, Sendable {
  /// The number of outputs.
  public let rows: Int
  /// The number of inputs.
  public let columns: Int
  /// The elements, `rows × columns`, row after row.
  public var elements: [Float]

  /// Creates a matrix.
  ///
  /// - Precondition: `elements.count == rows * columns`, both sizes at least zero.
  public init(rows: Int, columns: Int, elements: [Float]) {
    precondition(rows >= 0 && columns >= 0, "A matrix cannot have a negative size")
    precondition(elements.count == rows * columns, "A matrix needs rows × columns elements")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// A matrix of zeros.
  public init(zeros rows: Int, _ columns: Int) {
    self.init(
      rows: rows, columns: columns, elements: [Float](repeating: 0, count: rows * columns))
  }

  /// The element at a row and a column, both from zero.
  public subscript(row: Int, column: Int) -> Float {
    get { elements[row * columns + column] }
    set { elements[row * columns + column] = newValue }
  }

  /// The elements of one row.
  public func row(_ row: Int) -> ArraySlice<Float> {
    elements[row * columns..<(row + 1) * columns]
  }

  /// The transpose, `[columns, rows]`.
  public var transposed: Matrix {
    var result = Matrix(zeros: columns, rows)
    // Blocks of 32 × 32 keep both sides in the cache.
    for rowBlock in stride(from: 0, to: rows, by: 32) {
      for columnBlock in stride(from: 0, to: columns, by: 32) {
        for r in rowBlock..<min(rowBlock + 32, rows) {
          for c in columnBlock..<min(columnBlock + 32, columns) {
            result.elements[c * rows + r] = elements[r * columns + c]
          }
        }
      }
    }
    return result
  }

  /// Whether every element is a finite number.
  public var isFinite: Bool { elements.allSatisfy { $0.isFinite } }
}
