import Diagnostics
import LSTMCore
import MatrixCompression
import ModelCompression
import OrderedJSON
import TestSupport
import Testing

/// Plans as files: what they say, what is refused, and what they do.
@Suite struct PlanFileTests {
  private static let text = """
    {"version": 1, "rules": [
      {"layers": ["NAME"], "directions": ["forward"], "matrices": ["input"], "gates": ["input", "forget"],
       "bits": 2, "group": 8},
      {"matrices": ["recurrent"], "rank": 4, "bits": "ternary"},
      {"matrices": ["recurrent", "input"], "gates": ["cell"], "keep": "it matters"},
      {"matrices": ["input"], "energy": 0.5},
      {"matrices": ["input"], "energy": 0.5, "layout": "joint"},
      {"matrices": ["recurrent"], "rank": 4, "layout": "stacked", "bits": 2, "group": 8},
      {"matrices": ["dense"], "round": 0.2, "clip": 0.4},
      {"bits": 16}
    ]}
    """

  private func plan(_ text: String) throws(DiagnosticError) -> CompressionPlan {
    try CompressionPlan(json: Array(text.utf8))
  }

  @Test func rulesAreReadAndWritten() throws {
    let plan = try plan(Self.text)
    #expect(
      plan.rules == [
        CompressionPlan.Rule(
          layers: ["NAME"], directions: [.forward], roles: [.input], gates: [.input, .forget],
          treatment: .quantize("2", groupSize: 8)),
        CompressionPlan.Rule(
          roles: [.recurrent], treatment: .steps([.rank(4), .quantize("ternary", groupSize: nil)])),
        CompressionPlan.Rule(
          roles: [.input, .recurrent], gates: [.cell],
          treatment: .keep(reason: "it matters", isChoice: true)),
        CompressionPlan.Rule(roles: [.input], treatment: .energy(0.5)),
        CompressionPlan.Rule(roles: [.input], treatment: .energy(0.5, layout: .joint)),
        CompressionPlan.Rule(
          roles: [.recurrent],
          treatment: .steps([.rank(4, layout: .stacked), .quantize("2", groupSize: 8)])),
        CompressionPlan.Rule(
          roles: [.dense], treatment: .round(try Rounding(step: 0.2, clip: 0.4))),
        CompressionPlan.Rule(
          roles: Set(MatrixPath.Role.allCases), treatment: .quantize("16", groupSize: nil)),
      ])
    let again = try CompressionPlan(json: Array(plan.json.serialized().utf8))
    #expect(again == plan)
  }

  @Test func matricesAreTreatedByTheFirstRuleThatFits() throws {
    var model = Model.seeded()
    let name = try #require(model.matrices.first { $0.path.isLSTM }).path.layer
    let plan = try plan(Self.text.replacing("NAME", with: name))
    try plan.check(for: model)
    let report = try ModelCompressor(plan: plan, threads: 2).compress(&model)
    for outcome in report.matrices {
      let path = outcome.path
      let storage = outcome.storageAfter
      switch (path.role, path.gate) {
      case (.input, .input?) where path.layer == name && path.direction == .forward,
        (.input, .forget?) where path.layer == name && path.direction == .forward:
        #expect(storage == "codebook2", "\(path): \(storage)")
        #expect(outcome.bitsPerWeight > 4, "groups of 8 have a codebook each")
      case (.recurrent, _):
        #expect(storage.hasPrefix("rank 4: ternary"), "\(path): \(storage)")
      case (.input, .cell?): #expect(outcome.result == .left(reason: "it matters", isChoice: true))
      case (.input, _): #expect(storage.hasPrefix("rank "), "\(path): \(storage)")
      case (.dense, _): #expect(storage.hasPrefix("uniform"), "\(path): \(storage)")
      default: #expect(storage.contains("float16"), "\(path): \(storage)")
      }
    }
  }

  @Test(arguments: [
    ("[]", "is no JSON object with 'version' and 'rules'"),
    (#"{"version": 2, "rules": []}"#, "has no 'version' 1, the one that this lstmpack reads"),
    (
      #"{"version": 1, "rules": [], "name": 3}"#,
      "has an unknown key 'name'; a plan has 'version', 'rules' and 'options'"
    ),
    (#"{"version": 1, "rules": 7}"#, "has no list of up to 100000 'rules'"),
    (#"{"version": 1, "rules": [7]}"#, "rule 1: is no JSON object"),
    (
      #"{"version": 1, "rules": [{"bits": 2}, {"bit": 2}]}"#,
      "rule 2: has an unknown key 'bit'; a rule has layers, directions, matrices, gates, keep, rank, "
        + "energy, layout, bits, group, round, clip"
    ),
    (
      #"{"version": 1, "rules": [{"gates": ["in"], "bits": 2}]}"#,
      "rule 1: 'gates' does not know 'in'; it takes input, forget, cell, output"
    ),
    (#"{"version": 1, "rules": [{"layers": []}]}"#, "rule 1: 'layers' is no list of names"),
    (
      #"{"version": 1, "rules": [{"rank": 3, "energy": 0.5}]}"#,
      "rule 1: has both 'rank' and 'energy'"
    ),
    (#"{"version": 1, "rules": [{"rank": 0}]}"#, "rule 1: 'rank' takes a number from 1 to 65536"),
    (
      #"{"version": 1, "rules": [{"rank": 3, "layout": "join"}]}"#,
      "rule 1: 'layout' is none of gate, stacked, joint; did you mean 'joint'?"
    ),
    (
      #"{"version": 1, "rules": [{"bits": 3, "layout": "joint"}]}"#,
      "rule 1: has 'layout' without 'rank' or 'energy'"
    ),
    (#"{"version": 1, "rules": [{"group": 8}]}"#, "rule 1: has 'group' without 'bits'"),
    (
      #"{"version": 1, "rules": [{"keep": "so", "bits": 2}]}"#,
      "rule 1: 'keep' is a reason, and goes with no other treatment"
    ),
    (
      #"{"version": 1, "rules": [{"gates": ["cell"]}]}"#,
      "rule 1: has no treatment; give 'keep', 'rank' or 'energy', 'bits', factors and bits, or 'round'"
    ),
  ])
  func badPlansAreRefusedInTheseWords(text: String, error: String) {
    #expect(throws: DiagnosticError.self) { try plan(text) }
    let found = Result { try plan(text) }
    if case .failure(let failure) = found { #expect("\(failure)" == error) }
  }

  @Test func layersThatAreNotThereAreNamed() throws {
    let plan = try plan(Self.text)
    let found = Result { try plan.check(for: Model.seeded()) }
    guard case .failure(let error) = found else {
      Issue.record("the layer NAME is not in the model")
      return
    }
    #expect(
      "\(error)".hasPrefix("rule 1: names the layer 'NAME', which has no matrix in the model"))
  }
}
