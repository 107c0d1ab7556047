package import LSTMCore
package import LSTMTraining

/// One direction of an LSTM whose compressed matrices and biases learn; what is not compressed stays as it is.
@safe package final class TunedDirection: Sendable {
  /// The weights of the products.
  package let maps: CellMaps<Float>
  private let start: DirectionWeights
  private let parts: [any TunedPart]
  private let bias: TunedBias?

  /// - Parameters:
  ///   - start: As compressed.
  ///   - original: As it was.
  ///   - set: The sizes.
  package init(_ start: DirectionWeights, original: DirectionWeights, of set: LSTMWeights) {
    self.start = start
    maps = CellMaps(
      inputs: set.inputSize, units: set.hiddenSize, outputs: set.outputSize,
      isProjected: start.projection != nil)
    for gate in Gate.allCases where start.hasBias {
      for (unit, value) in start.biasSum(gate).enumerated() {
        maps.bias[gate.rawValue * maps.units + unit] = value
      }
    }
    var compressed: [MatrixSlot] = []
    for slot in MatrixSlot.all(in: maps) {
      guard let matrix = slot.matrix(of: start), let buffer = slot.weights(in: maps) else {
        continue
      }
      for (index, value) in matrix.dequantized.elements.enumerated() {
        buffer[slot.offset + index] = value
      }
      // What is as it was is not compressed.
      if matrix != slot.matrix(of: original) { compressed.append(slot) }
    }
    let shared = TunedSharedFactors.groups(compressed, of: start).filter { !$0.isSingle }
    var parts: [any TunedPart] = shared.compactMap {
      TunedSharedFactors($0.slots, lefts: $0.lefts, rights: $0.rights)
    }
    let inGroups = shared.flatMap { $0.slots.joined() }
    for slot in compressed where !inGroups.contains(slot) {
      if let matrix = slot.matrix(of: start),
        let tuned = TunedMatrices.tuned(
          matrix, original: slot.matrix(of: original)?.dequantized)
      {
        parts.append(TunedSingle(slot: slot, matrix: tuned))
      }
    }
    self.parts = parts
    bias = start.hasBias && !parts.isEmpty ? TunedBias(maps.bias) : nil
  }

  /// Whether anything learns.
  var learns: Bool { !parts.isEmpty }

  /// Writes all weights as the compressed model has them.
  package func write(threads: Int) {
    forEachTask(parts.count, threads: threads) { parts[$0].write(to: maps) }
    maps.prepare()
  }

  /// Moves all parameters.
  package func update(_ gradients: CellGradients<Float>, _ step: TuningStep, threads: Int) {
    forEachTask(parts.count, threads: threads) { parts[$0].update(gradients, step) }
    bias?.update(gradients.bias, step)
  }

  /// All parameters.
  package var learned: [NumberBuffer<Float>] {
    parts.flatMap(\.learned) + (bias.map { [$0.values] } ?? [])
  }

  /// What the optimizer remembers of them.
  var moments: [TuningMoments] {
    parts.flatMap(\.moments) + (bias.map { [$0.moments] } ?? [])
  }

  /// The weights as they are stored.
  var stored: DirectionWeights {
    var result = start
    for part in parts { part.store(in: &result) }
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
