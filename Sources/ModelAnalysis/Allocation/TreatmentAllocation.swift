/// Chooses a treatment for each matrix, from fewest bytes lost quality to most bytes saved.
///
/// The harm of several treatments is taken to add up. Then the best choices for all sizes are those of
/// a multiple-choice knapsack, and the greedy walk along the lower convex hulls of the matrices finds
/// them, up to one matrix: start with the least harm everywhere, then take again and again the step
/// that saves most bytes for the harm that it adds.
///
/// Source: Sinha and Zoltners, "The multiple-choice knapsack problem", 1979.
public struct TreatmentAllocation: Equatable, Sendable {
  /// One treatment of a matrix.
  public struct Option: Equatable, Sendable {
    /// The place of the treatment in its row of the table; `nil` for the original.
    public var cell: Int?
    /// Bytes.
    public var byteCount: Int
    /// How much worse the model is expected to be.
    public var harm: Double

    /// Creates an option.
    public init(cell: Int?, byteCount: Int, harm: Double) {
      self.cell = cell
      self.byteCount = byteCount
      self.harm = harm
    }
  }

  /// A choice for each matrix.
  public struct Choice: Equatable, Sendable {
    /// The place of a treatment in each row of the table; `nil` for the original.
    public var cells: [Int?]
    /// The bytes of all matrices.
    public var byteCount: Int
    /// The sum of the harms.
    public var harm: Double
  }

  /// The choices along the walk, each smaller than the one before.
  public let choices: [Choice]

  /// Walks.
  ///
  /// - Parameter options: For each matrix its options; at least one each.
  public init(_ options: [[Option]]) {
    let hulls = options.map(Self.hull)
    var places = [Int](repeating: 0, count: hulls.count)
    func choice() -> Choice {
      var choice = Choice(cells: [], byteCount: 0, harm: 0)
      for (hull, place) in zip(hulls, places) {
        choice.cells.append(hull[place].cell)
        choice.byteCount += hull[place].byteCount
        choice.harm += hull[place].harm
      }
      return choice
    }
    var choices = [choice()]
    while true {
      var best: (matrix: Int, price: Double)?
      for (index, hull) in hulls.enumerated() where places[index] + 1 < hull.count {
        let (from, to) = (hull[places[index]], hull[places[index] + 1])
        let price = (to.harm - from.harm) / Double(from.byteCount - to.byteCount)
        if price < best?.price ?? .infinity { best = (index, price) }
      }
      guard let best else { break }
      places[best.matrix] += 1
      choices.append(choice())
    }
    self.choices = choices
  }

  /// The first choice that fits into so many bytes; `nil` when none does.
  public func choice(fitting byteCount: Int) -> Choice? {
    choices.first { $0.byteCount <= byteCount }
  }

  /// The smallest choice whose harms add up to at most so much; `nil` when there is none.
  public func choice(harmingAtMost harm: Double) -> Choice? {
    choices.last { $0.harm <= harm }
  }

  /// The lower convex hull of harm over bytes, largest first: from the least harm on, each step saves
  /// bytes at a higher price than the one before.
  public static func hull(_ options: [Option]) -> [Option] {
    // Of equal harm the smallest; measured gains are chance, so harm is not below 0.
    let sorted = options.map {
      Option(cell: $0.cell, byteCount: $0.byteCount, harm: max(0, $0.harm))
    }.sorted { ($0.byteCount, $0.harm) < ($1.byteCount, $1.harm) }
    var hull: [Option] = []
    for option in sorted {
      // More bytes must mean less harm.
      if let last = hull.last, option.harm >= last.harm { continue }
      while hull.count >= 2 {
        let (a, b) = (hull[hull.count - 2], hull[hull.count - 1])
        let before = (a.harm - b.harm) / Double(b.byteCount - a.byteCount)
        let after = (b.harm - option.harm) / Double(option.byteCount - b.byteCount)
        if before > after { break }
        hull.removeLast()
      }
      hull.append(option)
    }
    return hull.reversed()
  }
}
