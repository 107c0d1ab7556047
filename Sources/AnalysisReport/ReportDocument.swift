public import Diagnostics
import OrderedJSON

/// The document of `analyze --json`, as far as the page shows it; formats/report describes it.
struct ReportDocument {
  /// One LSTM matrix.
  struct Matrix {
    let name: String
    let layer: String
    let direction: String
    let role: String
    let gate: String
    let rows: Int
    let columns: Int
    let singularValues: [Double]
    let stableRank: Double
    let effectiveRank: Double
    let breakEvenRank: Int
    let rank90: Int
    let rank99: Int
    let kurtosis: Double
    let deadRows: Int
    let errors: [(treatment: String, value: Double)]
    /// The matrices of one layer, direction and role belong together.
    var group: String { direction.isEmpty ? "\(layer)/\(role)" : "\(layer)/\(direction)/\(role)" }
  }

  /// One gate on data.
  struct Gate {
    let layer: String
    let direction: String
    let gate: String
    let share: Double
    let slope: Double?
    let histogram: [Int]
    let range: [Double]
    let sensitivity: [Double?]
  }

  /// One matrix under one treatment.
  struct Candidate {
    let matrix: String
    let treatment: String
    let scope: String
    let byteCount: Int
    let value: Double?
    let change: Double?
    /// The standard error of the change.
    let changeError: Double?
    let isNoise: Bool
    let isExercised: Bool
    let divergence: Double?
    let drift: [(step: Int, h: Double?, c: Double?)]
  }

  /// A plan in size against quality.
  struct Point {
    let name: String
    let byteCount: Int
    let change: Double?
    let isSuggested: Bool
  }

  let file: String
  let lstmByteCount: Int
  let matrices: [Matrix]
  let origin: String?
  let gates: [Gate]
  let metric: String
  let original: Double
  let items: Int?
  let driftSequences: Int
  let treatments: [String]
  let candidates: [Candidate]
  let failures: [(name: String, reason: String)]
  let expected: [(matrix: String, treatment: String, value: Double)]
  let rankCorrelation: Double?
  let rankCorrelationWithChange: Double?
  let misleading: [(matrix: String, treatment: String, predicted: Double, direct: Double)]
  let frontier: [Point]
  let plan: String
  let notRun: [(name: String, reason: String)]
  let notes: [String]
  let left: [(name: String, reason: String, byteCount: Int)]
  let verdict: [String]
  let nextCommand: String

  /// Reads a document.
  ///
  /// - Throws: `DiagnosticError` for one that `analyze` did not write.
  init(_ json: JSONValue) throws(DiagnosticError) {
    guard json["command"]?.stringValue == "analyze", json["schema"]?.intValue == 2,
      let matrices = json["matrices"]?.arrayValue
    else {
      throw DiagnosticError(
        .badReport, "is no document of `analyze --json` with \"schema\": 2",
        hint: "formats/report describes it")
    }
    func list(_ value: JSONValue?) -> [JSONValue] { value?.arrayValue ?? [] }
    func text(_ value: JSONValue?) -> String { value?.stringValue ?? "" }
    func count(_ value: JSONValue?) -> Int { value?.intValue ?? 0 }
    func number(_ value: JSONValue?) -> Double { value?.doubleValue ?? 0 }
    file = text(json["file"])
    lstmByteCount = count(json["lstmByteCount"])
    self.matrices = matrices.map { item in
      Matrix(
        name: text(item["matrix"]), layer: text(item["layer"]),
        direction: text(item["direction"]), role: text(item["role"]), gate: text(item["gate"]),
        rows: count(item["rows"]), columns: count(item["columns"]),
        singularValues: list(item["singularValues"]).compactMap(\.doubleValue),
        stableRank: number(item["stableRank"]), effectiveRank: number(item["effectiveRank"]),
        breakEvenRank: count(item["breakEvenRank"]),
        rank90: count(item["rankKeeping90Percent"]), rank99: count(item["rankKeeping99Percent"]),
        kurtosis: number(item["kurtosis"]), deadRows: count(item["deadRows"]),
        errors: list(item["quantization"]).map {
          (text($0["bits"]), number($0["relativeError"]))
        })
    }
    let data = json["data"]
    origin = data?["description"]?.stringValue
    gates = list(data?["gates"]).map { item in
      Gate(
        layer: text(item["layer"]), direction: text(item["direction"]), gate: text(item["gate"]),
        share: number(item["nearlyBinaryShare"]), slope: item["meanSlope"]?.doubleValue,
        histogram: list(item["histogram"]).compactMap(\.intValue),
        range: list(item["histogramRange"]).compactMap(\.doubleValue),
        sensitivity: ["input", "recurrent", "both"].map {
          item["sensitivity"]?[$0]?.doubleValue
        })
    }
    let direct = data?["direct"]
    metric = text(direct?["metric"])
    original = number(direct?["original"])
    items = direct?["items"]?.intValue
    driftSequences = count(direct?["driftSequences"])
    treatments = list(direct?["treatments"]).compactMap(\.stringValue)
    candidates = list(direct?["candidates"]).map { item in
      Candidate(
        matrix: text(item["matrix"]), treatment: text(item["treatment"]),
        scope: text(item["scope"]), byteCount: count(item["byteCount"]),
        value: item["value"]?.doubleValue, change: item["change"]?.doubleValue,
        changeError: item["changeError"]?.doubleValue,
        isNoise: item["isNoise"]?.boolValue ?? false,
        isExercised: item["exercised"]?.boolValue ?? true,
        divergence: item["divergence"]?.doubleValue,
        drift: list(item["drift"]).map {
          (count($0["step"]), $0["h"]?.doubleValue, $0["c"]?.doubleValue)
        })
    }
    failures = list(direct?["failures"]).map { (text($0["candidate"]), text($0["reason"])) }
    let first = data?["firstOrder"]
    expected = list(first?["candidates"]).compactMap { item in
      item["predicted"]?.doubleValue.map { (text(item["matrix"]), text(item["treatment"]), $0) }
    }
    rankCorrelation = first?["rankCorrelation"]?.doubleValue
    rankCorrelationWithChange = first?["rankCorrelationWithChange"]?.doubleValue
    misleading = list(first?["misleading"]).map {
      (
        text($0["matrix"]), text($0["treatment"]), number($0["predictedRank"]),
        number($0["directRank"])
      )
    }
    frontier = list(json["frontier"]).map {
      Point(
        name: text($0["name"]), byteCount: count($0["byteCount"]),
        change: $0["change"]?.doubleValue, isSuggested: $0["isSuggested"]?.boolValue ?? false)
    }
    plan = json["suggestedPlan"]?.serialized(pretty: true) ?? ""
    notRun = list(data?["leftOut"]).map { (text($0["layer"]), text($0["reason"])) }
    var notes = list(data?["notes"]).compactMap(\.stringValue)
    if direct?["fewOutputs"]?.boolValue == true {
      notes.append("only \(items ?? 0) outputs were scored: figures are hardly more than a guess")
    }
    self.notes = notes
    left = list(json["left"]).map { (text($0["name"]), text($0["reason"]), count($0["byteCount"])) }
    verdict = list(json["verdict"]).compactMap(\.stringValue)
    nextCommand = text(json["nextCommand"])
  }

  /// Changes are shares of the original's score, unless that is 0.
  var changesAreShares: Bool { original != 0 }
}

extension DiagnosticError.Code {
  /// A document that is no analysis.
  public static let badReport = Self("report.badDocument", .malformedInput)
}
