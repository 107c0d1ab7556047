import Diagnostics
import LSTMCore

/// Reads the LSTMs that an ``ArrayMap`` describes.
struct MappedLSTMs {
  let source: any ArraySource
  let map: ArrayMap

  /// Reads them.
  ///
  /// - Throws: `DiagnosticError` for arrays that are not there and shapes that do not fit together.
  func find() throws(DiagnosticError) -> FoundArrays {
    var found = FoundArrays()
    for layer in map.layers {
      do throws(DiagnosticError) { found.lstms.append(try read(layer, &found.used)) } catch {
        throw error.atObject(layer.name)
      }
    }
    return found
  }

  private func read(
    _ layer: ArrayMap.Layer, _ used: inout Set<String>
  ) throws(DiagnosticError) -> FoundLSTM {
    var directions: [DirectionWeights] = []
    var sizes: [[Int]] = []
    for (_, blocks) in layer.directions {
      let weights = try direction(blocks, &used)
      directions.append(weights)
      let hidden = weights.inputWeights[.input].rows
      sizes.append([
        weights.inputWeights[.input].columns, hidden, weights.projection?.rows ?? hidden,
      ])
    }
    guard Set(sizes).count == 1 else {
      throw DiagnosticError(.malformedCheckpoint, "the two directions differ in size")
    }
    return FoundLSTM(
      name: layer.name, sourceClass: "LSTM", module: layer.name,
      layer: LSTMLayer(
        weights: 0,
        directions: layer.directions.map {
          DirectionSettings(
            direction: $0.direction, gateActivation: layer.gateActivation,
            cellActivation: layer.cellActivation, outputActivation: layer.outputActivation)
        }, merge: layer.merge, sourceGateOrder: "as mapped"),
      weights: LSTMWeights(
        inputSize: sizes[0][0], hiddenSize: sizes[0][1], outputSize: sizes[0][2],
        directions: directions))
  }

  private func direction(
    _ blocks: ArrayMap.Blocks, _ used: inout Set<String>
  ) throws(DiagnosticError) -> DirectionWeights {
    let input = try gates(blocks.inputWeights, "inputWeights", &used)
    let recurrent = try gates(blocks.recurrentWeights, "recurrentWeights", &used)
    let hidden = input[.input].rows
    let projection = try blocks.projection.map { (place) throws(DiagnosticError) in
      try matrix(place, &used)
    }
    let output = projection?.rows ?? hidden
    for gate in Gate.allCases {
      guard input[gate].rows == hidden, input[gate].columns == input[.input].columns else {
        throw different("inputWeights", input[gate], input[.input])
      }
      guard recurrent[gate].rows == hidden, recurrent[gate].columns == output else {
        throw DiagnosticError(
          .malformedCheckpoint,
          "recurrentWeights of gate \(ArrayMap.letter(gate)): expected shape [\(hidden), \(output)], "
            + "found [\(recurrent[gate].rows), \(recurrent[gate].columns)]")
      }
    }
    if let projection, projection.columns != hidden {
      throw DiagnosticError(
        .malformedCheckpoint,
        "projection: expected shape [outputs, \(hidden)], found [\(projection.rows), "
          + "\(projection.columns)]")
    }
    func vectors(
      _ places: ArrayMap.PerGatePlaces?, _ what: String
    ) throws(DiagnosticError) -> PerGate<[Float]>? {
      guard let places else { return nil }
      let gates = try self.gates(places, what, &used)
      return try PerGate { gate throws(DiagnosticError) in
        if what == "peepholes" && gate == .cell { return [] }
        guard gates[gate].elements.count == hidden else {
          throw DiagnosticError(
            .malformedCheckpoint,
            "\(what) of gate \(ArrayMap.letter(gate)): expected \(hidden) elements, found "
              + "\(gates[gate].elements.count)")
        }
        return gates[gate].elements
      }
    }
    var bias = try vectors(blocks.bias, "bias")
    if blocks.addToForgetBias != 0 {
      var sum = bias ?? PerGate { _ in [Float](repeating: 0, count: hidden) }
      sum[.forget] = sum[.forget].map { $0 + blocks.addToForgetBias }
      bias = sum
    }
    return DirectionWeights(
      inputWeights: PerGate { .dense(input[$0]) },
      recurrentWeights: PerGate { .dense(recurrent[$0]) }, bias: bias,
      recurrentBias: try vectors(blocks.recurrentBias, "recurrentBias"),
      peepholes: try vectors(blocks.peepholes, "peepholes"),
      projection: projection.map { .dense($0) })
  }

  private func different(_ what: String, _ a: Matrix, _ b: Matrix) -> DiagnosticError {
    DiagnosticError(
      .malformedCheckpoint,
      "\(what): the gates differ in shape, [\(a.rows), \(a.columns)] and [\(b.rows), \(b.columns)]")
  }

  /// The matrices of the gates, `[outputs, inputs]`; a vector is a matrix of one column.
  private func gates(
    _ places: ArrayMap.PerGatePlaces, _ what: String, _ used: inout Set<String>
  ) throws(DiagnosticError) -> PerGate<Matrix> {
    switch places {
    case .separate(let places):
      return try PerGate { gate throws(DiagnosticError) in
        guard let place = places[gate] else { return Matrix(zeros: 0, 0) }
        return try matrices(place, gates: 1, &used)[0]
      }
    case .joined(let place, let order):
      let found = try matrices(place, gates: order.count, &used)
      return PerGate { gate in
        order.firstIndex(of: gate).map { found[$0] } ?? Matrix(zeros: 0, 0)
      }
    }
  }

  private func matrix(
    _ place: ArrayMap.Place, _ used: inout Set<String>
  ) throws(DiagnosticError) -> Matrix { try matrices(place, gates: 1, &used)[0] }

  /// The part of an array that a place names, as `[outputs, inputs]` for each gate.
  private func matrices(
    _ place: ArrayMap.Place, gates: Int, _ used: inout Set<String>
  ) throws(DiagnosticError) -> [Matrix] {
    guard let array = source.arrays.first(where: { $0.name == place.array }) else {
      let names = source.arrays.prefix(8).map(\.name).joined(separator: ", ")
      throw DiagnosticError(
        .malformedCheckpoint, object: place.array, "there is no such array; there are \(names)")
    }
    used.insert(array.name)
    func malformed(_ problem: String) -> DiagnosticError {
      DiagnosticError(.malformedCheckpoint, object: array.name, problem)
    }
    guard place.slice.count <= array.shape.count, array.shape.count <= 8 else {
      throw malformed("has shape \(array.shape), the map slices \(place.slice.count) axes")
    }
    var values = Tensor(dims: array.shape, elements: .floats(try source.finiteFloats(array)))
    for (axis, range) in place.slice.enumerated() {
      guard let range else { continue }
      guard range.upperBound <= array.shape[axis] else {
        throw malformed("\(range) is not inside axis \(axis) of its shape \(array.shape)")
      }
      values = try values.sliced(
        starts: [range.lowerBound], ends: [range.upperBound], axes: [axis], steps: nil)
    }
    // Some writers keep axes of one element: [1, 4H, I].
    var shape = values.dims
    if place.axes == nil {
      while shape.count > 2, let one = shape.firstIndex(of: 1) { shape.remove(at: one) }
    }
    let usual: [[ArrayAxes.Word]] =
      shape.count == 1 ? [[.gate, .output]] : [[.gate, .output], [.input]]
    let axes = place.axes ?? ArrayAxes(usual)
    guard let sizes = axes.sizes(shape: shape, gates: gates), let elements = values.floats,
      let outputs = sizes[.output], let inputs = sizes[.input], outputs > 0, inputs > 0
    else { throw malformed("has shape \(shape), which its axes in the map do not fit") }
    let strides = axes.strides(sizes: sizes)
    func stride(_ word: ArrayAxes.Word) -> Int { strides[word] ?? 0 }
    return (0..<gates).map { gate in
      var matrix = Matrix(zeros: outputs, inputs)
      for output in 0..<outputs {
        for input in 0..<inputs {
          matrix[output, input] =
            elements[
              gate * stride(.gate) + output * stride(.output) + input * stride(.input)]
        }
      }
      return matrix
    }
  }
}
