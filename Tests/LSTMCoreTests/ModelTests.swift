import LSTMCore
import TestSupport
import Testing

@Suite struct ModelTests {
  @Test func matricesAreListedOnceInCanonicalOrder() {
    let paths = Model.seeded().matrices.map(\.path.description)
    #expect(paths.count == 26)
    #expect(paths.first == "embedding/embedding")
    #expect(
      Array(paths[1...5]) == [
        "both/forward/input/input", "both/forward/input/forget", "both/forward/input/cell",
        "both/forward/input/output", "both/forward/recurrent/input",
      ])
    #expect(paths[9] == "both/backward/input/input")
    #expect(paths.last == "dense/dense")
    #expect(Set(paths).count == paths.count)
  }

  @Test func updatingChangesOnlyWhatIsReplaced() {
    var model = Model.seeded()
    model.updateMatrices { path, matrix in
      if path.description == "dense/dense" { matrix = .dense(Matrix(zeros: 50, 32)) }
    }
    let before = Model.seeded()
    #expect(Array(model.layers.dropLast()) == Array(before.layers.dropLast()))
    #expect(model.lstmWeights == before.lstmWeights)
    #expect(model.layers.last?.kind != before.layers.last?.kind)
  }

  @Test func gatesHaveNamesAndTheCanonicalOrder() {
    #expect(Gate.allCases.map(\.description) == ["input", "forget", "cell", "output"])
    #expect(Gate(name: "forget") == .forget)
    #expect(Gate(name: "f") == nil)
    let perGate = PerGate { $0.rawValue }
    #expect(Gate.allCases.map { perGate[$0] } == [0, 1, 2, 3])
  }
}

@Suite struct MatrixTests {
  @Test(arguments: [(1, 1), (1, 70), (33, 65), (64, 32), (0, 5)])
  func transposes(rows: Int, columns: Int) {
    let matrix = Matrix(
      rows: rows, columns: columns, elements: (0..<rows * columns).map { Float($0) })
    let transposed = matrix.transposed
    #expect(transposed.rows == columns && transposed.columns == rows)
    for row in 0..<rows {
      for column in 0..<columns { #expect(transposed[column, row] == matrix[row, column]) }
    }
    #expect(transposed.transposed == matrix)
  }

  @Test func productsAndSizes() {
    let left = Matrix(rows: 2, columns: 1, elements: [1, 2])
    let right = Matrix(rows: 1, columns: 3, elements: [3, 4, 5])
    let product = WeightMatrix.product(left: .dense(left), right: .dense(right))
    #expect(product.dequantized.elements == [3, 4, 5, 6, 8, 10])
    #expect((product.rows, product.columns) == (2, 3))
    #expect(product.rank == 1)
    #expect(product.byteCount == 20)
    #expect(product.storageName == "rank 1: float32")
    #expect(abs(product.bitsPerWeight - 160.0 / 6) < 1e-12)
  }
}
