import LSTMPackKit

/// The account that `lowrank`, `quantize` and `compress` give of what they did.
struct CompressionReportText {
  let command: String
  let report: CompressionReport
  let source: ByteSource
  let output: String?
  let outputByteCount: Int
  let isDryRun: Bool
  let model: Model
  let isCheckpoint: Bool
  /// What the user's own evaluation says, if there is one.
  var scores: HookComparison?
  /// What calibration did, where there was one.
  var calibration: CalibrationReport?
  /// Why there was none, where there could have been one.
  var notCalibrated: String?
  /// The moments of a file, where they chose the codes.
  var savedCalibration: SavedCalibrationText?
  /// What tuning did, where it was asked for.
  var tuning: TuningReport?
  /// The file for another tool, when it is one.
  var export: CheckedExport?
  /// Its kind, and how it holds matrices.
  var format: (any ExportFormat)?
  var weightForm = WeightForm.float
  /// How the model was read, for the next command.
  var modelOptions: ModelOptions
  /// The limit of memory, likewise.
  var memoryWords: [String]

  /// The account for people.
  var text: String {
    var table = TextTable([
      ("matrix", .left), ("shape", .right), ("before", .right), ("after", .right),
      ("bits/weight", .right), ("error", .right), ("stored as", .note),
    ])
    for outcome in report.matrices where outcome.result == .compressed {
      table.add([
        outcome.path.description, "\(outcome.rows)×\(outcome.columns)",
        NumberText.bytes(outcome.byteCountBefore), NumberText.bytes(outcome.byteCountAfter),
        NumberText.fixed(outcome.bitsPerWeight, 2), NumberText.error(outcome.relativeError),
        outcome.storageAfter,
      ])
    }
    var parts = report.compressedCount == 0 ? [totals] : [table.text, totals]
    if let calibration { parts.append(CalibrationText(report: calibration).text) }
    if let savedCalibration { parts.append(savedCalibration.text) }
    if let notCalibrated { parts.append("Not calibrated: \(notCalibrated).") }
    if let tuning { parts.append(TuningText(report: tuning).text) }
    if !left.isEmpty { parts.append("Left as it was:\n" + left.joined(separator: "\n")) }
    if let scores { parts.append(scores.text) }
    parts.append(ending)
    return parts.joined(separator: "\n\n")
  }

  /// The size of the checkpoint, external data included, or of the `.bvq` that was compressed
  /// further.
  private var sourceByteCount: Int {
    isCheckpoint ? model.source.byteCount : source.count
  }

  private var totals: String {
    let compressed = report.matrices.filter { $0.result == .compressed }
    let weights = compressed.reduce(0) { $0 + $1.rows * $1.columns }
    let before = compressed.reduce(0) { $0 + $1.byteCountBefore }
    let after = compressed.reduce(0) { $0 + $1.byteCountAfter }
    // What a source holds in fewer bits was written out when it was read.
    let unit = before == weights * MemoryLayout<Float>.size ? " as float32" : ""
    let weightsText =
      compressed.isEmpty
      ? "Compressed: nothing; every weight is as it was."
      : """
      Compressed: \(compressed.count) matrices, \(weights) weights, \(NumberText.bytes(before))\(unit) \
      to \(NumberText.bytes(after)) (\(NumberText.change(before, after))), \
      \(NumberText.fixed(Double(after * 8) / Double(max(weights, 1)), 2)) bits per weight.
      """
    return """
      \(weightsText)
      File: \(NumberText.bytes(sourceByteCount)) to \(NumberText.bytes(outputByteCount)) \
      (\(NumberText.change(sourceByteCount, outputByteCount))\(sizeNote)).
      """
  }

  /// Why the file has the size that it has.
  private var sizeNote: String {
    if outputByteCount < sourceByteCount / 2 { return "" }
    return outputByteCount < sourceByteCount ? "; the source may hold more than weights" : ""
  }

  /// One line for each reason, with what it applies to.
  private var left: [String] {
    var lines: [(key: String, names: [String], bytes: Int)] = []
    func add(_ name: String, _ bytes: Int, _ reason: String) {
      if let index = lines.firstIndex(where: { $0.key == reason }) {
        lines[index].names.append(name)
        lines[index].bytes += bytes
      } else {
        lines.append((reason, [name], bytes))
      }
    }
    for outcome in report.matrices {
      guard case .left(let reason, _) = outcome.result else { continue }
      add(outcome.path.description, outcome.byteCountAfter, reason)
    }
    for layer in report.untouchedLayers {
      add("\(layer.name) (\(layer.sourceClass))", layer.byteCount, layer.reason)
    }
    return lines.map { line in
      "  \(line.names.joined(separator: ", ")) (\(NumberText.bytes(line.bytes))): \(line.key)"
    }
  }

  private var ending: String {
    if isDryRun { return "Dry run: nothing was written." }
    guard let output else { return "Wrote the model to standard output." }
    if let export, let format {
      let note = ExportSizeNote(
        model: model, format: format, form: weightForm,
        byteCounts: (sourceByteCount, outputByteCount)
      ).text
      return (["Wrote \(output).", note, export.check.text].filter { !$0.isEmpty })
        .joined(separator: "\n")
    }
    // A command stands in a line of its own, which is never broken.
    return "Wrote \(output).\nNext: lstmpack \(nextCommand(output))"
  }

  /// What tells most of what was written: factors are packed, a model that can be run is compared with
  /// what it was made from, another one is checked.
  private func nextCommand(_ output: String) -> String {
    let words: [String]
    if command == "lowrank" {
      words = ["quantize", shellWord(output), "--bits", "4"] + modelOptions.axisWords
    } else if let path = source.path, model.obstacleToRunning == nil {
      words =
        ["eval", shellWord(output), "--against", shellWord(path)] + modelOptions.wordsForOriginal
    } else {
      words = ["verify", shellWord(output), "--run"]
    }
    return (words + memoryWords).joined(separator: " ")
  }

  /// The account for programs.
  var json: JSONValue {
    var matrices: [JSONValue] = []
    for outcome in report.matrices {
      var object: JSONObject = [
        "matrix": .string(outcome.path.description), "rows": .integer(outcome.rows),
        "columns": .integer(outcome.columns),
        "compressed": .bool(outcome.result == .compressed),
        "storage": .string(outcome.storageAfter),
        "bytesBefore": .integer(outcome.byteCountBefore),
        "bytesAfter": .integer(outcome.byteCountAfter),
        "bitsPerWeight": .number(outcome.bitsPerWeight),
        "relativeError": .number(outcome.relativeError),
      ]
      if case .left(let reason, let isChoice) = outcome.result {
        object["reason"] = .string(reason)
        object["byChoice"] = .bool(isChoice)
      }
      matrices.append(.object(object))
    }
    var object: JSONObject = [
      "schema": 1, "command": .string(command), "source": .string(source.name),
      "sourceBytes": .integer(sourceByteCount),
    ]
    object["output"] = isDryRun ? .null : .string(output ?? "-")
    object["outputBytes"] = .integer(outputByteCount)
    object["lstmLayers"] = .integer(
      model.layers.count { if case .lstm = $0.kind { true } else { false } })
    object["lstmWeightSets"] = .integer(model.lstmWeights.count)
    object["matrixBytesBefore"] = .integer(report.byteCountBefore)
    object["matrixBytesAfter"] = .integer(report.byteCountAfter)
    object["hook"] = scores?.json
    object["calibration"] =
      calibration.map { CalibrationText(report: $0).json } ?? savedCalibration?.json
    object["tuning"] = tuning.map { TuningText(report: $0).json }
    object["notCalibrated"] = notCalibrated.map { .string($0) }
    object["check"] = export?.checkJSON
    object["matrices"] = .array(matrices)
    object["untouchedLayers"] = .array(
      report.untouchedLayers.map {
        [
          "name": .string($0.name), "class": .string($0.sourceClass),
          "bytes": .integer($0.byteCount), "reason": .string($0.reason),
        ]
      })
    return .object(object)
  }
}
