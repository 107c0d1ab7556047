import LSTMCore
import LSTMTraining

/// Products of gates that have factors in common, of which each learns once: a left factor of each gate, for one or both
/// of its matrices, and a right factor of each matrix for all these gates.
@safe final class TunedSharedFactors: TunedPart, @unchecked Sendable {
  /// `[matrix][gate]`: the slots, with the same gates in the same order.
  private let slots: [[MatrixSlot]]
  private let rows: Int
  private let rank: Int
  private let lefts: [Factor]
  private let rights: [Factor]

  /// A factor, written out, and its gradient.
  private struct Factor {
    let matrix: any TunedMatrix
    let weights: NumberBuffer<Float>
    let gradient: NumberBuffer<Float>

    init?(_ factor: WeightMatrix) {
      guard let matrix = TunedMatrices.tuned(factor, original: nil, isFactor: true) else {
        return nil
      }
      self.matrix = matrix
      weights = NumberBuffer(factor.rows * factor.columns)
      gradient = NumberBuffer(factor.rows * factor.columns)
    }
  }

  /// Makes factors learn; `nil` when one of them cannot.
  ///
  /// - Parameters:
  ///   - slots: `[matrix][gate]`.
  ///   - lefts: Of each gate.
  ///   - rights: Of each matrix.
  init?(_ slots: [[MatrixSlot]], lefts: [WeightMatrix], rights: [WeightMatrix]) {
    self.slots = slots
    rows = lefts[0].rows
    rank = lefts[0].columns
    self.lefts = lefts.compactMap(Factor.init)
    self.rights = rights.compactMap(Factor.init)
    guard self.lefts.count == lefts.count, self.rights.count == rights.count else { return nil }
  }

  func write(to maps: CellMaps<Float>) {
    for factor in lefts + rights { unsafe factor.matrix.write(to: factor.weights.start) }
    for (right, gates) in zip(rights, slots) {
      for (left, slot) in zip(lefts, gates) {
        guard let buffer = slot.weights(in: maps) else { continue }
        unsafe Float.product(
          MatrixView(left.weights.start, stride: rank),
          MatrixView(right.weights.start, stride: slot.columns),
          into: buffer.start + slot.offset, stride: slot.columns, rows: rows, inputs: rank,
          outputs: slot.columns, accumulate: false)
      }
    }
  }

  func update(_ gradients: CellGradients<Float>, _ step: TuningStep) {
    for (matrix, gates) in slots.enumerated() {
      let right = rights[matrix]
      for (gate, slot) in gates.enumerated() {
        guard let buffer = slot.gradients(in: gradients) else { continue }
        let left = lefts[gate]
        unsafe Float.product(
          MatrixView(buffer.start + slot.offset, stride: slot.columns),
          MatrixView(right.weights.start, stride: slot.columns, transposed: true),
          into: left.gradient.start, stride: rank, rows: rows, inputs: slot.columns, outputs: rank,
          accumulate: matrix > 0)
        unsafe Float.product(
          MatrixView(left.weights.start, stride: rank, transposed: true),
          MatrixView(buffer.start + slot.offset, stride: slot.columns),
          into: right.gradient.start, stride: slot.columns, rows: rank, inputs: rows,
          outputs: slot.columns, accumulate: gate > 0)
      }
    }
    for factor in lefts + rights { unsafe factor.matrix.update(factor.gradient.start, step) }
  }

  func store(in weights: inout DirectionWeights) {
    let lefts = self.lefts.map(\.matrix.stored)
    for (right, gates) in zip(rights, slots) {
      let stored = right.matrix.stored
      for (left, slot) in zip(lefts, gates) {
        slot.set(.product(left: left, right: stored), in: &weights)
      }
    }
  }

  var learned: [NumberBuffer<Float>] { (lefts + rights).flatMap(\.matrix.learned) }
  var moments: [TuningMoments] { (lefts + rights).flatMap(\.matrix.moments) }
}

extension TunedSharedFactors {
  /// Products that have factors in common.
  struct Group {
    /// `[matrix][gate]`.
    fileprivate(set) var slots: [[MatrixSlot]]
    /// Of each gate.
    fileprivate(set) var lefts: [WeightMatrix]
    /// Of each matrix.
    fileprivate(set) var rights: [WeightMatrix]
    /// Whether it is one matrix, which shares nothing.
    var isSingle: Bool { slots.count == 1 && lefts.count == 1 }
  }

  /// The groups of matrices of gates that are products; each in one group.
  ///
  /// - Parameters:
  ///   - slots: The slots of the matrices.
  ///   - weights: The direction.
  /// - Returns: The groups, those of one matrix that shares nothing included.
  static func groups(_ slots: [MatrixSlot], of weights: DirectionWeights) -> [Group] {
    var groups: [Group] = []
    for slot in slots where slot.role != .projection {
      guard case .product(let left, let right) = slot.matrix(of: weights) else { continue }
      if let index = groups.firstIndex(where: {
        $0.slots[0][0].role == slot.role && $0.rights[0] == right
      }) {
        groups[index].slots[0].append(slot)
        groups[index].lefts.append(left)
      } else {
        groups.append(Group(slots: [[slot]], lefts: [left], rights: [right]))
      }
    }
    var joined: [Group] = []
    for group in groups {
      let partner = joined.firstIndex {
        $0.slots[0].map(\.gate) == group.slots[0].map(\.gate) && $0.lefts == group.lefts
      }
      if let partner {
        joined[partner].slots += group.slots
        joined[partner].rights += group.rights
      } else {
        joined.append(group)
      }
    }
    return joined
  }
}
