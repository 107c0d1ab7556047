public import LSTMCore
public import ModelCompression

extension TreatmentTable {
  /// The plan that makes some choices, with few rules: the commonest treatment is the last rule, and
  /// the matrices that differ from it come before, those of one layer, direction and kind together.
  ///
  /// - Parameters:
  ///   - choices: For each row the place of a cell, or `nil` for the original.
  ///   - unexercised: Matrices of which the evaluation says nothing.
  ///   - reason: Why other matrices are kept as they are.
  /// - Returns: The plan.
  public func plan(
    _ choices: [Int?], unexercised: Set<MatrixPath> = [], reason: String
  ) -> CompressionPlan {
    let treatments = zip(rows, choices).map { row, choice in
      choice.map { row.cells[$0].treatment }
        ?? .keep(
          reason: unexercised.contains(row.path)
            ? "not exercised: no treatment changed any output" : reason, isChoice: true)
    }
    var common: Treatment?
    var largest = 0
    for (index, treatment) in treatments.enumerated()
    where !treatments[..<index].contains(treatment) {
      let count = treatments.count { $0 == treatment }
      if count > largest { (common, largest) = (treatment, count) }
    }
    var rules: [CompressionPlan.Rule] = []
    for (row, treatment) in zip(rows, treatments) where treatment != common {
      let last = rules.last
      if let last, last.treatment == treatment, last.layers == [row.path.layer],
        last.roles == [row.path.role], last.directions == row.path.direction.map({ [$0] }),
        let gate = row.path.gate
      {
        rules[rules.count - 1].gates.insert(gate)
      } else {
        rules.append(
          CompressionPlan.Rule(
            layers: [row.path.layer], directions: row.path.direction.map { [$0] },
            roles: [row.path.role], gates: row.path.gate.map { [$0] } ?? Set(Gate.allCases),
            treatment: treatment))
      }
    }
    if let common {
      // Other layers stay as they are.
      rules.append(
        CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: common))
    }
    return CompressionPlan(rules: rules)
  }
}

extension CompressionPlan {
  /// Whether a rule does something to a matrix, and not only keeps it.
  var compressesSomething: Bool {
    rules.contains { rule in
      if case .keep = rule.treatment { false } else { true }
    }
  }
}
