import Foundation
import TestSupport
import Testing

/// Rules for the source that the compiler does not know.
@Suite struct SourceRulesTests {
  /// A pattern that the source may not hold, outside of the files that are the one mechanism for it.
  struct Rule: CustomTestStringConvertible {
    let pattern: String
    let instead: String
    /// Where the rule holds, below `Sources`.
    var folders = ["."]
    var exempt: Set<String> = []

    var testDescription: String { instead }
  }

  /// Where values of files are decoded and used: their arithmetic must not trap.
  static let decoding = [
    "Checkpoints", "ONNXProto", "HDF5", "BVQ", "DataFiles", "ZipArchive", "OrderedJSON",
    "LSTMCore/Tensors", "LSTMRuntime/Operators", "LSTMRuntime/Graph",
    "LSTMTraining/Data", "LSTMTraining/Run", "ModelEvaluation/Data", "ModelCompression/Plan",
    "LSTMPackC",
  ]

  static let rules = [
    Rule(
      pattern: #"\+ [A-Za-z0-9_.]+ - 1\) /"#,
      instead: "a quotient is rounded up by dividedRoundingUp(by:)", folders: decoding),
    Rule(
      pattern: #"\bInt\((\$0|[a-z]+)\.(rounded|isFinite|magnitude)|\bInt\(\$0\.[a-z]"#,
      instead: "a float becomes an integer by Int(cutting:) or Int(exactly:)", folders: decoding),
    Rule(
      pattern: #"Float\([a-z]+(\[[a-z]+\])? - [a-z]"#,
      instead: "codes are dequantized by ONNXDequantizer", folders: ["Checkpoints", "ONNXProto"]),
    Rule(
      pattern: #"reduce\(0, \{ \$0 &\+"#,
      instead: "sizes are added by checkedSum", folders: decoding),
    Rule(
      pattern: #"Int\(clamping:"#,
      instead: "a number beyond Int is an error", folders: decoding,
      exempt: [
        // Sizes, which checkedProduct refuses then.
        "ONNXProto/ONNXDecoder.swift", "HDF5/HDF5Dataset.swift", "HDF5/HDF5Editor.swift",
        "ZipArchive/ZipArchive.swift",
        // From Int64, which Int holds.
        "LSTMCore/Tensors/Tensor.swift",
      ]),
    Rule(
      pattern:
        #"attributes\["?[A-Za-z_]+"?\](\s*\?|\s*==(?! nil)|\s*!=(?! nil)|\s*\{)"#,
      instead: "settings of graph nodes are read through NodeSettings",
      exempt: [
        "LSTMCore/NodeSettings.swift", "Checkpoints/ONNX/Export/ONNXOpsetUpgrade.swift",
        // Graphs inside attributes.
        "Checkpoints/ONNX/ONNXWalk.swift", "Checkpoints/ONNX/ONNXNodeOrder.swift",
      ]),
    Rule(
      pattern: #"ettings\["[A-Za-z_]+"\](?!\s*=[^=])"#,
      instead: "settings of Keras layers are read through KerasConfig+Settings",
      folders: ["Checkpoints/Keras"],
      exempt: ["Checkpoints/Keras/KerasConfig.swift"]),
    Rule(
      pattern: #"case \.(int|ints|float|floats|string|strings)\b.*= .*attribute"#,
      instead: "attributes of ONNX nodes are read through ONNXSettings", folders: ["Checkpoints"],
      exempt: [
        "Checkpoints/ONNX/ONNXSettings.swift", "Checkpoints/ONNX/Export/ONNXExport.swift",
      ]),
  ]

  @Test(arguments: rules) func isKept(_ rule: Rule) throws {
    let expression = try NSRegularExpression(pattern: rule.pattern)
    var found: [String] = []
    for folder in rule.folders {
      for (path, text) in try Self.sources(below: folder) where !rule.exempt.contains(path) {
        for (number, line) in text.components(separatedBy: "\n").enumerated() {
          let code = line.trimmingCharacters(in: .whitespaces)
          guard !code.hasPrefix("//") else { continue }
          let range = NSRange(line.startIndex..., in: line)
          if expression.firstMatch(in: line, range: range) != nil {
            found.append("\(path):\(number + 1): \(code)")
          }
        }
      }
    }
    #expect(found == [], "\(rule.instead)")
  }

  /// The Swift files below a folder of `Sources`, by path below `Sources`.
  private static func sources(below folder: String) throws -> [(path: String, text: String)] {
    let root = repositoryRoot.appending(path: "Sources")
    let start = folder == "." ? root : root.appending(path: folder)
    let files = try #require(
      FileManager.default.enumerator(at: start, includingPropertiesForKeys: nil))
    var result: [(path: String, text: String)] = []
    for case let url as URL in files where url.pathExtension == "swift" {
      result.append(
        (
          String(url.path.dropFirst(root.path.count + 1)),
          try String(contentsOf: url, encoding: .utf8)
        ))
    }
    try #require(!result.isEmpty)
    return result
  }
}
