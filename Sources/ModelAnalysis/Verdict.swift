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
  /// Where costs were measured, what is said of treatments follows from them alone; the errors of
  /// weights are named as that, and decide only where nothing was measured.
  ///
  /// - Parameters:
  ///   - analyses: Of all matrices of a model; must not be empty.
  ///   - data: What running the model told, if it was run.
  ///   - canSearch: Whether a search can score models as the analysis did.
  public init(
    _ analyses: [MatrixAnalysis], data: DataAnalysis? = nil, canSearch: Bool = false
  ) {
    let gates = Gate.allCases.map { gate in
      GateSummary(gate: gate, matrices: analyses.filter { $0.path.gate == gate })
    }
    let all = GateSummary(gate: .input, matrices: analyses)
    sentences = [Self.bitSentence(all)]
    let dead = analyses.reduce(0) { $0 + $1.deadRows }
    let deadSentences =
      dead > 0
      ? ["\(dead) rows are dead: their units hardly see this input and could be removed."] : []
    if let data, let direct = data.direct {
      sentences += deadSentences + Self.measuredSentences(direct, data)
      nextCommand =
        canSearch
        ? ["search", "--max-drop", "1%"]
        : Self.measuredCommand(direct) ?? ["quantize", "--bits", "8"]
    } else {
      sentences += [Self.gateSentence(gates), Self.rankSentence(gates, all)] + deadSentences
      sentences.append(
        "This is the error of the weights; what it does to the outputs only data can tell.")
      nextCommand =
        if all.energyAtHalfBreakEven >= Self.recommendedEnergy {
          ["lowrank", "--energy", "\(Self.recommendedEnergy)"]
        } else {
          ["quantize", "--bits", all.fewestBits(error: Self.recommendedError) ?? "8"]
        }
    }
  }

  // MARK: - Measured

  private static func measuredSentences(
    _ direct: DirectMeasurement, _ data: DataAnalysis
  ) -> [String] {
    var sentences = [uniformSentence(direct)]
    let only = direct.candidates.filter {
      $0.scope == .only && !direct.unexercised.contains($0.path)
    }
    var worst: [(gate: Gate, cost: Double, error: Double)] = []
    for gate in Gate.allCases {
      let cells = only.filter { $0.path.gate == gate && $0.treatment.phrase == "2 bits" }
        .filter { $0.change?.isFinite ?? false }
      guard !cells.isEmpty else { continue }
      let squares = cells.compactMap(\.changeError).reduce(0) { $0 + $1 * $1 }
      worst.append(
        (gate, cells.compactMap(\.change).reduce(0, +), squares.squareRoot()))
    }
    worst.sort { $0.cost < $1.cost }
    if let low = worst.first, let high = worst.last, high.cost > 0, high.cost > 1.5 * low.cost,
      !DirectMeasurement.isNoise(
        high.cost - low.cost, error: (high.error * high.error + low.error * low.error).squareRoot())
    {
      sentences.append(
        "Measured one by one and added up, 2 bits in the matrices of the \(high.gate) gate cost "
          + "\(change(high.cost, direct)) of \(direct.original.metric), in those of the \(low.gate) "
          + "gate \(change(low.cost, direct)).")
    }
    if !direct.unexercised.isEmpty {
      let count = direct.unexercised.count
      sentences.append(
        "\(count) \(count == 1 ? "matrix was" : "matrices were") not exercised: no treatment changed "
          + "any output, so nothing is known of \(count == 1 ? "its" : "their") cost.")
    }
    if let suggestion = data.suggestion, suggestion.plan.compressesSomething {
      let rules = suggestion.plan.rules.count
      sentences.append(
        "The suggested plan (\(rules) rule\(rules == 1 ? "" : "s")) costs "
          + "\(change(suggestion.change, direct, error: suggestion.changeError)) of "
          + "\(direct.original.metric).")
    } else {
      sentences.append(
        "No plan that was tried keeps \(direct.original.metric) within "
          + "\(change(DataAnalyzer.suggestedChange, direct)) of the original.")
    }
    return sentences
  }

  /// What the treatments of all matrices alike cost, the smallest within the limit first.
  private static func uniformSentence(_ direct: DirectMeasurement) -> String {
    let known = direct.uniform.filter { $0.change?.isFinite ?? false }
      .sorted { $0.byteCount < $1.byteCount }
    let name = direct.original.metric
    let others = direct.unexercised.isEmpty ? "" : ", as far as they were exercised"
    guard let least = known.min(by: { ($0.change ?? 0) < ($1.change ?? 0) }) else {
      return "No treatment of all matrices alike has a score."
    }
    func cost(_ uniform: DirectMeasurement.Uniform) -> String {
      "\(uniform.treatment.phrase) costs "
        + change(uniform.change ?? 0, direct, error: uniform.changeError)
    }
    guard
      let best = known.first(where: { ($0.change ?? .infinity) <= DataAnalyzer.suggestedChange })
    else {
      return "No treatment of all LSTM matrices alike keeps \(name) within "
        + "\(change(DataAnalyzer.suggestedChange, direct)); the least, \(cost(least)) of it\(others)."
    }
    let next = known.last { $0.byteCount < best.byteCount }
    return "Of the treatments of all LSTM matrices alike, the smallest that keeps \(name) within "
      + "\(change(DataAnalyzer.suggestedChange, direct)) is \(best.treatment.phrase): it costs "
      + change(best.change ?? 0, direct, error: best.changeError)
      + (next.map { "; \(cost($0))" } ?? "") + others + "."
  }

  /// The smallest of the treatments of all matrices alike that costs little enough, or the one that
  /// costs least; `nil` when some matrices were not exercised, of which nobody knows.
  private static func measuredCommand(_ direct: DirectMeasurement) -> [String]? {
    guard direct.unexercised.isEmpty else { return nil }
    let known = direct.uniform.filter { $0.change?.isFinite ?? false }
    let bearable = known.filter {
      ($0.change ?? .infinity) <= DataAnalyzer.suggestedChange
    }.min { $0.byteCount < $1.byteCount }
    let chosen = bearable ?? known.min { ($0.change ?? 0) < ($1.change ?? 0) }
    switch chosen?.treatment {
    case .quantize(let name, _): return ["quantize", "--bits", name]
    case .rank(let rank, _): return ["lowrank", "--rank", "\(rank)"]
    default: return nil
    }
  }

  /// A share as per cent, or a distance; with its standard error where that is known.
  private static func change(
    _ change: Double, _ direct: DirectMeasurement, error: Double? = nil
  ) -> String {
    func text(_ value: Double) -> String {
      direct.original.value == 0 ? digits(value, 3) : digits(value * 100, 2) + " %"
    }
    guard let error, error > 0 else { return text(change) }
    return text(change) + " ± " + text(error)
  }

  /// A number with so many significant digits.
  private static func digits(_ value: Double, _ count: Int) -> String {
    guard value != 0, value.isFinite else { return "0" }
    var unit = 1.0
    while abs(value) / unit >= 10 { unit *= 10 }
    while abs(value) / unit < 1 { unit /= 10 }
    var step = unit
    for _ in 1..<count { step /= 10 }
    let rounded =
      step >= 1 ? (value / step).rounded() * step : (value / step).rounded() / (1 / step)
    return rounded == rounded.rounded() && abs(rounded) < 1e15
      ? "\(Int(rounded))" : "\(Float(rounded))"
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
      return "By the error of their weights the four gates bear low bits alike "
        + "(\(percent(best.1)) to \(percent(worst.1)) at 2 bits)."
    }
    return
      "By the error of its weights the \(best.0) gate bears low bits best (\(percent(best.1)) at 2 bits), "
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
