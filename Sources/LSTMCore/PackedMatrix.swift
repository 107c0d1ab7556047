/// A matrix of codes, with the parameters that give them values.
public struct PackedMatrix: Sendable {
  /// The bit layout.
  public let encoding: any WeightEncoding
  /// The number of outputs.
  public let rows: Int
  /// The number of inputs.
  public let columns: Int
  /// The elements of a row that share parameters, from 1 to `max(columns, 1)`; the last group of a
  /// row may be shorter.
  public let groupSize: Int
  /// Parameters are multiplied by 2 to this power.
  public let scaleExponent: Int
  /// The codes: `rows` times `encoding.rowByteCount(columns: columns)` bytes.
  public let codes: [UInt8]
  /// The parameters: `rows × groupsPerRow × encoding.parametersPerGroup`, row after row.
  public let parameters: [Float16]

  /// Creates a packed matrix.
  ///
  /// - Precondition: The counts of `codes` and `parameters` are those of the encoding and shape;
  ///   `groupSize` is at least 1.
  public init(
    encoding: any WeightEncoding, rows: Int, columns: Int, groupSize: Int, scaleExponent: Int,
    codes: [UInt8], parameters: [Float16]
  ) {
    precondition(groupSize >= 1, "A group has at least one element")
    precondition(
      codes.count == rows * encoding.rowByteCount(columns: columns),
      "Codes must fill the rows exactly")
    self.encoding = encoding
    self.rows = rows
    self.columns = columns
    self.groupSize = groupSize
    self.scaleExponent = scaleExponent
    self.codes = codes
    self.parameters = parameters
    precondition(
      parameters.count == rows * groupsPerRow * encoding.parametersPerGroup,
      "Each group of each row needs its parameters")
  }

  /// How many groups a row has.
  public var groupsPerRow: Int { Self.groupsPerRow(columns: columns, groupSize: groupSize) }

  /// How many groups a row of `columns` elements has.
  public static func groupsPerRow(columns: Int, groupSize: Int) -> Int {
    columns == 0 ? 0 : (columns - 1) / groupSize + 1
  }

  /// The bytes of codes and parameters.
  public var byteCount: Int { codes.count + parameters.count * MemoryLayout<Float16>.size }

  /// The matrix written out, `[rows, columns]`, through the encoding's reference unpack.
  ///
  /// Codes that are not legal (only possible when the matrix was not validated) read as zero.
  public var dequantized: Matrix {
    var elements: [Float] = []
    elements.reserveCapacity(rows * columns)
    let rowBytes = encoding.rowByteCount(columns: columns)
    let perGroup = encoding.parametersPerGroup
    let factor = Float(sign: .plus, exponent: scaleExponent, significand: 1)
    let values = parameters.map { Float($0) * factor }
    for row in 0..<rows {
      let codes = encoding.unpack(codes[row * rowBytes..<(row + 1) * rowBytes], columns: columns)
      for column in 0..<columns {
        let start = (row * groupsPerRow + column / groupSize) * perGroup
        elements.append(
          codes.map {
            encoding.value(of: $0[column], parameters: values[start..<start + perGroup])
          } ?? 0)
      }
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }
}

extension PackedMatrix: Equatable {
  /// Whether two packed matrices have the same encoding, shape, codes and parameter bits.
  public static func == (a: PackedMatrix, b: PackedMatrix) -> Bool {
    a.encoding.id == b.encoding.id && a.rows == b.rows && a.columns == b.columns
      && a.groupSize == b.groupSize && a.scaleExponent == b.scaleExponent && a.codes == b.codes
      && a.parameters.elementsEqual(b.parameters) { $0.bitPattern == $1.bitPattern }
  }
}
