package import LSTMCore

/// Packed weights times int8 activations as plainly as it can be said: what `Int8Map` is compared
/// with, bit for bit.
package enum ReferenceInt8Product {
  /// A vector divided by its largest magnitude, times 127, and rounded to nearest, ties to even.
  ///
  /// - Parameter x: The vector.
  /// - Returns: The numbers, and what 1 stands for: not a number, beside zeros, when an element is not
  ///   finite.
  package static func quantized(_ x: [Float]) -> (values: [Int], scale: Float) {
    let zeros = [Int](repeating: 0, count: x.count)
    guard x.allSatisfy(\.isFinite) else { return (zeros, .nan) }
    let largest = x.reduce(0) { max($0, abs($1)) }
    guard largest >= .leastNormalMagnitude else { return (zeros, 0) }
    let factor = 127 / largest
    return (x.map { Int(($0 * factor).rounded(.toNearestOrEven)) }, largest / 127)
  }

  /// y = W · x.
  ///
  /// - Parameters:
  ///   - matrix: W, in an encoding with parameters.
  ///   - x: As many elements as W has columns.
  /// - Returns: As many elements as W has rows.
  package static func apply(_ matrix: PackedMatrix, to x: [Float]) -> [Float] {
    let (values, scale) = quantized(x)
    let rowBytes = matrix.encoding.rowByteCount(columns: matrix.columns)
    let perGroup = matrix.encoding.parametersPerGroup
    let factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    return (0..<matrix.rows).map { row in
      let codes =
        matrix.encoding.unpack(
          matrix.codes[row * rowBytes..<(row + 1) * rowBytes], columns: matrix.columns) ?? []
      var total: Float = 0
      for group in 0..<matrix.groupsPerRow {
        let first = (row * matrix.groupsPerRow + group) * perGroup
        let line = Line(
          matrix.encoding, matrix.parameters[first..<first + perGroup].map { Float($0) * factor })
        var (product, sum) = (0, 0)
        for column in group * matrix.groupSize..<min((group + 1) * matrix.groupSize, codes.count) {
          product += line.value(codes[column]) * values[column]
          sum += values[column]
        }
        total += line.scale * Float(product) + line.offset * Float(sum)
      }
      return total * scale
    }
  }

  /// How a group's weights are offset + scale × a whole number.
  private struct Line {
    let scale: Float
    let offset: Float
    let value: (UInt16) -> Int

    init(_ encoding: any WeightEncoding, _ parameters: [Float]) {
      switch encoding {
      case is BinaryEncoding:
        (scale, offset, value) = (2 * parameters[0], -parameters[0], { Int($0) })
      case is Ternary2Encoding, is Ternary5In8Encoding:
        (scale, offset, value) = (parameters[0], -parameters[0], { [1, 2, 0][Int($0)] })
      case is Codebook2Encoding:
        let grid = LevelGrid(SIMD4(parameters))
        scale = grid.scale
        offset = grid.offset
        value = { Int(grid.values >> (8 * UInt32($0)) & 0xFF) }
      default:
        (scale, offset, value) = (parameters[0], parameters[1], { Int($0) })
      }
    }
  }
}
