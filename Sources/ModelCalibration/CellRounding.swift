import Diagnostics
import LSTMCore
import MatrixCompression
import ModelCompression

/// Second-order rounding of all matrices of one set of LSTM weights.
struct CellRounding {
  let original: LSTMWeights
  /// What weights alone make of them.
  let weightsOnly: LSTMWeights
  /// The layer and directions by which the plan's rules know the matrices.
  let layer: String
  let directions: [Direction]
  let plan: CompressionPlan
  /// Whether targets answer for what layers before have done to the inputs.
  let answersInputs: Bool
  let threads: Int

  /// Whether any matrix has codes that can be chosen.
  var isNeeded: Bool {
    directions.indices.contains { direction in
      Gate.allCases.contains { gate in
        [MatrixPath.Role.input, .recurrent].contains { quantizer(direction, $0, gate) != nil }
      }
    }
  }

  /// Rounds.
  ///
  /// - Parameter moments: Of what the cells of each direction read.
  /// - Returns: The weights; `nil` when the moments say nothing.
  /// - Throws: ``DiagnosticError`` when a target cannot be quantized.
  func run(_ moments: [SecondMoments]) throws(DiagnosticError) -> LSTMWeights? {
    var result = weightsOnly
    for direction in directions.indices {
      guard
        let metric = SecondOrderMetric(
          moments[direction], of: original, direction: direction, threads: threads)
      else { return nil }
      for gate in Gate.allCases {
        guard let rounded = try round(direction, gate, metric) else { continue }
        result.directions[direction].inputWeights[gate] = rounded.matrices[0]
        result.directions[direction].recurrentWeights[gate] = rounded.matrices[1]
        if let bias = rounded.bias { result.directions[direction].setBiasSum(gate, to: bias) }
      }
    }
    return result
  }

  /// Rounds both matrices of a gate.
  ///
  /// - Parameters:
  ///   - direction: The index of the direction.
  ///   - gate: The gate.
  ///   - metric: Of what the cells of that direction read.
  /// - Returns: The matrices and the bias; `nil` when none of them has codes that can be chosen.
  /// - Throws: ``DiagnosticError`` when a target cannot be quantized.
  func round(
    _ direction: Int, _ gate: Gate, _ metric: SecondOrderMetric
  ) throws(DiagnosticError) -> SecondOrderRounding.Result? {
    let before = original.directions[direction]
    let after = weightsOnly.directions[direction]
    let matrices = [
      (MatrixPath.Role.input, before.inputWeights[gate], after.inputWeights[gate]),
      (.recurrent, before.recurrentWeights[gate], after.recurrentWeights[gate]),
    ]
    guard matrices.contains(where: { quantizer(direction, $0.0, gate) != nil }) else { return nil }
    let weights = matrices.map { $0.1.dequantized }
    let bias = before.hasBias ? before.biasSum(gate) : nil
    var targets = weights
    var targetBias = bias
    if answersInputs {
      let joined = Self.joined(weights, bias)
      guard let answer = metric.answering(joined, threads: threads) else { return nil }
      (targets, targetBias) = Self.parted(answer, columns: weights.map(\.columns), bias != nil)
    }
    var parts: [SecondOrderRounding.Part] = []
    for (index, (role, _, compressed)) in matrices.enumerated() {
      guard let (quantizer, groupSize) = quantizer(direction, role, gate) else {
        parts.append(
          SecondOrderRounding.Part(target: targets[index], start: .dense(compressed.dequantized)))
        continue
      }
      let start =
        answersInputs
        ? WeightMatrix.packed(
          try quantizer.quantize(targets[index], groupSize: groupSize, threads: threads))
        : compressed
      parts.append(SecondOrderRounding.Part(target: targets[index], start: start))
    }
    guard
      var result = SecondOrderRounding.round(
        parts, bias: targetBias, metric: metric, threads: threads)
    else { return nil }
    // What stays as it is stays as it is stored.
    for (index, (role, _, compressed)) in matrices.enumerated()
    where quantizer(direction, role, gate) == nil {
      result.matrices[index] = compressed
    }
    return result
  }

  /// What chooses the codes of a matrix; `nil` when nothing does: it stays, is factored, or is rounded to steps.
  private func quantizer(
    _ direction: Int, _ role: MatrixPath.Role, _ gate: Gate
  ) -> (any Quantizer, groupSize: Int?)? {
    let path = MatrixPath(layer: layer, role: role, direction: directions[direction], gate: gate)
    let weights = weightsOnly.directions[direction]
    let matrix = role == .input ? weights.inputWeights[gate] : weights.recurrentWeights[gate]
    guard case .quantize(let name, let groupSize) = plan.treatment(of: path),
      let quantizer = Quantizers.quantizer(named: name), quantizer.encoding.parametersPerGroup > 0,
      case .packed(let packed) = matrix, packed.encoding.id == quantizer.encoding.id
    else { return nil }
    return (quantizer, groupSize)
  }

  /// [W R b].
  private static func joined(_ matrices: [Matrix], _ bias: [Float]?) -> Matrix {
    let rows = matrices[0].rows
    let columns = matrices.reduce(0) { $0 + $1.columns } + (bias == nil ? 0 : 1)
    var elements: [Float] = []
    elements.reserveCapacity(rows * columns)
    for row in 0..<rows {
      for matrix in matrices { elements += matrix.row(row) }
      if let bias { elements.append(bias[row]) }
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }

  private static func parted(
    _ matrix: Matrix, columns: [Int], _ hasBias: Bool
  ) -> (matrices: [Matrix], bias: [Float]?) {
    var first = 0
    var matrices: [Matrix] = []
    for count in columns {
      var elements: [Float] = []
      elements.reserveCapacity(matrix.rows * count)
      for row in 0..<matrix.rows {
        elements += matrix.row(row).dropFirst(first).prefix(count)
      }
      matrices.append(Matrix(rows: matrix.rows, columns: count, elements: elements))
      first += count
    }
    return (matrices, hasBias ? (0..<matrix.rows).map { matrix[$0, matrix.columns - 1] } : nil)
  }
}

extension SecondOrderMetric {
  /// The metric of one direction of an LSTM, which reads [x; h; 1].
  init?(_ moments: SecondMoments, of set: LSTMWeights, direction: Int, threads: Int) {
    let inputs = set.inputSize
    self.init(
      moments, parts: [0..<inputs, inputs..<inputs + set.outputSize],
      hasConstant: set.directions[direction].hasBias, threads: threads)
  }
}
