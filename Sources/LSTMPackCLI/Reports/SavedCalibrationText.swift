import LSTMPackKit

/// What the moments of a file did, in the report of a compression.
struct SavedCalibrationText {
  let calibration: SavedCalibration
  /// The layers that were rounded by them.
  let layers: [String]

  /// The account for people.
  var text: String {
    let amount = NumberText.count(calibration.steps, "step")
    var lines = [
      layers.isEmpty
        ? "Nothing was chosen by the second moments of \(calibration.description) (\(amount))."
        : "Codes of \(layers.joined(separator: ", ")) are chosen by the second moments of "
          + "\(calibration.description) (\(amount)), not judged: no model was run."
    ]
    lines += calibration.leftOut.map { "\($0.layer) is not calibrated: \($0.reason)." }
    return lines.joined(separator: "\n")
  }

  /// What the `.bvq` records.
  var record: JSONValue {
    [
      "moments": .string(calibration.description), "steps": .integer(calibration.steps),
      "layers": .array(layers.map { .string($0) }),
    ]
  }

  /// The account for programs.
  var json: JSONValue {
    [
      "moments": .string(calibration.description), "steps": .integer(calibration.steps),
      "layers": .array(layers.map { .string($0) }),
      "leftOut": .array(
        calibration.leftOut.map {
          ["layer": .string($0.layer), "reason": .string($0.reason)]
        }),
    ]
  }
}
