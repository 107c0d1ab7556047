import LSTMCore

/// Matrices in every form that compression gives, made up from the numbers of another one.
enum PackedSamples {
  private static let encodings: [any WeightEncoding] = [
    BinaryEncoding(), Ternary2Encoding(), Ternary5In8Encoding(), Codebook2Encoding(),
    UniformEncoding.uniform3, UniformEncoding.uniform4, UniformEncoding.uniform8, Float16Encoding(),
  ]

  /// A model whose LSTM matrices are half of what they were.
  static func halved(_ model: Model) -> Model {
    var copy = model
    copy.updateMatrices { path, matrix in
      guard path.isLSTM else { return }
      let old = matrix.dequantized
      matrix = .dense(
        Matrix(rows: old.rows, columns: old.columns, elements: old.elements.map { $0 / 2 }))
    }
    return copy
  }

  /// A model whose LSTM matrices are packed or factored in different ways.
  static func packed(_ model: Model) -> Model {
    var copy = model
    copy.updateMatrices { path, matrix in
      guard path.isLSTM else { return }
      let place = (path.role == .input ? 0 : 4) + (path.direction == .forward ? 0 : 8)
      matrix = weights(
        like: matrix.dequantized, kind: place + (path.gate?.rawValue ?? 0) + path.layer.utf8.count)
    }
    return copy
  }

  /// A model whose LSTM matrices are factors.
  static func factored(_ model: Model) -> Model {
    var copy = model
    copy.updateMatrices { path, matrix in
      if path.isLSTM { matrix = product(like: matrix.dequantized) }
    }
    return copy
  }

  /// One of the forms, by number; neighbors differ.
  static func weights(like matrix: Matrix, kind: Int) -> WeightMatrix {
    // The four gates of one kind alike, then the next kind; and sometimes a mixture.
    let form = kind % 5 == 0 ? kind : kind / 4
    if form % 9 == 8 { return product(like: matrix) }
    let groupSize = kind % 3 == 0 ? 2 : max(matrix.columns, 1)
    return .packed(
      packed(matrix.rows, matrix.columns, encodings[form % 9 % 8], min(groupSize, matrix.columns)))
  }

  /// Factors of rank 1 or 2, one of them packed.
  static func product(like matrix: Matrix) -> WeightMatrix {
    let rank = min(2, matrix.rows, matrix.columns)
    let left = Matrix(
      rows: matrix.rows, columns: rank,
      elements: (0..<matrix.rows * rank).map { Float($0 % 7) / 8 - 0.25 })
    return .product(
      left: .dense(left), right: .packed(packed(rank, matrix.columns, encodings[5], matrix.columns))
    )
  }

  private static func packed(
    _ rows: Int, _ columns: Int, _ encoding: any WeightEncoding, _ groupSize: Int
  ) -> PackedMatrix {
    // Float16 codes are the bits of numbers; others count levels.
    let isFloat16 = encoding is Float16Encoding
    let codes = (0..<rows).flatMap { row in
      encoding.pack(
        (0..<columns).map { column in
          isFloat16
            ? Float16(Float(row - column) / 16).bitPattern
            : UInt16((row * 7 + column * 3) % encoding.levelCount)
        })
    }
    let groups = PackedMatrix.groupsPerRow(columns: columns, groupSize: groupSize)
    let count = rows * groups * encoding.parametersPerGroup
    return PackedMatrix(
      encoding: encoding, rows: rows, columns: columns, groupSize: groupSize, scaleExponent: -2,
      codes: codes, parameters: (0..<count).map { Float16($0 % 5) / 8 + 0.125 })
  }
}
