public import Diagnostics
public import LSTMCore

/// Which outputs of a model continue which of its inputs from one call to the next.
///
/// A pair is derived where an output holds, element by element and in the shape of the input, the last
/// h or c of LSTMs that begin with just these elements of the input, whatever shape operations are
/// between (``ElementTrace``). All other states, of a GRU or a convolution, are named by the user.
public struct StatePairs: Equatable, Sendable {
  /// The pairs: those that were named, then those that were derived, by name of the input.
  public var pairs: [StatePair]
  /// How many of ``pairs`` were named by the user; they come first.
  public var namedCount: Int
  /// The inputs that begin states of LSTMs, and that no output continues.
  public var unpaired: [String]
  /// Other inputs that have the shape of an output, which may be states that nobody named.
  public var candidates: [StatePair]
  /// Whether the pairs hold for several sequences at once, too.
  public var holdsForBatches: Bool
  /// Why pairs could not be derived; `nil` when they were looked for.
  public var obstacle: String?

  /// No states.
  public static let none = StatePairs(
    pairs: [], namedCount: 0, unpaired: [], candidates: [], holdsForBatches: true)

  init(
    pairs: [StatePair], namedCount: Int, unpaired: [String], candidates: [StatePair],
    holdsForBatches: Bool
  ) {
    self.pairs = pairs
    self.namedCount = namedCount
    self.unpaired = unpaired
    self.candidates = candidates
    self.holdsForBatches = holdsForBatches
  }

  /// The inputs that are fed back.
  public var inputs: Set<String> { Set(pairs.map(\.input)) }

  /// Finds the pairs of a model.
  ///
  /// - Parameters:
  ///   - model: The model; without a graph it has no pairs.
  ///   - named: Pairs that the user names; they go before those that are derived.
  /// - Throws: ``DiagnosticError`` with code `badStatePair` for a named pair of an input or output that
  ///   does not exist, of two shapes, or of an input that is named twice.
  public init(
    of model: Model, naming named: [StatePair] = []
  ) throws(DiagnosticError) {
    self = .none
    guard let graph = model.graph else {
      guard let first = named.first else { return }
      throw Self.error(first, "the file does not say how the layers are connected")
    }
    try Self.check(named, graph)
    // Nothing can continue where there is one input, or no output beside the first.
    guard graph.inputs.count > 1, !named.isEmpty || graph.outputs.count > 1 else {
      unpaired = try Self.stateInputs(of: graph)
      return
    }
    // Sizes that the file leaves open are those of a batch, as a rule; a trial with two sequences also
    // tells their order.
    let trials = graph.inputs.contains { $0.shape.contains(nil) } ? [2, 1] : [1]
    var found: ElementTrace?
    for size in trials {
      let trace: ElementTrace
      do throws(DiagnosticError) { trace = try ElementTrace(of: model, openSize: size) } catch {
        obstacle = obstacle ?? (error.object.map { "\($0): " } ?? "") + error.problem
        continue
      }
      if found == nil || trace.pairs.count > found?.pairs.count ?? 0 {
        found = trace
        holdsForBatches = size > 1 || trials.count == 1
      }
    }
    if found != nil { obstacle = nil }
    guard let found else {
      pairs = named
      namedCount = named.count
      holdsForBatches = false
      unpaired = try Self.stateInputs(of: graph)
        .filter { name in !named.contains { $0.input == name } }
      return
    }
    for pair in named {
      guard let output = found.outputShapes[pair.output], let input = found.inputShapes[pair.input],
        output != input
      else { continue }
      throw Self.error(pair, "the output has the shape \(output), the input \(input)")
    }
    let taken = Set(named.map(\.input))
    pairs = named + found.pairs.filter { !taken.contains($0.input) }
    namedCount = named.count
    let fed = inputs
    unpaired = found.stateInputs.filter { !fed.contains($0) }
    let free = graph.outputs.map(\.name).filter { name in !pairs.contains { $0.output == name } }
    candidates = graph.inputs.dropFirst().map(\.name).compactMap { input in
      guard !fed.contains(input), !unpaired.contains(input) else { return nil }
      let alike = free.dropFirst(free.first == graph.outputs.first?.name ? 1 : 0)
        .filter { found.outputShapes[$0] == found.inputShapes[input] }
      return alike.count == 1 ? StatePair(output: alike[0], input: input) : nil
    }
  }

  private static func stateInputs(of graph: ModelGraph) throws(DiagnosticError) -> [String] {
    let states = graph.stateValues().inputs
    return graph.inputs.map(\.name).filter(states.contains)
  }

  private static func check(
    _ named: [StatePair], _ graph: ModelGraph
  ) throws(DiagnosticError) {
    for (index, pair) in named.enumerated() {
      guard graph.outputs.contains(where: { $0.name == pair.output }) else {
        throw error(
          pair, "there is no output '\(pair.output)'",
          hint: "there are " + graph.outputs.map(\.name).joined(separator: ", "))
      }
      guard graph.inputs.contains(where: { $0.name == pair.input }) else {
        throw error(
          pair, "there is no input '\(pair.input)'",
          hint: "there are " + graph.inputs.map(\.name).joined(separator: ", "))
      }
      guard !named[..<index].contains(where: { $0.input == pair.input }) else {
        throw error(pair, "the input '\(pair.input)' is named twice")
      }
    }
  }

  private static func error(
    _ pair: StatePair, _ problem: String, hint: String? = nil
  ) -> DiagnosticError {
    DiagnosticError(
      .badStatePair, object: "\(pair.output)=\(pair.input)", problem,
      hint: hint ?? "--state names an output and the input of the next call that it is")
  }
}

extension DiagnosticError.Code {
  /// An output and an input that cannot be a state.
  public static let badStatePair = Self("runtime.badStatePair", .usage)
}
