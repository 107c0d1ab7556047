import Diagnostics
import LSTMCore
import ONNXProto

/// A large matrix made of smaller ones: `[outputs, inputs]`, or transposed.
struct StackedMatrix: Equatable {
  /// One below the other along the outputs; each row of them side by side along the inputs.
  var blocks: [[WeightMatrix]]
  /// Whether it stands in the file as `[inputs, outputs]`.
  var isTransposed: Bool
  /// The shape in the file.
  var dims: [Int]

  /// The elements as they stand in the file.
  var elements: [Float] {
    var rows: [[Float]] = []
    for row in blocks {
      let parts = row.map(\.dequantized)
      for index in 0..<(parts.first?.rows ?? 0) {
        rows.append(
          parts.flatMap { $0.elements[index * $0.columns..<(index + 1) * $0.columns] })
      }
    }
    let columns = rows.first?.count ?? 0
    let matrix = Matrix(rows: rows.count, columns: columns, elements: rows.flatMap { $0 })
    return (isTransposed ? matrix.transposed : matrix).elements
  }

  /// Whether any part is packed or factored.
  var isCompressed: Bool {
    blocks.contains { $0.contains { if case .dense = $0 { false } else { true } } }
  }
}

/// Nodes and tensors that make weights out of codes, scales and factors.
struct ONNXWeightWriter {
  private(set) var nodes: [ONNXNewNode] = []
  private(set) var tensors: [ONNXNewTensor] = []
  /// The version of operators that the nodes need.
  ///
  /// `Reshape` takes its shape as an input from 5 on.
  private(set) var opset = 5

  let form: WeightForm
  private var counter = 0
  private var prefix = ""

  init(form: WeightForm) { self.form = form }

  /// Adds nodes that make a matrix.
  ///
  /// - Parameters:
  ///   - matrix: The matrix.
  ///   - name: The name of the value that they make.
  ///   - type: The type of its elements.
  mutating func add(_ matrix: StackedMatrix, name: String, type: ONNXTensor.ElementType) {
    prefix = name
    counter = 0
    guard matrix.isCompressed, form != .float else {
      tensors.append(.floats(matrix.elements, name: name, dims: matrix.dims, type: type))
      return
    }
    var rows: [String] = []
    // Rows of one matrix each that are stored alike become one tensor.
    var run: [WeightMatrix] = []
    func flush(_ writer: inout ONNXWeightWriter) {
      if !run.isEmpty { rows.append(writer.stack(run)) }
      run = []
    }
    for row in matrix.blocks {
      if row.count == 1 {
        if let last = run.last, !last.isStored(like: row[0]) { flush(&self) }
        run.append(row[0])
      } else {
        flush(&self)
        let parts = row.map { stack([$0]) }
        rows.append(concat(parts, axis: 1))
      }
    }
    flush(&self)
    var value = concat(rows, axis: 0)
    if matrix.isTransposed {
      value = node("Transpose", [value], [("perm", .ints([1, 0]))])
    }
    value = reshape(value, matrix.dims)
    if type != .float { value = node("Cast", [value], [("to", .int(type.rawValue))]) }
    // The last node makes the value that was asked for.
    nodes[nodes.count - 1].outputs = [name]
  }

  // MARK: - Matrices

  /// Matrices stored alike, one below the other, as a value `[rows, columns]`.
  private mutating func stack(_ matrices: [WeightMatrix]) -> String {
    switch matrices[0] {
    case .product:
      let pairs = matrices.compactMap { matrix -> (left: WeightMatrix, right: WeightMatrix)? in
        if case .product(let left, let right) = matrix { (left, right) } else { nil }
      }
      return product(pairs)
    case .packed where form != .factors:
      let packed = matrices.compactMap { matrix -> PackedMatrix? in
        if case .packed(let packed) = matrix { packed } else { nil }
      }
      return unpack(packed) ?? dense(matrices)
    case .dense, .packed: return dense(matrices)
    }
  }

  private mutating func dense(_ matrices: [WeightMatrix]) -> String {
    let rows = matrices.reduce(0) { $0 + $1.rows }
    return tensor(
      "matrix",
      .floats(
        matrices.flatMap { $0.dequantized.elements }, name: "",
        dims: [rows, matrices[0].columns], type: .float))
  }

  /// left × right of each pair, one below the other.
  private mutating func product(_ pairs: [(left: WeightMatrix, right: WeightMatrix)]) -> String {
    let count = pairs.count
    let (rows, rank) = (pairs[0].left.rows, pairs[0].left.columns)
    let columns = pairs[0].right.columns
    var left = stack(pairs.map(\.left))
    if pairs.allSatisfy({ $0.right == pairs[0].right }) {
      return node("MatMul", [left, stack([pairs[0].right])])
    }
    var right = stack(pairs.map(\.right))
    if count > 1 {
      left = reshape(left, [count, rows, rank])
      right = reshape(right, [count, rank, columns])
    }
    let value = node("MatMul", [left, right])
    return count > 1 ? reshape(value, [count * rows, columns]) : value
  }

  // MARK: - Codes

  /// Codes with their parameters; `nil` for an encoding that ONNX cannot work out.
  private mutating func unpack(_ matrices: [PackedMatrix]) -> String? {
    let first = matrices[0]
    let rows = matrices.reduce(0) { $0 + $1.rows }
    let (columns, group) = (first.columns, first.groupSize)
    let groups = first.groupsPerRow
    let codes = matrices.flatMap(\.allCodes)
    let parameters = matrices.flatMap(\.scaledParameters)
    let perGroup = first.encoding.parametersPerGroup
    func column(_ index: Int) -> [Float] {
      stride(from: index, to: parameters.count, by: max(perGroup, 1)).map { parameters[$0] }
    }
    let shape = [rows, columns]
    switch first.encoding {
    case is BinaryEncoding, is Ternary2Encoding, is Ternary5In8Encoding:
      // −1, 0 and 1 times the scale.
      let signs = (0..<first.encoding.levelCount).map {
        Int(first.encoding.value(of: UInt16($0), parameters: [1]))
      }
      return dequantized(codes.map { signs[Int($0)] }, shape, column(0), group: group, bits: 2)
    case let uniform as UniformEncoding:
      let steps = dequantized(
        codes.map(Int.init), shape, column(0), group: group, bits: uniform.width <= 4 ? 4 : 8)
      return node("Add", [steps, spread(column(1), rows, columns, groups, group)])
    case is Codebook2Encoding:
      return looked(up: codes, parameters, rows, columns, groups, group)
    case is Float16Encoding:
      let half = tensor(
        "float16",
        ONNXNewTensor(
          name: "", dims: shape, dataType: ONNXTensor.ElementType.float16.rawValue,
          bytes: codes.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }))
      return node("Cast", [half], [("to", .int(ONNXTensor.ElementType.float.rawValue))])
    default: return nil
    }
  }

  /// The bits of integers that the form allows.
  private var leastBits: Int {
    switch form {
    case .int2: 2
    case .int4: 4
    case .float, .factors, .int8: 8
    }
  }

  /// Integers times scales, one scale for each group of a row.
  private mutating func dequantized(
    _ integers: [Int], _ shape: [Int], _ scales: [Float], group: Int, bits: Int
  ) -> String {
    let width = max(bits, leastBits)
    let isSigned = integers.contains { $0 < 0 }
    let codes = tensor("codes", .integers(integers, dims: shape, bits: width, isSigned: isSigned))
    opset = max(opset, width == 2 ? 25 : 21)
    let scale = tensor(
      "scales",
      .floats(
        scales, name: "", dims: [shape[0], scales.count / max(shape[0], 1)], type: .float))
    return node(
      "DequantizeLinear", [codes, scale],
      [("axis", .int(1)), ("block_size", .int(min(group, shape[1])))])
  }

  /// One number for each group of a row, for all its elements.
  private mutating func spread(
    _ values: [Float], _ rows: Int, _ columns: Int, _ groups: Int, _ group: Int
  ) -> String {
    guard groups > 1 else {
      return tensor("offsets", .floats(values, name: "", dims: [rows, 1], type: .float))
    }
    let offsets = tensor(
      "offsets", .floats(values, name: "", dims: [rows, groups, 1], type: .float))
    let wide = node("Expand", [offsets, integers([rows, groups, group])])
    return cut(reshape(wide, [rows, groups * group]), columns: columns, of: groups * group)
  }

  /// The levels of a codebook by their codes.
  private mutating func looked(
    up codes: [UInt16], _ levels: [Float], _ rows: Int, _ columns: Int, _ groups: Int,
    _ group: Int
  ) -> String {
    // Whole groups, so that each has the same number of codes.
    let width = groups * group
    var padded: [Int] = []
    padded.reserveCapacity(rows * width)
    for row in 0..<rows {
      padded += codes[row * columns..<(row + 1) * columns].map(Int.init)
      padded += [Int](repeating: 0, count: width - columns)
    }
    let shape = groups > 1 ? [rows, groups, group] : [rows, width]
    let bits = max(2, leastBits)
    opset = max(opset, bits == 2 ? 25 : 21)
    let stored = tensor("codes", .integers(padded, dims: shape, bits: bits, isSigned: false))
    let indices = node(
      "Cast", [stored], [("to", .int(ONNXTensor.ElementType.int64.rawValue))])
    let table = tensor(
      "levels",
      .floats(levels, name: "", dims: groups > 1 ? [rows, groups, 4] : [rows, 4], type: .float))
    let values = node("GatherElements", [table, indices], [("axis", .int(groups > 1 ? 2 : 1))])
    return cut(
      groups > 1 ? reshape(values, [rows, width]) : values, columns: columns, of: width)
  }

  // MARK: - Nodes

  private mutating func cut(_ value: String, columns: Int, of width: Int) -> String {
    guard columns < width else { return value }
    opset = max(opset, 10)
    return node("Slice", [value, integers([0]), integers([columns]), integers([1])])
  }

  private mutating func concat(_ values: [String], axis: Int) -> String {
    values.count == 1 ? values[0] : node("Concat", values, [("axis", .int(axis))])
  }

  private mutating func reshape(_ value: String, _ dims: [Int]) -> String {
    node("Reshape", [value, integers(dims)])
  }

  private mutating func integers(_ values: [Int]) -> String {
    tensor("shape", ONNXNewTensor(name: "", dims: [values.count], integers: values))
  }

  private mutating func tensor(_ what: String, _ tensor: ONNXNewTensor) -> String {
    counter += 1
    var named = tensor
    named.name = "\(prefix)/\(what)_\(counter)"
    tensors.append(named)
    return named.name
  }

  private mutating func node(
    _ opType: String, _ inputs: [String],
    _ attributes: [(name: String, value: ONNXNewNode.Attribute)] = []
  ) -> String {
    counter += 1
    let output = "\(prefix)/\(opType.lowercased())_\(counter)"
    nodes.append(
      ONNXNewNode(
        opType, name: output, inputs: inputs, outputs: [output], attributes: attributes))
    return output
  }
}

extension WeightMatrix {
  /// Whether two matrices can stand in one tensor, one below the other.
  fileprivate func isStored(like other: WeightMatrix) -> Bool {
    switch (self, other) {
    case (.dense(let a), .dense(let b)): a.columns == b.columns
    case (.packed(let a), .packed(let b)):
      a.encoding.id == b.encoding.id && a.columns == b.columns && a.groupSize == b.groupSize
    case (.product(let l, let r), .product(let otherL, let otherR)):
      l.rows == otherL.rows && r.columns == otherR.columns && l.isStored(like: otherL)
        && r.isStored(like: otherR) && r.rows == otherR.rows
    default: false
    }
  }
}

extension PackedMatrix {
  /// The codes of all rows.
  fileprivate var allCodes: [UInt16] {
    let rowBytes = encoding.rowByteCount(columns: columns)
    return (0..<rows).flatMap { row in
      encoding.unpack(codes[row * rowBytes..<(row + 1) * rowBytes], columns: columns)
        ?? [UInt16](repeating: 0, count: columns)
    }
  }

  /// The parameters with the exponent applied.
  fileprivate var scaledParameters: [Float] {
    let factor = Float(sign: .plus, exponent: scaleExponent, significand: 1)
    return parameters.map { Float($0) * factor }
  }
}

extension ONNXNewTensor {
  /// Floating-point numbers in one of four types; those of 16 bits are rounded.
  static func floats(
    _ values: [Float], name: String, dims: [Int], type: ONNXTensor.ElementType
  ) -> ONNXNewTensor {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * type.byteCount)
    func append(_ bits: some FixedWidthInteger) {
      for byte in 0..<bits.bitWidth / 8 {
        bytes.append(UInt8(truncatingIfNeeded: bits >> (8 * byte)))
      }
    }
    for value in values {
      switch type {
      case .float16: append(Float16(value).bitPattern)
      case .bfloat16: append(UInt16(truncatingIfNeeded: value.bfloat16Bits))
      case .double: append(Double(value).bitPattern)
      default: append(value.bitPattern)
      }
    }
    return ONNXNewTensor(name: name, dims: dims, dataType: type.rawValue, bytes: bytes)
  }

  /// Integers of 2, 4 or 8 bits, the first in the lowest bits.
  static func integers(
    _ values: [Int], dims: [Int], bits: Int, isSigned: Bool
  ) -> ONNXNewTensor {
    let type: Int =
      switch (bits, isSigned) {
      case (2, true): ONNXTensor.ElementType.int2.rawValue
      case (2, false): ONNXTensor.ElementType.uint2.rawValue
      case (4, true): ONNXTensor.ElementType.int4.rawValue
      case (4, false): ONNXTensor.ElementType.uint4.rawValue
      case (_, true): ONNXTensor.ElementType.int8.rawValue
      case (_, false): ONNXTensor.ElementType.uint8.rawValue
      }
    let perByte = 8 / bits
    var bytes = [UInt8](repeating: 0, count: values.count.dividedRoundingUp(by: perByte))
    let mask = UInt8(truncatingIfNeeded: 1 << bits - 1)
    for (index, value) in values.enumerated() {
      bytes[index / perByte] |=
        (UInt8(truncatingIfNeeded: value) & mask) << UInt8(index % perByte * bits)
    }
    return ONNXNewTensor(name: "", dims: dims, dataType: type, bytes: bytes)
  }
}
