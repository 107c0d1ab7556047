import LSTMCore
import MatrixCompression
public import ModelCompression
import ModelEvaluation

/// What an analysis of weights comes to, in words, with the command to type next.
public struct Verdict: Equatable, Sendable {
  /// The sentences, one a line.
  public var sentences: [String]
  /// The next command without the program and the model, for example `["quantize", "--bits", "4"]`.
  public var nextCommand: [String]

  /// The relative error of weights up to which a bit width is recommended from weights alone.
  ///
  /// Weight errors of 0.2 moved the perplexity of two word-level language models by less than
  /// 1 %, 0.35 by 3 %, 0.45 by 10 %, 0.6 by more than half. It is a guide; data decides.
  public static let recommendedError = 0.2

  /// The share of energy at half the break-even rank from which low rank is recommended.
  public static let recommendedEnergy = 0.98

  /// Sums up an analysis.
  ///
  /// - Parameters:
  ///   - analyses: Of all matrices of a model; must not be empty.
  ///   - data: What running the model told, if it was run.
  public init(_ analyses: [MatrixAnalysis], data: DataAnalysis? = nil) {
    let gates = Gate.allCases.map { gate in
      GateSummary(gate: gate, matrices: analyses.filter { $0.path.gate == gate })
    }
    let all = GateSummary(gate: .input, matrices: analyses)
    sentences = [
      Self.bitSentence(all), Self.gateSentence(gates), Self.rankSentence(gates, all),
    ]
    let dead = analyses.reduce(0) { $0 + $1.deadRows }
    if dead > 0 {
      sentences.append(
        "\(dead) rows are dead: their units hardly see this input and could be removed.")
    }
    if let direct = data?.direct {
      sentences += Self.measuredSentences(direct, data?.suggestion)
      if let command = Self.measuredCommand(direct) {
        nextCommand = command
        return
      }
    } else {
      sentences.append(
        "This is the error of the weights; what it does to the outputs only data can tell.")
    }
    nextCommand =
      if all.energyAtHalfBreakEven >= Self.recommendedEnergy {
        ["lowrank", "--energy", "\(Self.recommendedEnergy)"]
      } else {
        ["quantize", "--bits", all.fewestBits(error: Self.recommendedError) ?? "8"]
      }
  }

  // MARK: - Measured

  private static func measuredSentences(
    _ direct: DirectMeasurement, _ suggestion: DataAnalysis.Suggestion?
  ) -> [String] {
    var sentences: [String] = []
    let only = direct.candidates.filter { $0.scope == .only }
    var worst: [(Gate, Double)] = []
    for gate in Gate.allCases {
      let changes = only.filter { $0.path.gate == gate && $0.treatment.phrase == "2 bits" }
        .compactMap(\.change).filter(\.isFinite)
      if !changes.isEmpty { worst.append((gate, changes.reduce(0, +))) }
    }
    worst.sort { $0.1 < $1.1 }
    if let low = worst.first, let high = worst.last, high.1 > 0, high.1 > 1.5 * low.1 {
      sentences.append(
        "Measured one by one and added up, 2 bits in the matrices of the \(high.0) gate cost "
          + "\(change(high.1, direct)) of \(direct.original.metric), in those of the \(low.0) gate "
          + "\(change(low.1, direct)).")
    }
    if let suggestion {
      let bits = suggestion.plan.rules.count
      sentences.append(
        "The suggested plan (\(bits) rule\(bits == 1 ? "" : "s")) makes "
          + "\(direct.original.metric) \(change(suggestion.change, direct)) worse.")
    } else {
      sentences.append(
        "No treatment keeps \(direct.original.metric) within "
          + "\(change(DataAnalyzer.suggestedChange, direct)) of the original.")
    }
    return sentences
  }

  /// The smallest of the treatments of all matrices alike that costs little enough.
  private static func measuredCommand(_ direct: DirectMeasurement) -> [String]? {
    let bearable = direct.uniform.filter {
      ($0.change ?? .infinity) <= DataAnalyzer.suggestedChange
    }.sorted { $0.byteCount < $1.byteCount }
    switch bearable.first?.treatment {
    case .quantize(let name, _): return ["quantize", "--bits", name]
    case .rank(let rank): return ["lowrank", "--rank", "\(rank)"]
    default: return nil
    }
  }

  private static func change(_ change: Double, _ direct: DirectMeasurement) -> String {
    direct.original.value == 0
      ? "\((change * 10_000).rounded() / 10_000)" : percent(abs(change))
  }

  /// The plan that weights alone suggest: for each matrix the fewest bits with at most
  /// ``recommendedError``.
  ///
  /// - Parameter analyses: Of all matrices of a model.
  /// - Returns: The plan.
  public static func plan(_ analyses: [MatrixAnalysis]) -> CompressionPlan {
    let names = analyses.map { analysis in
      analysis.quantizationErrors.first { $0.relativeError <= recommendedError }?.quantizer ?? "8"
    }
    let common = Set(names).max { a, b in
      (names.count { $0 == a }, b) < (names.count { $0 == b }, a)
    }
    let roles: Set<MatrixPath.Role> = [.input, .recurrent, .projection]
    var rules: [CompressionPlan.Rule] = []
    for (analysis, name) in zip(analyses, names) where name != common {
      rules.append(
        CompressionPlan.Rule(
          layers: [analysis.path.layer], directions: analysis.path.direction.map { [$0] },
          roles: [analysis.path.role],
          gates: analysis.path.gate.map { [$0] } ?? Set(Gate.allCases),
          treatment: .quantize(name, groupSize: nil)))
    }
    if let common {
      rules.append(
        CompressionPlan.Rule(roles: roles, treatment: .quantize(common, groupSize: nil)))
    }
    return CompressionPlan(rules: rules)
  }

  // MARK: - Weights

  private static func bitSentence(_ all: GateSummary) -> String {
    let parts = ["4", "2", "ternary", "1"].compactMap { name in
      all.errors.first { $0.quantizer == name }.map {
        "\(percent($0.relativeError)) at \(Quantizers.phrase(name))"
      }
    }
    return "Relative error of the LSTM weights: \(parts.joined(separator: ", "))."
  }

  private static func gateSentence(_ gates: [GateSummary]) -> String {
    let ordered = gates.compactMap { summary in
      summary.errors.first { $0.quantizer == "2" }.map { (summary.gate, $0.relativeError) }
    }.sorted { $0.1 < $1.1 }
    guard let best = ordered.first, let worst = ordered.last else { return "" }
    if worst.1 < 1.1 * best.1 {
      return "The four gates bear low bits alike "
        + "(\(percent(best.1)) to \(percent(worst.1)) at 2 bits)."
    }
    return "The \(best.0) gate bears low bits best (\(percent(best.1)) at 2 bits), "
      + "the \(worst.0) gate worst (\(percent(worst.1)))."
  }

  private static func rankSentence(_ gates: [GateSummary], _ all: GateSummary) -> String {
    let ordered = gates.sorted { $0.energyAtHalfBreakEven > $1.energyAtHalfBreakEven }
    guard let best = ordered.first, let worst = ordered.last else { return "" }
    let advice =
      all.energyAtHalfBreakEven >= recommendedEnergy
      ? "low rank suits this model"
      : "low rank alone would lose \(percent(1 - all.energyAtHalfBreakEven)) of the energy"
    return "Half the break-even rank keeps \(percent(best.energyAtHalfBreakEven)) of the energy "
      + "in the \(best.gate) gate, \(percent(worst.energyAtHalfBreakEven)) in the \(worst.gate) "
      + "gate: \(advice)."
  }

  private static func percent(_ share: Double) -> String {
    let tenths = (share * 1000).rounded() / 10
    return tenths >= 10 ? "\(Int(tenths.rounded())) %" : "\(tenths) %"
  }
}

/// Some matrices seen together, each weighted by its energy.
private struct GateSummary {
  let gate: Gate
  /// √(Σ‖W − Ŵ‖² / Σ‖W‖²) for each quantizer, in the order of `Quantizers.all`.
  let errors: [(quantizer: String, relativeError: Double)]
  /// The share of Σ‖W‖² that half of each break-even rank keeps.
  let energyAtHalfBreakEven: Double

  init(gate: Gate, matrices: [MatrixAnalysis]) {
    self.gate = gate
    let energy = matrices.reduce(0) { $0 + $1.norm * $1.norm }
    errors = Quantizers.all.map { quantizer in
      let lost = matrices.reduce(0.0) {
        let error = ($1.relativeError(of: quantizer.name) ?? 0) * $1.norm
        return $0 + error * error
      }
      return (quantizer.name, energy > 0 ? (lost / energy).squareRoot() : 0)
    }
    let kept = matrices.reduce(0.0) {
      $0 + $1.energy(atRank: $1.breakEvenRank / 2) * $1.norm * $1.norm
    }
    energyAtHalfBreakEven = energy > 0 ? kept / energy : 1
  }

  /// The quantizer with the fewest bits whose error is at most `error`.
  func fewestBits(error: Double) -> String? {
    // `Quantizers.all` is in order: fewest bits first.
    errors.first { $0.relativeError <= error }?.quantizer
  }
}
