/// Which outputs stand together when a standard error is estimated.
///
/// Neighbouring outputs of a sequence are not independent, so errors come from groups of them: sequences,
/// or parts of sequences where there are very few, at most ``limit`` groups in all.
package struct OutputGroups: Sendable {
  /// The approximate number of groups of very few sequences; of many there are at most twice as many.
  private static let wanted = 32
  /// The least number of sequences that are not taken apart: parts of one sequence are not independent.
  private static let enoughSequences = 6
  /// Each part of a sequence has at least so many outputs.
  private static let leastOutputs = 4

  private let sequences: Int
  private let outputs: Int
  private let parts: Int

  /// Groups for sequences of equal length.
  ///
  /// - Parameters:
  ///   - sequences: How many sequences.
  ///   - outputs: The outputs of each.
  package init(sequences: Int, outputs: Int) {
    self.sequences = max(1, sequences)
    self.outputs = max(1, outputs)
    let perSequence =
      self.sequences >= Self.enoughSequences
      ? 1 : (Self.wanted + self.sequences - 1) / self.sequences
    parts = max(1, min(perSequence, self.outputs / Self.leastOutputs))
  }

  /// The group of an output of a sequence.
  package func group(sequence: Int, output: Int) -> Int {
    let part = sequence * parts + min(parts - 1, output * parts / outputs)
    let all = sequences * parts
    return all <= 2 * Self.wanted ? part : part * 2 * Self.wanted / all
  }

  /// The groups of outputs that follow each other, from the first one of a sequence on.
  package func groups(from sequence: Int, count: Int) -> [Int] {
    (0..<count).map { group(sequence: sequence + $0 / outputs, output: $0 % outputs) }
  }
}

/// Sums over groups of outputs, of which figures are made: a mean is a sum by a count.
///
/// The standard error of a figure is the jackknife's: the figure is made again without each group. So
/// ratios, roots and differences of two models on the same outputs need no formulas of their own.
package struct GroupedSums: Sendable {
  private var groups: [[Double]] = []
  private let width: Int

  /// Creates sums of zero.
  ///
  /// - Parameter width: How many sums there are.
  package init(width: Int) { self.width = width }

  /// Adds an output.
  ///
  /// - Parameters:
  ///   - values: What is added to each of the sums.
  ///   - group: The group of the output.
  package mutating func add(_ values: [Double], group: Int) {
    while groups.count <= group { groups.append([Double](repeating: 0, count: width)) }
    for (index, value) in values.enumerated() { groups[group][index] += value }
  }

  /// Whether nothing was added.
  package var isEmpty: Bool { groups.isEmpty }

  /// The sums of all groups.
  package var totals: [Double] {
    groups.reduce(into: [Double](repeating: 0, count: width)) { totals, group in
      for (index, value) in group.enumerated() { totals[index] += value }
    }
  }

  /// A figure with its standard error, which is not a number for fewer than two groups.
  ///
  /// - Parameter figure: Makes the figure of sums.
  /// - Returns: The figure.
  package func estimate(_ figure: ([Double]) -> Double) -> MeanAndError {
    let totals = totals
    let value = figure(totals)
    let own = groups.filter { group in group.contains { $0 != 0 } }
    guard own.count > 1, value.isFinite else {
      return MeanAndError(value: value, standardError: .nan)
    }
    let without = own.map { group in figure(zip(totals, group).map { $0 - $1 }) }
    return .jackknife(value, without: without)
  }
}
