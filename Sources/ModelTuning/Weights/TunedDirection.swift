import LSTMCore
import LSTMTraining

/// One direction of an LSTM whose compressed matrices and biases learn; what is not compressed stays as it is.
@safe final class TunedDirection: Sendable {
  /// The weights of the products.
  let maps: CellMaps<Float>
  private let start: DirectionWeights
  private let places: [Place]
  private let bias: TunedBias?

  /// A matrix that learns.
  private struct Place: Sendable {
    enum Role { case input, recurrent, projection }
    let role: Role
    let gate: Gate
    let matrix: any TunedMatrix
    /// Where its weights are in the buffer of its role.
    let offset: Int
  }

  /// - Parameters:
  ///   - start: As compressed.
  ///   - original: As it was.
  ///   - set: The sizes.
  init(_ start: DirectionWeights, original: DirectionWeights, of set: LSTMWeights) {
    self.start = start
    let (units, inputs, outputs) = (set.hiddenSize, set.inputSize, set.outputSize)
    maps = CellMaps(
      inputs: inputs, units: units, outputs: outputs, isProjected: start.projection != nil)
    var places: [Place] = []
    for gate in Gate.allCases {
      for (role, matrix, before, columns, buffer) in [
        (
          Place.Role.input, start.inputWeights[gate], original.inputWeights[gate], inputs,
          maps.kernel
        ),
        (
          .recurrent, start.recurrentWeights[gate], original.recurrentWeights[gate], outputs,
          maps.recurrent
        ),
      ] {
        let offset = gate.rawValue * units * columns
        Self.write(matrix, to: buffer, offset)
        // What is as it was is not compressed.
        guard matrix != before,
          let tuned = TunedMatrices.tuned(matrix, original: before.dequantized)
        else { continue }
        places.append(Place(role: role, gate: gate, matrix: tuned, offset: offset))
      }
      for (unit, value) in (start.hasBias ? start.biasSum(gate) : []).enumerated() {
        maps.bias[gate.rawValue * units + unit] = value
      }
    }
    if let projection = start.projection, let buffer = maps.projection {
      Self.write(projection, to: buffer, 0)
      if projection != original.projection,
        let tuned = TunedMatrices.tuned(projection, original: original.projection?.dequantized)
      {
        places.append(Place(role: .projection, gate: .input, matrix: tuned, offset: 0))
      }
    }
    self.places = places
    bias = start.hasBias && !places.isEmpty ? TunedBias(maps.bias) : nil
  }

  private static func write(_ matrix: WeightMatrix, to buffer: NumberBuffer<Float>, _ offset: Int) {
    for (index, value) in matrix.dequantized.elements.enumerated() {
      buffer[offset + index] = value
    }
  }

  /// Whether anything learns.
  var learns: Bool { !places.isEmpty }

  /// Writes all weights as the compressed model has them.
  func write(threads: Int) {
    forEachTask(places.count, threads: threads) { index in
      let place = places[index]
      if let buffer = buffer(place.role, maps) {
        unsafe place.matrix.write(to: buffer.start + place.offset)
      }
    }
    maps.prepare()
  }

  /// Moves all parameters.
  func update(_ gradients: CellGradients<Float>, _ step: TuningStep, threads: Int) {
    forEachTask(places.count, threads: threads) { index in
      let place = places[index]
      let buffer =
        switch place.role {
        case .input: gradients.kernel
        case .recurrent: gradients.recurrent
        case .projection: gradients.projection ?? gradients.kernel
        }
      unsafe place.matrix.update(buffer.start + place.offset, step)
    }
    bias?.update(gradients.bias, step)
  }

  private func buffer(_ role: Place.Role, _ maps: CellMaps<Float>) -> NumberBuffer<Float>? {
    switch role {
    case .input: maps.kernel
    case .recurrent: maps.recurrent
    case .projection: maps.projection
    }
  }

  /// All parameters.
  var learned: [NumberBuffer<Float>] {
    places.flatMap(\.matrix.learned) + (bias.map { [$0.values] } ?? [])
  }

  /// What the optimizer remembers of them.
  var moments: [TuningMoments] {
    places.flatMap(\.matrix.moments) + (bias.map { [$0.moments] } ?? [])
  }

  /// The weights as they are stored.
  var stored: DirectionWeights {
    var result = start
    for place in places {
      switch place.role {
      case .input: result.inputWeights[place.gate] = place.matrix.stored
      case .recurrent: result.recurrentWeights[place.gate] = place.matrix.stored
      case .projection: result.projection = place.matrix.stored
      }
    }
    guard bias != nil else { return result }
    for gate in Gate.allCases {
      let first = gate.rawValue * maps.units
      result.setBiasSum(gate, to: Array(maps.bias.values[first..<first + maps.units]))
    }
    return result
  }
}

/// Biases that learn, in place.
struct TunedBias: Sendable {
  let values: NumberBuffer<Float>
  let moments: TuningMoments
  private static let rate: Float = 0.003

  init(_ values: NumberBuffer<Float>) {
    self.values = values
    moments = TuningMoments(values.count)
  }

  func update(_ gradients: NumberBuffer<Float>, _ step: TuningStep) {
    step.move(values, gradients, moments, rate: Self.rate)
  }
}
