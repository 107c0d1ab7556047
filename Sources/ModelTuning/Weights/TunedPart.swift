import LSTMCore
import LSTMTraining

/// Some matrices of a direction that learn together: one, or those that have factors in common.
///
/// Each is used by one task at a time.
protocol TunedPart: Sendable {
  /// Writes the weights as the compressed model has them.
  func write(to maps: CellMaps<Float>)
  /// Moves the parameters.
  func update(_ gradients: CellGradients<Float>, _ step: TuningStep)
  /// Writes the matrices as they are stored.
  func store(in weights: inout DirectionWeights)
  /// The parameters.
  var learned: [NumberBuffer<Float>] { get }
  /// What the optimizer remembers of them.
  var moments: [TuningMoments] { get }
}

/// A matrix of a direction: of a gate, or the projection.
struct MatrixSlot: Sendable, Equatable {
  enum Role { case input, recurrent, projection }
  let role: Role
  /// Of matrices of gates; `input` for a projection.
  let gate: Gate
  /// The number of columns of the matrix.
  let columns: Int
  /// Where the matrix begins in the buffer of its role.
  let offset: Int

  /// The slots of all matrices, gate by gate, then the projection.
  static func all(in maps: CellMaps<Float>) -> [MatrixSlot] {
    func slot(_ role: Role, _ gate: Gate, _ columns: Int) -> MatrixSlot {
      MatrixSlot(
        role: role, gate: gate, columns: columns, offset: gate.rawValue * maps.units * columns)
    }
    return Gate.allCases.flatMap {
      [slot(.input, $0, maps.inputs), slot(.recurrent, $0, maps.outputs)]
    } + (maps.projection == nil ? [] : [slot(.projection, .input, maps.units)])
  }

  /// The weights of its role.
  func weights(in maps: CellMaps<Float>) -> NumberBuffer<Float>? {
    switch role {
    case .input: maps.kernel
    case .recurrent: maps.recurrent
    case .projection: maps.projection
    }
  }

  /// The gradients of its role.
  func gradients(in gradients: CellGradients<Float>) -> NumberBuffer<Float>? {
    switch role {
    case .input: gradients.kernel
    case .recurrent: gradients.recurrent
    case .projection: gradients.projection
    }
  }

  /// The matrix of a direction.
  func matrix(of weights: DirectionWeights) -> WeightMatrix? {
    switch role {
    case .input: weights.inputWeights[gate]
    case .recurrent: weights.recurrentWeights[gate]
    case .projection: weights.projection
    }
  }

  /// Replaces the matrix of a direction.
  func set(_ matrix: WeightMatrix, in weights: inout DirectionWeights) {
    switch role {
    case .input: weights.inputWeights[gate] = matrix
    case .recurrent: weights.recurrentWeights[gate] = matrix
    case .projection: weights.projection = matrix
    }
  }
}

/// One matrix that learns by itself.
@safe struct TunedSingle: TunedPart {
  let slot: MatrixSlot
  let matrix: any TunedMatrix

  func write(to maps: CellMaps<Float>) {
    guard let buffer = slot.weights(in: maps) else { return }
    unsafe matrix.write(to: buffer.start + slot.offset)
  }

  func update(_ gradients: CellGradients<Float>, _ step: TuningStep) {
    guard let buffer = slot.gradients(in: gradients) else { return }
    unsafe matrix.update(buffer.start + slot.offset, step)
  }

  func store(in weights: inout DirectionWeights) { slot.set(matrix.stored, in: &weights) }

  var learned: [NumberBuffer<Float>] { matrix.learned }
  var moments: [TuningMoments] { matrix.moments }
}
