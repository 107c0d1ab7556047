public import Diagnostics
public import LSTMCore

extension DiagnosticError.Code {
  /// A step to round to or a limit to clip at is not one that can be used.
  public static let roundingOption = Self("rounding.option", .usage)
}

/// Rounds weights to multiples of a step, and clips them when asked: a step for the whole model
/// instead of a scale for each row.
///
///     round(x) = step · ⌊x / step⌉        clip(x) = min(max(x, −clip), clip)
///
/// Half-way cases go to the even multiple, as `torch.round` has it. These are equations 17 and 18
/// of Li et al., "Towards Binary-Valued Gates for Robust LSTM Training", 2018 (arXiv:1806.02988).
/// Multiples are found with the step as it is given; stored is the Float16 next to it (0.2 as
/// 0.19995), times a power of two, as all parameters of encodings are.
public struct Rounding: Equatable, Sendable {
  /// What weights become multiples of.
  public let step: Double
  /// The largest magnitude that is left, a multiple of ``step``; any magnitude when `nil`.
  public let clip: Double?

  /// The steps that can be stored whatever the multiple.
  private static let steps = 1e-30...1e30

  /// Creates a rounding.
  ///
  /// - Parameters:
  ///   - step: What weights become multiples of, from 1e-30 to 1e30.
  ///   - clip: The largest magnitude that is left, a multiple of the step; `nil` for any.
  /// - Throws: ``DiagnosticError`` with code `roundingOption` for other numbers.
  public init(step: Double, clip: Double? = nil) throws(DiagnosticError) {
    guard Self.steps.contains(step) else {
      throw DiagnosticError(
        .roundingOption, "a step to round to is from 1e-30 to 1e30, found \(step)")
    }
    if let clip {
      let multiple = clip / step
      guard multiple.isFinite, multiple.rounded() >= 1,
        abs(multiple - multiple.rounded()) <= multiple * 1e-9
      else {
        throw DiagnosticError(
          .roundingOption,
          "weights are clipped at a multiple of the step \(step), found \(clip)")
      }
    }
    self.step = step
    self.clip = clip
  }

  /// What is done, for reports: `round 0.2, clip 0.4`.
  public var phrase: String { "round \(step)" + (clip.map { ", clip \($0)" } ?? "") }

  /// Rounds a matrix, into the narrowest even steps that hold its multiples.
  ///
  /// - Parameter matrix: The weights, any shape.
  /// - Returns: The packed matrix, of the same shape, every row with the same scale.
  /// - Throws: ``DiagnosticError`` when a weight is not finite, or a multiple needs more than 8
  ///   bits, naming its row and column.
  public func round(_ matrix: Matrix) throws(DiagnosticError) -> PackedMatrix {
    let multiples = try multiples(of: matrix)
    let reach = (least: Int(multiples.min() ?? 0), most: Int(multiples.max() ?? 0))
    let encoding: UniformEncoding =
      [.uniform3, .uniform4].first { Self.zero($0) >= max(-reach.least, reach.most + 1) }
      ?? .uniform8
    // Zero has the code in the middle, a power of two, so that the offset is stored exactly.
    let zero = Self.zero(encoding)
    let exponent = Int(step.exponent)
    let scale = Float16(step * Double(sign: .plus, exponent: -exponent, significand: 1))
    let columns = matrix.columns
    var codes: [UInt8] = []
    codes.reserveCapacity(matrix.rows * encoding.rowByteCount(columns: columns))
    for row in 0..<matrix.rows {
      codes += encoding.pack(
        multiples[row * columns..<(row + 1) * columns].map { UInt16(Int($0) + zero) })
    }
    let parameters = [scale, -scale * Float16(zero)]
    return PackedMatrix(
      encoding: encoding, rows: matrix.rows, columns: columns, groupSize: max(columns, 1),
      scaleExponent: exponent, codes: codes,
      parameters: columns == 0 ? [] : (0..<matrix.rows).flatMap { _ in parameters })
  }

  /// The code of zero.
  private static func zero(_ encoding: UniformEncoding) -> Int { 1 << (encoding.width - 1) }

  /// How many steps each weight becomes, computed in float32.
  private func multiples(of matrix: Matrix) throws(DiagnosticError) -> [Int16] {
    let step = Float(step)
    let limit = clip.map { ($0 / self.step).rounded() }.map(Float.init) ?? .infinity
    let widest = Self.zero(.uniform8)
    var multiples: [Int16] = []
    multiples.reserveCapacity(matrix.elements.count)
    for (index, weight) in matrix.elements.enumerated() {
      guard weight.isFinite else { throw .notFinite(weight, at: index, columns: matrix.columns) }
      let nearest = (weight / step).rounded(.toNearestOrEven)
      let multiple = min(max(nearest, -limit), limit)
      guard Float(-widest)..<Float(widest) ~= multiple else {
        throw DiagnosticError(
          .weightTooLarge,
          "the weight at [\(index / matrix.columns), \(index % matrix.columns)] is \(weight), but 8 "
            + "bits hold \(-widest) to \(widest - 1) times the step \(self.step)",
          hint: "clip the weights, or round to larger steps")
      }
      multiples.append(Int16(multiple))
    }
    return multiples
  }
}
