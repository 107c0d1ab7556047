import Foundation
import TestSupport
import Testing

/// Reports fit the terminal, 80 columns without one, and lose nothing by it.
@Suite struct ReportWidthTests {
  private static let models = repositoryRoot.appending(path: "Tests/FirstHour/models").path
  private static let text = [
    "--data", models + "/torch-lm/test.txt", "--vocab", models + "/torch-lm/vocab.json",
  ]

  /// Commands with reports: long names, many columns, notes, sentences.
  static let commands: [[String]] = [
    ["inspect", models + "/torch-lm/model.onnx"], ["inspect", models + "/streaming/model.onnx"],
    ["inspect", fixture("keras/k3-groups.weights.h5").path],
    ["analyze", models + "/keras-weights/model.weights.h5", "--weights-only"],
    ["analyze", models + "/csv-forecast/model.keras", "--sample", "200"],
    ["quantize", models + "/tagger/model.h5", "--bits", "2", "--dry-run"],
    ["lowrank", models + "/tagger/model.h5", "--rank", "4", "--out", "r.bvq", "--force"],
    ["quantize", models + "/torch-lm/model.onnx", "--bits", "2", "--out", "small.onnx", "--force"],
    [
      "eval", models + "/csv-forecast/model.keras", "--against",
      models + "/csv-forecast/model.keras", "--data", models + "/csv-forecast/series.csv",
      "--labels", models + "/csv-forecast/next.csv",
    ],
    ["bench", models + "/streaming/model.onnx", "--seconds", "0.01"],
  ]

  private static func isCommand(_ line: Substring) -> Bool {
    line.hasPrefix("Next: ")
  }

  @Test(arguments: commands, [nil, 60, 100])
  func linesFit(command: [String], columns: Int?) throws {
    try withTemporaryFolder { folder in
      let run = try CommandRun(command, in: folder, columns: columns)
      #expect(run.exitCode == 0, "\(run.errors)")
      for line in run.output.split(separator: "\n") where !Self.isCommand(line) {
        #expect(line.count <= columns ?? 80, "\(line)")
        #expect(!line.contains("-0.00 %") && !line.contains("-0.0 %"), "\(line)")
      }
      guard command[0] != "bench" else { return }
      let wide = try CommandRun(command, in: folder)
      let letters = { (text: String) in text.filter { !$0.isWhitespace } }
      let narrow = letters(run.output)
      for line in wide.output.split(separator: "\n") {
        // Speed is never the same twice; its label is.
        let isSpeed = line.hasPrefix("steps/s") || line.hasPrefix("streamed step")
        for cell in line.split(separator: "  ").prefix(isSpeed ? 1 : .max) {
          // Titles may be broken after a slash, and then stand beside other cells.
          let words = cell.split { $0 == " " || $0 == "/" }.map(String.init)
          #expect(words.allSatisfy { narrow.contains(letters($0)) }, "\(cell) is lost")
        }
      }
    }
  }

  /// What an exported file is not, and what makes it small.
  @Test(
    arguments: [
      (["quantize", "/torch-lm/model.onnx", "--bits", "2", "--out", "a.onnx"], "--weights int2"),
      (["quantize", "/torch-lm/model.onnx", "--bits", "4", "--out", "b.onnx"], "--weights int4"),
      (["lowrank", "/torch-lm/model.onnx", "--rank", "4", "--out", "c.onnx"], "--weights factors"),
      (
        ["quantize", "/tagger/model.h5", "--bits", "2", "--out", "d.h5"],
        "Files of keras hold weights written out, so this one is not smaller; a .bvq is, and so is ONNX "
          + "with --weights int2."
      ),
      (
        [
          "quantize", "/torch-lm/model.onnx", "--bits", "2", "--out", "e.onnx", "--weights", "int2",
        ], nil
      ),
    ] as [([String], String?)])
  func hintsNameTheSmallerForm(arguments: [String], hint: String?) throws {
    try withTemporaryFolder { folder in
      var arguments = arguments
      arguments[1] = Self.models + arguments[1]
      let run = try CommandRun(arguments, in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      if let hint {
        #expect(run.output.contains(hint), "\(run.output)")
      } else {
        #expect(!run.output.contains("--weights"), "\(run.output)")
      }
    }
  }
}
