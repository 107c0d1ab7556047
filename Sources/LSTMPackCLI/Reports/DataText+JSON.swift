import LSTMPackKit

extension DataText {
  /// The report for programs: the member `data` of the document (formats/report).
  var json: JSONValue {
    var object: JSONObject = [
      "source": .string(origin.source), "description": .string(origin.description),
    ]
    object["name"] = origin.name.map { .string($0) }
    object["gates"] = analysis.gates.map { .array(Self.gates($0)) }
    object["direct"] = analysis.direct.map(direct)
    object["firstOrder"] = firstOrder
    object["notes"] = .array(analysis.notes.map { .string($0) })
    object["leftOut"] = .array(
      analysis.leftOut.map { ["layer": .string($0.layer), "reason": .string($0.reason)] })
    return .object(object)
  }

  /// A number, or null for one that is none.
  private static func number(_ value: Double?) -> JSONValue {
    guard let value, value.isFinite else { return .null }
    return .number(value)
  }

  private static func gates(_ gates: GateAnalysis) -> [JSONValue] {
    gates.directions.flatMap { direction in
      Gate.allCases.map { gate in
        let values = direction.statistics.gates[gate]
        let range = GateStatistics.range(of: gate)
        let sensitivity = direction.sensitivities[gate]
        return [
          "layer": .string(direction.layer), "direction": .string(direction.direction.rawValue),
          "gate": .string(gate.description), "count": .integer(values.count),
          "nearlyBinaryShare": .number(values.nearlyBinaryShare),
          "meanSlope": number(values.meanSlope),
          "histogram": .array(values.histogram.map { .integer($0) }),
          "histogramRange": [
            .number(Double(range.lowerBound)), .number(Double(range.upperBound)),
          ],
          "sensitivity": [
            "input": number(sensitivity.input), "recurrent": number(sensitivity.recurrent),
            "both": number(sensitivity.both),
          ],
        ]
      }
    }
  }

  private func direct(_ direct: DirectMeasurement) -> JSONValue {
    var object: JSONObject = [
      "metric": .string(direct.original.metric),
      "higherIsBetter": .bool(direct.original.higherIsBetter),
      "original": .number(direct.original.value), "steps": .integer(analysis.steps),
    ]
    object["items"] = analysis.items.map { .integer($0) }
    object["uniformItems"] = analysis.sureItems.map { .integer($0) }
    object["uniformOriginal"] = .number(direct.uniformOriginal.value)
    object["calibrated"] = .bool(analysis.isCalibrated)
    object["driftSequences"] = .integer(direct.driftSequences)
    object["driftSteps"] = .integer(direct.driftSteps)
    object["treatments"] = .array(direct.treatmentNames.map { .string($0) })
    object["candidates"] = .array(
      direct.candidates.map { candidate in
        [
          "matrix": .string(candidate.path.description),
          "treatment": .string(candidate.treatment.phrase),
          "scope": .string(candidate.scope.rawValue),
          "byteCount": .integer(candidate.byteCount),
          "value": Self.number(candidate.score?.value), "change": Self.number(candidate.change),
          "changeError": Self.number(candidate.changeError),
          "isNoise": .bool(
            DirectMeasurement.isNoise(candidate.change ?? 0, error: candidate.changeError)),
          "exercised": .bool(!direct.unexercised.contains(candidate.path)),
          "divergence": Self.number(candidate.divergence),
          "drift": .array(
            candidate.drift.map {
              ["step": .integer($0.step), "h": Self.number($0.h), "c": Self.number($0.c)]
            }),
        ]
      })
    object["uniform"] = .array(
      direct.uniform.map {
        [
          "treatment": .string($0.treatment.phrase), "byteCount": .integer($0.byteCount),
          "value": Self.number($0.score?.value), "change": Self.number($0.change),
          "changeError": Self.number($0.changeError),
        ]
      })
    object["notExercised"] = .array(
      paths(direct.candidates).filter(direct.unexercised.contains).map { .string($0.description) })
    object["fewOutputs"] = .bool(analysis.fewItems != nil)
    object["failures"] = .array(
      direct.failures.map {
        ["candidate": .string($0.candidate), "reason": .string($0.reason)]
      })
    return .object(object)
  }

  private var firstOrder: JSONValue? {
    guard let ranking = analysis.firstOrder else { return nil }
    let comparison = analysis.direct.flatMap(ranking.comparison)
    return [
      "candidates": .array(
        ranking.candidates.map {
          [
            "matrix": .string($0.path.description), "treatment": .string($0.treatment.phrase),
            "predicted": Self.number($0.predicted),
          ]
        }),
      "rankCorrelation": Self.number(comparison?.rankCorrelation),
      "rankCorrelationWithChange": Self.number(comparison?.rankCorrelationWithChange),
      "misleading": .array(
        (comparison?.misleading ?? []).map {
          [
            "matrix": .string($0.path.description), "treatment": .string($0.treatment.phrase),
            "predictedRank": .number($0.predictedRank), "directRank": .number($0.directRank),
          ]
        }),
    ]
  }

  /// The points of size against quality: the treatments of all matrices alike, and the suggestion.
  var frontier: [JSONValue] {
    var points: [JSONValue] = (analysis.direct?.uniform ?? []).map {
      [
        "name": .string($0.treatment.phrase), "byteCount": .integer($0.byteCount),
        "change": Self.number($0.change), "changeError": Self.number($0.changeError),
        "isSuggested": .bool(false),
      ]
    }
    if let suggestion = analysis.suggestion {
      points.append([
        "name": .string("suggested plan"), "byteCount": .integer(suggestion.byteCount),
        "change": Self.number(suggestion.change),
        "changeError": Self.number(suggestion.changeError), "isSuggested": .bool(true),
      ])
    }
    return points
  }
}
