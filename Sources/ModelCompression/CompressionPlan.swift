public import LSTMCore
public import MatrixCompression

/// Which matrix gets which treatment: the first rule that matches a matrix decides.
public struct CompressionPlan: Equatable, Sendable {
  /// The rules, most specific first.
  public var rules: [Rule]
  /// The options with which `compress` makes the model that the plan was scored by: what it is calibrated on.
  public var options: [String]

  /// Creates a plan.
  public init(rules: [Rule], options: [String] = []) {
    self.rules = rules
    self.options = options
  }

  /// A treatment for the matrices of some roles and gates.
  public struct Rule: Equatable, Sendable {
    /// The layers that the rule is for, by the names in matrix paths; `nil` for all.
    public var layers: Set<String>?
    /// The directions that the rule is for; `nil` for all, and matrices without one always match.
    public var directions: Set<Direction>?
    /// The roles that the rule is for.
    public var roles: Set<MatrixPath.Role>
    /// The gates that the rule is for; matrices without a gate always match.
    public var gates: Set<Gate>
    /// What is done.
    public var treatment: Treatment

    /// Creates a rule.
    public init(
      layers: Set<String>? = nil, directions: Set<Direction>? = nil,
      roles: Set<MatrixPath.Role>, gates: Set<Gate> = Set(Gate.allCases), treatment: Treatment
    ) {
      self.layers = layers
      self.directions = directions
      self.roles = roles
      self.gates = gates
      self.treatment = treatment
    }

    /// Whether the rule is for a matrix.
    public func matches(_ path: MatrixPath) -> Bool {
      roles.contains(path.role) && layers?.contains(path.layer) ?? true
        && path.direction.map { directions?.contains($0) ?? true } ?? true
        && path.gate.map(gates.contains) ?? true
    }
  }

  /// Whether the plan takes singular values of any matrix.
  var factorsMatrices: Bool {
    rules.contains { $0.treatment.factorsMatrices }
  }

  /// Whether the plan quantizes any LSTM matrix of a model, so that its codes can be calibrated.
  public func hasCodesToChoose(in model: Model) -> Bool {
    model.matrices.contains { path, _ in
      if path.isLSTM, case .quantize = treatment(of: path) { true } else { false }
    }
  }

  /// What the plan says of a matrix; `nil` when no rule matches.
  public func treatment(of path: MatrixPath) -> Treatment? {
    rules.first { $0.matches(path) }?.treatment
  }
}

/// What is done to one matrix.
public enum Treatment: Equatable, Sendable {
  /// The matrix stays as it is; the reason is for the report.
  case keep(reason: String, isChoice: Bool)
  /// Truncated SVD to a rank, of each matrix or of those that the layout takes together.
  case rank(Int, layout: FactorLayout = .gate)
  /// Truncated SVD to the smallest rank that keeps this share of the energy, Σσ², above 0 and
  /// at most 1.
  case energy(Double, layout: FactorLayout = .gate)
  /// The quantizer of that name (`Quantizers.all`), with a scale for each `groupSize` elements of a
  /// row; for each row when `nil`.
  case quantize(String, groupSize: Int?)
  /// Multiples of a step.
  case round(Rounding)
  /// One after the other: factors, then the quantizer that packs them.
  ///
  /// A matrix for which one of them cannot be done is left as it is.
  case steps([Treatment])

  /// The treatment in a table: `2 bits`, `rank 16`, `rank 16 at 4 bits`, `as it is`.
  public var phrase: String {
    switch self {
    case .keep: return "as it is"
    case .rank(let rank, let layout): return "rank \(rank)" + layout.suffix
    case .energy(let share, let layout): return "energy \(share)" + layout.suffix
    case .quantize(let name, let groupSize):
      let bits = name == "1" ? "1 bit" : Int(name) == nil ? name : "\(name) bits"
      return bits + (groupSize.map { " in groups of \($0)" } ?? "")
    case .round(let rounding): return rounding.phrase
    case .steps(let steps): return steps.map(\.phrase).joined(separator: " at ")
    }
  }

  /// What is said of factors that several gates have in common, beside how they are stored.
  var sharing: String {
    switch self {
    case .rank(_, let layout), .energy(_, let layout):
      layout == .gate ? "" : ", \(layout.rawValue)"
    case .steps(let steps): steps.first?.sharing ?? ""
    case .keep, .quantize, .round: ""
    }
  }

  /// Whether it takes singular values.
  fileprivate var factorsMatrices: Bool {
    switch self {
    case .rank, .energy: true
    case .keep, .quantize, .round: false
    case .steps(let steps): steps.contains(where: \.factorsMatrices)
    }
  }
}

extension FactorLayout {
  /// What follows a rank in a phrase: nothing for each gate alone, which is the paper's form.
  fileprivate var suffix: String { self == .gate ? "" : " \(rawValue)" }
}
