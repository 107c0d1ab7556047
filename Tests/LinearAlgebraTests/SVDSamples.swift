import LSTMCore

/// The matrix of `Tests/Fixtures/LinearAlgebra/singular_values.py`.
let numpyMatrix: Matrix = {
  var matrix = Matrix(zeros: 12, 9)
  for i in 0..<12 {
    for j in 0..<9 {
      let step = i * i * 7 + j * 13 + i * j * 5
      matrix[i, j] = Float(step % 23 - 11) / 8
    }
  }
  return matrix
}()

/// Its singular values, as numpy prints them.
let numpyValues: [Double] = [
  4.191991342, 3.940425313, 3.456108954, 2.833755498, 2.521740994, 2.073461404, 2.031681061,
  1.248212240, 0.639797662,
]

/// A matrix of pseudo-random numbers in -1..<1.
func randomMatrix(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
  var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
  return Matrix(
    rows: rows, columns: columns,
    elements: (0..<rows * columns).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int64(bitPattern: state) >> 40) * 0x1p-23
    })
}

/// The largest |a - b|.
func largestDifference(_ a: Matrix, _ b: Matrix) -> Float {
  zip(a.elements, b.elements).reduce(0) { max($0, abs($1.0 - $1.1)) }
}

/// The sum of (a - b)², in double precision.
func squaredDistance(_ a: Matrix, _ b: Matrix) -> Double {
  zip(a.elements, b.elements).reduce(0) {
    let difference = Double($1.0) - Double($1.1)
    return $0 + difference * difference
  }
}

/// `[size, size]` with ones on the diagonal.
func identity(_ size: Int) -> Matrix {
  var matrix = Matrix(zeros: size, size)
  for i in 0..<size { matrix[i, i] = 1 }
  return matrix
}

/// `matrix` with row and column r scaled so that the spectrum falls.
func decaying(_ matrix: Matrix) -> Matrix {
  var result = matrix
  for row in 0..<matrix.rows {
    for column in 0..<matrix.columns {
      result[row, column] *= 1 / (1 + Float(row) * 0.02) / (1 + Float(column) * 0.02)
    }
  }
  return result
}
