import Diagnostics
import LSTMCore
import ONNXProto

/// A weight matrix that a node of a graph multiplies by.
final class ONNXMatrixInput {
  /// What it is called.
  let value: ONNXValueID
  /// As stored.
  let matrix: Matrix
  /// Whether it is stored `[outputs, inputs]`, as `Gemm` with `transB` has it.
  let isTransposed: Bool

  init(value: ONNXValueID, matrix: Matrix, isTransposed: Bool) {
    self.value = value
    self.matrix = matrix
    self.isTransposed = isTransposed
  }

  var inputs: Int { isTransposed ? matrix.columns : matrix.rows }
  var outputs: Int { isTransposed ? matrix.rows : matrix.columns }

  /// A part of it as `[outputs, inputs]`.
  func part(outputs: Range<Int>, inputs: Range<Int>) -> Matrix {
    var elements: [Float] = []
    elements.reserveCapacity(outputs.count * inputs.count)
    for output in outputs {
      for input in inputs {
        elements.append(isTransposed ? matrix[output, input] : matrix[input, output])
      }
    }
    return Matrix(rows: outputs.count, columns: inputs.count, elements: elements)
  }
}

/// A value that is a sum of products with constant matrices, of constants, and of other values times
/// constant vectors: what goes into a gate.
struct AffineForm {
  /// A product.
  struct Term {
    /// What is multiplied: one value, or several side by side.
    var sources: [ONNXValueID]
    var matrix: ONNXMatrixInput
    /// Which outputs of the matrix.
    var outputs: Range<Int>
  }

  /// A constant that is added.
  struct Constant {
    /// `width` elements.
    var values: [Float]
    /// The value to whose product it is added before anything else is; `nil` for one that is added to a sum.
    var source: ONNXValueID?
    /// Where its elements stand in the file; `nil` for one number that is added to all.
    var place: Place?
  }

  /// A stretch of a constant vector.
  struct Place {
    /// What it is called.
    var value: ONNXValueID
    /// Its shape.
    var dims: [Int]
    /// All its elements.
    var elements: [Float]
    /// Which of them.
    var range: Range<Int>
  }

  /// The number of elements of the last axis.
  var width: Int
  var terms: [Term] = []
  /// Constants that are added.
  var constants: [Constant] = []
  /// Peepholes: values that are multiplied elementwise.
  var peepholes: [(value: ONNXValueID, weights: [Float])] = []

  /// The value that is multiplied, where there is one product and nothing else but constants.
  fileprivate var onlySource: ONNXValueID? {
    guard terms.count == 1, terms[0].sources.count == 1, peepholes.isEmpty else { return nil }
    return terms[0].sources[0]
  }

  /// A stretch of the last axis.
  func columns(_ range: Range<Int>) -> AffineForm {
    AffineForm(
      width: range.count,
      terms: terms.map { term in
        var term = term
        let start = term.outputs.lowerBound
        term.outputs = start + range.lowerBound..<start + range.upperBound
        return term
      },
      constants: constants.map {
        var constant = Constant(values: Array($0.values[range]), source: $0.source, place: $0.place)
        if let start = constant.place?.range.lowerBound {
          constant.place?.range = start + range.lowerBound..<start + range.upperBound
        }
        return constant
      },
      peepholes: peepholes.map { ($0.value, Array($0.weights[range])) })
  }
}

/// Follows a value back through products, sums and splits.
final class AffineReader {
  /// Why a value is no ``AffineForm``, for people.
  struct NotAffine: Error {
    let reason: String
  }

  private static let depthLimit = 64

  private let evaluator: ONNXEvaluator
  private let places: [ONNXValueID: ONNXPlacedNode]
  private var forms: [ONNXValueID: AffineForm] = [:]
  private var matrices: [String: ONNXMatrixInput] = [:]

  init(evaluator: ONNXEvaluator, places: [ONNXValueID: ONNXPlacedNode]) {
    self.evaluator = evaluator
    self.places = places
  }

  /// The form of a value.
  ///
  /// - Throws: ``NotAffine``; `DiagnosticError` for damaged tensors.
  func form(of value: ONNXValueID, depth: Int = 0) throws -> AffineForm {
    if let known = forms[value] { return known }
    guard depth < Self.depthLimit else {
      throw NotAffine(reason: "its gates come from too long a chain of operators")
    }
    guard let place = places[value] else {
      throw NotAffine(reason: "a gate is the plain value '\(value.name)'")
    }
    let form = try read(place, value, depth: depth + 1)
    forms[value] = form
    return form
  }

  private func read(
    _ place: ONNXPlacedNode, _ value: ONNXValueID, depth: Int
  ) throws -> AffineForm {
    let node = place.node
    let call = ONNXCall(
      node: node, output: node.outputs.firstIndex(of: value.name) ?? 0, scope: place.scope,
      depth: 0, evaluator: evaluator)
    switch node.isStandard ? node.opType : "" {
    case "MatMul":
      return try product(place, isTransposed: false)
    case "Gemm":
      return try gemm(place, call)
    case "Add", "Sum":
      return try sum(place, depth: depth)
    case "Mul":
      return try peephole(place)
    case "Identity", "Squeeze", "Unsqueeze", "Dropout":
      return try form(of: input(0, of: place), depth: depth)
    case "Split":
      let whole = try form(of: input(0, of: place), depth: depth)
      let axis = try call.integer("axis", default: 0)
      guard axis == -1 || axis > 0 else {
        throw NotAffine(reason: "a gate is split along its rows")
      }
      let given = try call.integers(attribute: "split", orInput: 1)
      let count = node.outputs.count
      let sizes = given ?? [Int](repeating: whole.width / max(count, 1), count: count)
      guard sizes.count == count, call.output < count,
        (try? checkedSum(sizes, limit: whole.width, of: "a Split")) == whole.width
      else { throw NotAffine(reason: "a Split does not fit its input") }
      let start = sizes[..<call.output].reduce(0, +)
      return whole.columns(start..<start + sizes[call.output])
    case "Slice":
      return try slice(place, call, depth: depth)
    default:
      throw NotAffine(
        reason: "a gate comes from \(node.opType)"
          + (node.name.isEmpty ? "" : " '\(node.name)'")
          + ", not straight from products with constant matrices")
    }
  }

  private func input(_ index: Int, of place: ONNXPlacedNode) throws -> ONNXValueID {
    guard let name = place.node.input(index), let id = place.scope.identity(of: name) else {
      throw NotAffine(reason: "\(place.node.opType) lacks an input")
    }
    return id
  }

  /// A constant, or `nil` when the value is not one.
  private func constant(_ index: Int, of place: ONNXPlacedNode) throws -> ONNXConstant? {
    guard let name = place.node.input(index) else { return nil }
    do { return try evaluator.value(name, in: place.scope) } catch is ONNXEvaluator.NotConstant {
      return nil
    }
  }

  /// The elements of a constant that is the same for every row; `nil` for other shapes.
  private func vector(_ constant: ONNXConstant, width: Int) -> [Float]? {
    guard let values = constant.floats, constant.dims.dropLast().allSatisfy({ $0 == 1 }) else {
      return nil
    }
    if values.count == width { return values }
    return values.count == 1 ? [Float](repeating: values[0], count: width) : nil
  }

  private func product(_ place: ONNXPlacedNode, isTransposed: Bool) throws -> AffineForm {
    let source = try input(0, of: place)
    // Exporters that find equal tensors keep one, and name it again for each node that reads it.
    let matrixName = try unwrapped(input(1, of: place))
    let key = "\(ObjectIdentifier(matrixName.scope).hashValue)/\(matrixName.name)/\(isTransposed)"
    let found: ONNXMatrixInput
    if let known = matrices[key] {
      found = known
    } else {
      guard let constant = try constant(1, of: place), let values = constant.floats else {
        throw NotAffine(reason: "a gate comes from a product with a matrix that is not constant")
      }
      var dims = constant.dims
      while dims.count > 2, dims[0] == 1 { dims.removeFirst() }
      guard dims.count == 2, dims.allSatisfy({ $0 > 0 }), values.allSatisfy(\.isFinite) else {
        throw NotAffine(reason: "a gate comes from a product with shape \(constant.dims)")
      }
      found = ONNXMatrixInput(
        value: matrixName, matrix: Matrix(rows: dims[0], columns: dims[1], elements: values),
        isTransposed: isTransposed)
      matrices[key] = found
    }
    return AffineForm(
      width: found.outputs,
      terms: [
        AffineForm.Term(
          sources: try joined(source), matrix: found, outputs: 0..<found.outputs)
      ])
  }

  /// A value without the `Identity` nodes around it.
  private func unwrapped(_ value: ONNXValueID) throws -> ONNXValueID {
    var value = value
    for _ in 0..<Self.depthLimit {
      guard let place = places[value], place.node.isStandard, place.node.opType == "Identity" else {
        break
      }
      value = try input(0, of: place)
    }
    return value
  }

  /// The values that a `Concat` along the last axis puts side by side.
  private func joined(_ value: ONNXValueID) throws -> [ONNXValueID] {
    guard let place = places[value], place.node.isStandard, place.node.opType == "Concat",
      let axis = try place.integer("axis"), axis == -1 || axis > 0
    else { return [value] }
    let parts = place.node.inputs.compactMap { place.scope.identity(of: $0) }
    return parts.count == place.node.inputs.count && parts.count > 1 ? parts : [value]
  }

  private func gemm(_ place: ONNXPlacedNode, _ call: ONNXCall) throws -> AffineForm {
    guard try call.float("alpha", default: 1) == 1, try call.float("beta", default: 1) == 1,
      try !call.flag("transA")
    else { throw NotAffine(reason: "a gate comes from a Gemm with factors of its own") }
    var form = try product(
      place, isTransposed: try call.flag("transB"))
    if place.node.input(2) != nil {
      guard let constant = try constant(2, of: place),
        let bias = vector(constant, width: form.width)
      else {
        throw NotAffine(reason: "a gate has a bias that is not a constant vector")
      }
      form.constants.append(
        AffineForm.Constant(
          values: bias, source: form.onlySource, place: try self.place(of: constant, 2, of: place)))
    }
    return form
  }

  private func sum(_ place: ONNXPlacedNode, depth: Int) throws -> AffineForm {
    var sum: AffineForm?
    var constants: [(constant: ONNXConstant, index: Int)] = []
    for index in place.node.inputs.indices {
      if let constant = try constant(index, of: place) {
        constants.append((constant, index))
        continue
      }
      let form = try form(of: input(index, of: place), depth: depth)
      guard let before = sum else {
        sum = form
        continue
      }
      guard before.width == form.width else {
        throw NotAffine(reason: "a gate adds values of different widths")
      }
      sum = AffineForm(
        width: form.width, terms: before.terms + form.terms,
        constants: before.constants + form.constants,
        peepholes: before.peepholes + form.peepholes)
    }
    guard var form = sum else { throw NotAffine(reason: "a gate is constant") }
    for (constant, index) in constants {
      guard let bias = vector(constant, width: form.width) else {
        throw NotAffine(reason: "a gate adds a constant of shape \(constant.dims)")
      }
      form.constants.append(
        AffineForm.Constant(
          values: bias, source: form.onlySource,
          place: try self.place(of: constant, index, of: place)))
    }
    return form
  }

  /// Where a constant vector stands; `nil` for a single number.
  private func place(
    of constant: ONNXConstant, _ index: Int, of place: ONNXPlacedNode
  ) throws -> AffineForm.Place? {
    guard let elements = constant.floats, elements.count > 1 else { return nil }
    return AffineForm.Place(
      value: try unwrapped(input(index, of: place)), dims: constant.dims, elements: elements,
      range: 0..<elements.count)
  }

  private func peephole(_ place: ONNXPlacedNode) throws -> AffineForm {
    for (index, other) in [(0, 1), (1, 0)] {
      guard let constant = try constant(other, of: place), let values = constant.floats,
        constant.dims.dropLast().allSatisfy({ $0 == 1 }), !values.isEmpty
      else { continue }
      return AffineForm(
        width: values.count, peepholes: [(try input(index, of: place), values)])
    }
    throw NotAffine(reason: "a gate comes from a product of two values")
  }

  /// Where a Slice begins or ends; PyTorch's `chunk` works it out of the shape of what it cuts.
  private func bounds(
    _ attribute: String, _ index: Int, of place: ONNXPlacedNode, _ call: ONNXCall, depth: Int
  ) throws -> [Int]? {
    do { return try call.integers(attribute: attribute, orInput: index) } catch let error
      as ONNXEvaluator.NotConstant
    {
      let value = try input(index, of: place)
      let shapes = try shapes(behind: value, depth: depth)
      guard !shapes.isEmpty else { throw error }
      do {
        return try ONNXEvaluator(byteCount: 0, bindings: shapes)
          .value(value.name, in: value.scope).integers
      } catch is DiagnosticError {
        // The shape that was taken for it has another number of axes, or sizes that do not fit.
        throw NotAffine(reason: "a gate is cut at places that its shape does not tell")
      }
    }
  }

  /// The shapes of gates from which a value is worked out; of the number of rows, which nobody knows
  /// here, the proof of the cell sees whether it matters.
  private func shapes(
    behind value: ONNXValueID, depth: Int
  ) throws -> [ONNXValueID: ONNXConstant] {
    var shapes: [ONNXValueID: ONNXConstant] = [:]
    var seen: Set<ONNXValueID> = [value]
    var open = [value]
    while let next = open.popLast(), seen.count < Self.depthLimit {
      guard let place = places[next] else { continue }
      if place.node.isStandard, place.node.opType == "Shape" {
        let width = try form(of: input(0, of: place), depth: depth).width
        shapes[next] = ONNXConstant(
          dims: [2], elements: .integers([Int64(CellProof.rows), Int64(width)]))
        continue
      }
      for name in place.node.inputs {
        if let id = place.scope.identity(of: name), seen.insert(id).inserted { open.append(id) }
      }
    }
    return shapes
  }

  private func slice(
    _ place: ONNXPlacedNode, _ call: ONNXCall, depth: Int
  ) throws -> AffineForm {
    let whole = try form(of: input(0, of: place), depth: depth)
    guard let starts = try bounds("starts", 1, of: place, call, depth: depth),
      let ends = try bounds("ends", 2, of: place, call, depth: depth), starts.count == 1,
      ends.count == 1
    else { throw NotAffine(reason: "a gate comes from a Slice along several axes") }
    let axes = try call.integers(attribute: "axes", orInput: 3)
    let steps = try call.optionalInput(4)?.integers
    guard axes?.count == 1, axes?[0] == -1 || (axes?[0] ?? 0) > 0, steps == nil || steps == [1]
    else { throw NotAffine(reason: "a gate comes from a Slice along its rows, or with steps") }
    func bounded(_ position: Int) -> Int {
      min(max(position < 0 ? position + whole.width : position, 0), whole.width)
    }
    let (start, end) = (bounded(starts[0]), bounded(ends[0]))
    guard start < end else { throw NotAffine(reason: "a gate comes from an empty Slice") }
    return whole.columns(start..<end)
  }
}
