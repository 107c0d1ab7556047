import LSTMCore

/// Where the matrices of a layer are in an ONNX graph.
enum ONNXWeightPlace {
  /// The inputs of an `LSTM` node.
  case lstm(ONNXPlacedNode)
  /// The products of a cell that is spelled out.
  case cell(RecognizedCell)
  /// An initializer; `isTransposed` when the layer holds its transpose.
  case matrix(ONNXValueID, isTransposed: Bool)
}

extension RecognizedCell {
  /// The matrices that the products of the cell multiply by, made of the weights of a layer; `nil` when
  /// a matrix has parts that belong to nothing in the layer.
  func matrices(of weights: DirectionWeights) -> [(value: ONNXValueID, matrix: StackedMatrix)]? {
    var parts: [(part: MatrixPart, weights: WeightMatrix)] = []
    for gate in Gate.allCases {
      parts.append((inputPlaces[gate], weights.inputWeights[gate]))
      parts.append((recurrentPlaces[gate], weights.recurrentWeights[gate]))
    }
    var result: [(value: ONNXValueID, matrix: StackedMatrix)] = []
    while let first = parts.first?.part.matrix {
      let own = parts.filter { $0.part.matrix === first }
      parts.removeAll { $0.part.matrix === first }
      var blocks: [[WeightMatrix]] = []
      var end = 0
      for outputs in Set(own.map(\.part.outputs)).sorted(by: { $0.lowerBound < $1.lowerBound }) {
        let row = own.filter { $0.part.outputs == outputs }
          .sorted { $0.part.inputs.lowerBound < $1.part.inputs.lowerBound }
        guard outputs.lowerBound == end,
          row.reduce(0, { $0 + $1.part.inputs.count }) == first.inputs
        else { return nil }
        blocks.append(row.map(\.weights))
        end = outputs.upperBound
      }
      guard end == first.outputs else { return nil }
      result.append(
        (
          first.value,
          StackedMatrix(
            blocks: blocks, isTransposed: !first.isTransposed,
            dims: [first.matrix.rows, first.matrix.columns])
        ))
    }
    return result
  }

  /// The constants that are added to gates, with what biases have gained.
  ///
  /// - Parameter weights: The new weights.
  /// - Returns: The constants that change; `nil` when a bias changed that stands nowhere by itself.
  func constants(
    of weights: DirectionWeights
  ) -> [(value: ONNXValueID, vector: StackedMatrix)]? {
    var changed: [(place: AffineForm.Place, elements: [Float])] = []
    let before = self.weights.directions[0]
    for gate in Gate.allCases {
      let (old, new) = (before.biasSum(gate), weights.biasSum(gate))
      guard old != new else { continue }
      guard let place = biasPlaces[gate] else { return nil }
      var index = changed.firstIndex { $0.place.value == place.value }
      if index == nil {
        index = changed.count
        changed.append((place, place.elements))
      }
      for unit in 0..<new.count {
        let gain = new[unit] - (old.isEmpty ? 0 : old[unit])
        changed[index ?? 0].elements[place.range.lowerBound + unit] += gain
      }
    }
    return changed.map { place, elements in
      (
        place.value,
        StackedMatrix(
          blocks: [
            [.dense(Matrix(rows: elements.count, columns: 1, elements: elements))]
          ], isTransposed: false, dims: place.dims)
      )
    }
  }
}
