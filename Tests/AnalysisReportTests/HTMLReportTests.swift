import AnalysisReport
import Diagnostics
import Foundation
import OrderedJSON
import TestSupport
import Testing

@Suite struct HTMLReportTests {
  /// Two matrices of one layer; a name that would be markup.
  private func document(hasData: Bool, name: String = "lstm<script>alert(1)</script>") -> JSONValue
  {
    let matrices: [JSONValue] = ["input", "forget"].map { gate in
      [
        "matrix": .string("\(name)/forward/input/\(gate)"), "layer": .string(name),
        "direction": "forward", "role": "input", "gate": .string(gate), "rows": 8, "columns": 4,
        "norm": .number(1.5), "singularValues": [.number(1.25), .number(0.5), .number(0.125), 0],
        "stableRank": .number(1.1875), "effectiveRank": .number(2.3125), "breakEvenRank": 3,
        "energyAtRank": [["rank": 1, "energy": .number(0.9)]], "rankKeeping90Percent": 2,
        "rankKeeping99Percent": 3,
        "quantization": [
          ["bits": "1", "bitsPerWeight": 3, "relativeError": .number(0.4375)],
          ["bits": "2", "bitsPerWeight": 6, "relativeError": .number(0.21875)],
        ], "kurtosis": .number(2.625), "deadRows": 7,
      ]
    }
    var object: JSONObject = [
      "schema": 2, "command": "analyze", "file": "a&b.h5", "lstmByteCount": 256,
      "matrices": .array(matrices),
    ]
    if hasData {
      let candidates: [JSONValue] = matrices.flatMap { matrix in
        ["only", "allBut"].map { scope -> JSONValue in
          func own(_ number: Double) -> JSONValue { scope == "only" ? .number(number) : .null }
          return [
            "matrix": matrix["matrix"] ?? "", "treatment": "2 bits", "scope": .string(scope),
            "byteCount": 24, "value": own(101.5), "change": own(0.0153), "changeError": own(0.0021),
            "isNoise": false, "exercised": true, "divergence": .number(0.0123),
            "drift": [["step": 1, "h": .number(0.0421), "c": .null]],
          ]
        }
      }
      object["data"] = [
        "source": "generated", "description": "text that the model wrote itself, seed 1",
        "gates": [
          [
            "layer": .string(name), "direction": "forward", "gate": "input", "count": 100,
            "nearlyBinaryShare": .number(0.4567), "meanSlope": .null,
            "histogram": .array((0..<20).map { .integer($0 == 3 ? 100 : 0) }),
            "histogramRange": [0, 1],
            "sensitivity": ["input": .number(1.75), "recurrent": .null, "both": .number(2.875)],
          ]
        ],
        "direct": [
          "metric": "perplexity", "higherIsBetter": false, "original": 100, "steps": 50,
          "items": 40, "driftSequences": 4, "driftSteps": 50, "treatments": ["2 bits"],
          "candidates": .array(candidates),
          "uniform": [
            [
              "treatment": "2 bits", "byteCount": 48, "value": 104, "change": .number(0.04),
              "changeError": .number(0.005),
            ]
          ],
          "failures": [["candidate": "all but x", "reason": "the hook ended with exit code 3"]],
        ],
        "firstOrder": [
          "candidates": [
            [
              "matrix": matrices[0]["matrix"] ?? "", "treatment": "2 bits",
              "predicted": .number(0.0117),
            ]
          ], "rankCorrelation": .number(0.9375), "rankCorrelationWithChange": .null,
          "misleading": [
            [
              "matrix": "m", "treatment": "2 bits", "predictedRank": .number(3.5), "directRank": 11,
            ]
          ],
        ], "leftOut": [["layer": "gru", "reason": "a GRU has 3 gates"]],
      ]
      object["frontier"] = [
        ["name": "2 bits", "byteCount": 48, "change": .number(0.04), "isSuggested": false],
        [
          "name": "suggested plan", "byteCount": 64, "change": .number(-0.001), "isSuggested": true,
        ],
      ]
    }
    object["suggestedPlan"] = ["version": 1, "rules": [["bits": 2]]]
    object["left"] = [["name": "dense_1", "reason": "not an LSTM", "byteCount": 1234]]
    object["verdict"] = ["All bear 2 bits."]
    object["nextCommand"] = "lstmpack quantize 'a&b.h5' --bits 2"
    return .object(object)
  }

  private var schema: JSONSchema {
    get throws {
      let file = repositoryRoot.appending(path: "formats/report/report.schema.json")
      return JSONSchema(try JSONValue.parse(Array(try Data(contentsOf: file))))
    }
  }

  @Test(arguments: [false, true])
  func theDocumentsOfTheseTestsAreReal(hasData: Bool) throws {
    #expect(try schema.violations(of: document(hasData: hasData)) == [])
  }

  @Test func everyNumberStandsOnThePage() throws {
    let page = try HTMLReport.page(for: document(hasData: true))
    for text in [
      "a&amp;b.h5", "256 B", "1.53 %", "–", "101.5", "0.0421", "45.7 %", "1.75", "2.88", "1.19",
      "2.31", "2.62", "0.438", "0.219", "0.938", "3.5", "11", "text that the model wrote itself",
      "the hook ended with exit code 3", "a GRU has 3 gates", "1.23 KB", "not an LSTM",
      "All bear 2 bits.", "--bits 2", "break-even rank 3", "5.33×", "4×", "&quot;bits&quot;: 2",
      "0.15 to 0.2: 100.0 %",
    ] {
      #expect(page.contains(text), "\(text)")
    }
  }

  @Test(arguments: [false, true])
  func thePageStandsAloneAndIsWellFormed(hasData: Bool) throws {
    let page = try HTMLReport.page(for: document(hasData: hasData))
    #expect(!page.contains("<script>alert"))
    #expect(!page.contains("http") && !page.contains("url(") && !page.contains("@import"))
    #expect(!page.contains("{{"))
    // Every element that is opened is closed, in order.
    var open: [Substring] = []
    let body = page.replacing(/<(style|script)>[\s\S]*?<\/(style|script)>/, with: "")
    for match in body.matches(of: /<(\/?)([a-z][a-z0-9]*)((?:[^<>"]|"[^"]*")*?)(\/?)>/) {
      let (_, isEnd, name, _, isEmpty) = match.output
      if ["meta", "input"].contains(name) || !isEmpty.isEmpty { continue }
      if isEnd.isEmpty {
        open.append(name)
      } else {
        #expect(open.last == name)
        _ = open.popLast()
      }
    }
    #expect(open.isEmpty)
    for link in body.matches(of: /href="#([a-z]+)"/) {
      #expect(body.contains("id=\"\(link.output.1)\""), "\(link.output.1)")
    }
    for label in body.matches(of: /for="([A-Za-z-]+)"/) {
      #expect(body.contains("id=\"\(label.output.1)\""), "\(label.output.1)")
    }
    #expect(try HTMLReport.page(for: document(hasData: hasData)) == page)
  }

  @Test func sectionsWithoutContentAreLeftOut() throws {
    let page = try HTMLReport.page(for: document(hasData: false))
    for id in ["gates", "drift", "frontier", "first"] {
      #expect(!page.contains("id=\"\(id)\"") && !page.contains("href=\"#\(id)\""), "\(id)")
    }
    #expect(page.contains("id=\"heat\"") && page.contains("id=\"spectra\""))
  }

  @Test(arguments: [
    "{}", "[]", #"{"command": "analyze", "schema": 1, "matrices": []}"#,
    #"{"command": "eval", "schema": 2, "matrices": []}"#,
  ])
  func otherDocumentsAreRefused(text: String) throws {
    let json = try JSONValue.parse(Array(text.utf8))
    let error = #expect(throws: DiagnosticError.self) { _ = try HTMLReport.page(for: json) }
    #expect(error?.code == .badReport)
  }

  @Test func emptyListsMakeAPage() throws {
    let json = try JSONValue.parse(
      Array(#"{"command": "analyze", "schema": 2, "matrices": [], "data": {"direct": {}}}"#.utf8))
    #expect(try HTMLReport.page(for: json).contains("</html>"))
  }
}
