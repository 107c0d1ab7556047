public import LSTMCore

/// How the values of a direction's gates are spread over a run.
public struct GateStatistics: Equatable, Sendable {
  /// The number of bins of a histogram.
  public static let binCount = 20

  /// The values of one gate.
  public struct Values: Equatable, Sendable {
    /// How many values fell into each of ``binCount`` equal bins over ``range``; values outside
    /// count in the first or last one.
    public var histogram = [Int](repeating: 0, count: binCount)
    /// How many values there were.
    public var count = 0
    /// How many were at most 0.1 or at least 0.9.
    public var nearlyBinaryCount = 0
    /// The sum of the derivatives of the activation; not a number for activations without one that
    /// is known.
    public var slopeSum = 0.0
    /// For each unit the sum of the squared derivatives of the activation, `[units]`; empty before
    /// the first step.
    public var squaredSlopeSums: [Double] = []
    /// How many steps of sequences there were.
    public var steps = 0

    /// The share of values within 0.1 of 0 or 1 (arXiv:1806.02988, section 4.3).
    public var nearlyBinaryShare: Double {
      count == 0 ? 0 : Double(nearlyBinaryCount) / Double(count)
    }
    /// The mean derivative of the activation; for the logistic function the mean of σ(1 − σ).
    public var meanSlope: Double { count == 0 ? 0 : slopeSum / Double(count) }

    /// √(E‖diag(σ′(a)) W‖²): how far the gate moves when its input moves, with W the weights that
    /// read the input (arXiv:1806.02988, section 3, where a binary gate hardly reacts).
    ///
    /// The mean over steps is taken of the squared Frobenius norm, so units can be added up.
    ///
    /// - Parameter rowSquares: ‖Wᵤ‖² of each unit, `[units]`.
    /// - Returns: The root mean square over steps; `nil` without steps, or for an activation whose
    ///   derivative is not known.
    public func sensitivity(rowSquares: [Double]) -> Double? {
      guard steps > 0, rowSquares.count == squaredSlopeSums.count else { return nil }
      var sum = 0.0
      for (square, slope) in zip(rowSquares, squaredSlopeSums) { sum += square * slope }
      let result = (sum / Double(steps)).squareRoot()
      return result.isFinite ? result : nil
    }

    /// Adds the squared derivatives of other values, unit by unit.
    fileprivate mutating func addSquaredSlopes(of other: Values) {
      if squaredSlopeSums.isEmpty {
        squaredSlopeSums = other.squaredSlopeSums
      } else {
        for (unit, sum) in other.squaredSlopeSums.enumerated() { squaredSlopeSums[unit] += sum }
      }
      steps += other.steps
    }
  }

  /// Of each gate.
  public var gates: PerGate<Values>

  /// Statistics of nothing.
  public init() { gates = PerGate { _ in Values() } }

  /// The values between which the histogram of a gate lies: −1 and 1 for the cell gate, 0 and 1 for
  /// the others.
  public static func range(of gate: Gate) -> ClosedRange<Float> { gate == .cell ? -1...1 : 0...1 }

  /// Adds the values of one step of one sequence.
  mutating func add(
    _ values: UnsafePointer<Float>, count: Int, gate: Gate, activation: Activation
  ) {
    let range = Self.range(of: gate)
    let scale = Float(Self.binCount) / (range.upperBound - range.lowerBound)
    // Taken out, so that its arrays are changed in place.
    var found = Values()
    swap(&found, &gates[gate])
    defer { swap(&found, &gates[gate]) }
    if found.squaredSlopeSums.isEmpty {
      found.squaredSlopeSums = [Double](repeating: 0, count: count)
    }
    found.steps += 1
    for index in 0..<count {
      let y = unsafe values[index]
      guard y.isFinite else { continue }
      let bin = ((y - range.lowerBound) * scale).rounded(.down)
      found.histogram[Int(min(max(bin, 0), Float(Self.binCount - 1)))] += 1
      found.count += 1
      if y <= 0.1 || y >= 0.9 { found.nearlyBinaryCount += 1 }
      let slope = activation.slope(atValue: y).map { Double($0) } ?? .nan
      found.slopeSum += slope
      found.squaredSlopeSums[index] += slope * slope
    }
  }

  /// Adds other statistics.
  public mutating func add(_ other: GateStatistics) {
    for gate in Gate.allCases {
      for bin in 0..<Self.binCount {
        gates[gate].histogram[bin] += other.gates[gate].histogram[bin]
      }
      gates[gate].count += other.gates[gate].count
      gates[gate].nearlyBinaryCount += other.gates[gate].nearlyBinaryCount
      gates[gate].slopeSum += other.gates[gate].slopeSum
      gates[gate].addSquaredSlopes(of: other.gates[gate])
    }
  }
}
