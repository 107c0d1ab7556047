public import Diagnostics
public import LSTMCore
import MatrixCompression
public import OrderedJSON

/// Plans as JSON files; `formats/plan/README.md` describes them.
extension CompressionPlan {
  /// The version of the files.
  private static let version = 1
  /// The most rules of a plan.
  private static let ruleLimit = 100_000
  /// The most words of its options.
  private static let optionLimit = 64

  /// Reads a plan.
  ///
  /// - Throws: ``DiagnosticError`` with code `badPlan` that names the rule and the key, and what JSON
  ///   throws.
  public init(json bytes: [UInt8]) throws(DiagnosticError) {
    let json = try JSONValue.parse(bytes)
    guard let object = json.objectValue else {
      throw PlanError.make("is no JSON object with 'version' and 'rules'")
    }
    for member in object.members where !["version", "rules", "options"].contains(member.key) {
      throw PlanError.make(
        "has an unknown key '\(member.key)'", hint: "a plan has 'version', 'rules' and 'options'")
    }
    guard object["version"]?.intValue == Self.version else {
      throw PlanError.make("has no 'version' \(Self.version), the one that this lstmpack reads")
    }
    guard let list = object["rules"]?.arrayValue, list.count <= Self.ruleLimit else {
      throw PlanError.make("has no list of up to \(Self.ruleLimit) 'rules'")
    }
    options = []
    if let value = object["options"] {
      let words = value.arrayValue?.compactMap(\.stringValue)
      guard let words, words.count == value.arrayValue?.count, words.count <= Self.optionLimit
      else { throw PlanError.make("'options' is no list of up to \(Self.optionLimit) words") }
      options = words
    }
    rules = []
    for (index, value) in list.enumerated() {
      do throws(DiagnosticError) { rules.append(try PlanRule(value).rule()) } catch {
        throw error.atObject("rule \(index + 1)")
      }
    }
  }

  /// The plan as a JSON object.
  public var json: JSONValue {
    var object: JSONObject = [
      "version": .integer(Self.version), "rules": .array(rules.map(PlanRule.json)),
    ]
    if !options.isEmpty { object["options"] = .array(options.map { .string($0) }) }
    return .object(object)
  }

  /// Checks that every layer which a rule names is in a model.
  ///
  /// - Throws: ``DiagnosticError`` with code `badPlan` that names the rule and the layer.
  public func check(for model: Model) throws(DiagnosticError) {
    let known = Set(model.matrices.map(\.path.layer))
    for (index, rule) in rules.enumerated() {
      for layer in (rule.layers ?? []).sorted() where !known.contains(layer) {
        throw PlanError.make(
          "names the layer '\(layer)', which has no matrix in the model",
          hint: "the model has \(known.sorted().prefix(20).joined(separator: ", "))"
        ).atObject("rule \(index + 1)")
      }
    }
  }
}

private enum PlanError {
  static func make(_ problem: String, hint: String? = nil) -> DiagnosticError {
    DiagnosticError(.badPlan, problem, hint: hint)
  }
}

/// One rule of a plan as JSON.
private struct PlanRule {
  private static let keys = [
    "layers", "directions", "matrices", "gates", "keep", "rank", "energy", "layout", "bits",
    "group",
    "round", "clip",
  ]

  private let object: JSONObject

  init(_ value: JSONValue) throws(DiagnosticError) {
    guard let object = value.objectValue else { throw PlanError.make("is no JSON object") }
    for member in object.members where !Self.keys.contains(member.key) {
      throw PlanError.make(
        "has an unknown key '\(member.key)'",
        hint: "a rule has \(Self.keys.joined(separator: ", "))")
    }
    self.object = object
  }

  func rule() throws(DiagnosticError) -> CompressionPlan.Rule {
    let roles = try set("matrices", MatrixPath.Role.allCases) { MatrixPath.Role(rawValue: $0) }
    let gates = try set("gates", Gate.allCases) { Gate(name: $0) }
    let directions = try set("directions", Direction.allCases) { Direction(rawValue: $0) }
    return CompressionPlan.Rule(
      layers: try texts("layers").map(Set.init), directions: directions,
      roles: roles ?? Set(MatrixPath.Role.allCases), gates: gates ?? Set(Gate.allCases),
      treatment: try treatment())
  }

  private func texts(_ key: String) throws(DiagnosticError) -> [String]? {
    guard let value = object[key] else { return nil }
    let texts = value.arrayValue?.compactMap(\.stringValue)
    guard let texts, texts.count == value.arrayValue?.count, !texts.isEmpty else {
      throw PlanError.make("'\(key)' is no list of names")
    }
    return texts
  }

  private func set<Item: Hashable>(
    _ key: String, _ all: [Item], _ item: (String) -> Item?
  ) throws(DiagnosticError) -> Set<Item>? {
    guard let names = try texts(key) else { return nil }
    var items: Set<Item> = []
    for name in names {
      guard let found = item(name) else {
        throw PlanError.make(
          "'\(key)' does not know '\(name)'",
          hint: "it takes \(all.map { "\($0)" }.joined(separator: ", "))"
        ).suggesting(for: name, among: all.map { "\($0)" })
      }
      items.insert(found)
    }
    return items
  }

  private func treatment() throws(DiagnosticError) -> Treatment {
    if let keep = object["keep"] {
      guard let reason = keep.stringValue, object["rank"] == nil, object["energy"] == nil,
        object["bits"] == nil, object["round"] == nil, object["layout"] == nil
      else { throw PlanError.make("'keep' is a reason, and goes with no other treatment") }
      return .keep(reason: reason, isChoice: true)
    }
    if object["round"] != nil || object["clip"] != nil { return try rounding() }
    var steps: [Treatment] = []
    switch (object["rank"], object["energy"]) {
    case (nil, nil):
      guard object["layout"] == nil else {
        throw PlanError.make("has 'layout' without 'rank' or 'energy'")
      }
    case (.some(let value), nil):
      guard let rank = value.intValue, (1...65536).contains(rank) else {
        throw PlanError.make("'rank' takes a number from 1 to 65536")
      }
      steps.append(.rank(rank, layout: try layout()))
    case (nil, .some(let value)):
      guard let share = value.doubleValue, share > 0, share <= 1 else {
        throw PlanError.make("'energy' takes a number above 0 and up to 1")
      }
      steps.append(.energy(share, layout: try layout()))
    case (.some, .some): throw PlanError.make("has both 'rank' and 'energy'")
    }
    if let value = object["bits"] {
      let name = value.stringValue ?? value.intValue.map(String.init) ?? ""
      guard Quantizers.quantizer(named: name) != nil else {
        throw PlanError.make(
          "'bits' takes \(Quantizers.all.map(\.name).joined(separator: ", "))")
      }
      let group = object["group"]
      guard group.map({ (2...65536).contains($0.intValue ?? 0) }) ?? true else {
        throw PlanError.make("'group' takes a number from 2 to 65536")
      }
      steps.append(.quantize(name, groupSize: group?.intValue))
    } else if object["group"] != nil {
      throw PlanError.make("has 'group' without 'bits'")
    }
    guard let first = steps.first else {
      throw PlanError.make(
        "has no treatment",
        hint: "give 'keep', 'rank' or 'energy', 'bits', factors and bits, or 'round'")
    }
    return steps.count == 1 ? first : .steps(steps)
  }

  private func layout() throws(DiagnosticError) -> FactorLayout {
    guard let value = object["layout"] else { return .gate }
    guard let layout = value.stringValue.flatMap(FactorLayout.init) else {
      let all = FactorLayout.allCases.map(\.rawValue)
      throw PlanError.make(
        "'layout' is none of \(all.joined(separator: ", "))"
      ).suggesting(for: value.stringValue ?? "", among: all)
    }
    return layout
  }

  private func rounding() throws(DiagnosticError) -> Treatment {
    guard object["rank"] == nil, object["energy"] == nil, object["bits"] == nil,
      object["group"] == nil, object["layout"] == nil
    else { throw PlanError.make("'round' goes with 'clip' only") }
    guard let step = object["round"]?.doubleValue else {
      throw PlanError.make("'round' takes a number above 0")
    }
    let clip = object["clip"]
    guard clip == nil || clip?.doubleValue != nil else {
      throw PlanError.make("'clip' takes a number above 0")
    }
    return .round(
      try Rounding(step: step, clip: clip?.doubleValue))
  }

  static func json(_ rule: CompressionPlan.Rule) -> JSONValue {
    var object = JSONObject()
    func list(_ key: String, _ names: [String]?) {
      if let names { object[key] = .array(names.map { .string($0) }) }
    }
    list("layers", rule.layers?.sorted())
    list(
      "directions",
      rule.directions.map { directions in
        Direction.allCases.filter(directions.contains).map(\.rawValue)
      })
    if rule.roles.count < MatrixPath.Role.allCases.count {
      list("matrices", MatrixPath.Role.allCases.filter(rule.roles.contains).map(\.rawValue))
    }
    if rule.gates.count < Gate.allCases.count {
      list("gates", Gate.allCases.filter(rule.gates.contains).map(\.description))
    }
    add(rule.treatment, to: &object)
    return .object(object)
  }

  private static func add(_ treatment: Treatment, to object: inout JSONObject) {
    switch treatment {
    case .keep(let reason, _): object["keep"] = .string(reason)
    case .rank(let rank, let layout):
      object["rank"] = .integer(rank)
      add(layout, to: &object)
    case .energy(let share, let layout):
      object["energy"] = .number(share)
      add(layout, to: &object)
    case .quantize(let name, let group):
      object["bits"] = Int(name).map { .integer($0) } ?? .string(name)
      object["group"] = group.map { .integer($0) }
    case .round(let rounding):
      object["round"] = .number(rounding.step)
      object["clip"] = rounding.clip.map { .number($0) }
    case .steps(let steps): for step in steps { add(step, to: &object) }
    }
  }

  private static func add(_ layout: FactorLayout, to object: inout JSONObject) {
    if layout != .gate { object["layout"] = .string(layout.rawValue) }
  }
}
