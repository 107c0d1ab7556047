extension Model {
  /// The bytes that each of ``matrices`` takes in a file, in their order.
  ///
  /// A factor that several matrices of one direction of an LSTM have in common is stored once, and counts for
  /// each of them in equal parts.
  public var storedByteCounts: [Int] {
    let matrices = self.matrices
    var counts = matrices.map(\.matrix.byteCount)
    for indices in Self.directions(of: matrices.map(\.path)) {
      let factors = indices.compactMap {
        index -> (index: Int, left: WeightMatrix, right: WeightMatrix)? in
        guard case .product(let left, let right) = matrices[index].matrix else { return nil }
        return (index, left, right)
      }
      for index in factors.map(\.index) { counts[index] = 0 }
      for side in [factors.map { ($0.index, $0.left) }, factors.map { ($0.index, $0.right) }] {
        for users in grouped(side) {
          let (part, rest) = users.factor.byteCount.quotientAndRemainder(
            dividingBy: users.indices.count)
          for (number, index) in users.indices.enumerated() {
            counts[index] += part + (number < rest ? 1 : 0)
          }
        }
      }
    }
    return counts
  }

  /// The matrices of each direction of an LSTM, by their numbers.
  private static func directions(of paths: [MatrixPath]) -> [[Int]] {
    var groups: [[Int]] = []
    for (index, path) in paths.enumerated() where path.isLSTM {
      if let last = groups.last?.last, paths[last].layer == path.layer,
        paths[last].direction == path.direction
      {
        groups[groups.count - 1].append(index)
      } else {
        groups.append([index])
      }
    }
    return groups
  }

  /// Equal factors together.
  private func grouped(
    _ factors: [(index: Int, factor: WeightMatrix)]
  ) -> [(factor: WeightMatrix, indices: [Int])] {
    var groups: [(factor: WeightMatrix, indices: [Int])] = []
    for (index, factor) in factors {
      if let place = groups.firstIndex(where: { $0.factor == factor }) {
        groups[place].indices.append(index)
      } else {
        groups.append((factor, [index]))
      }
    }
    return groups
  }
}
