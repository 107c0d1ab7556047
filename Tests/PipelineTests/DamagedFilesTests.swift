import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Files that break the rules of safetensors, and those that make libhdf5 crash, hang or fill the memory
/// (`make_damaged_fixtures.py`): the program ends with an error in these words, within seconds.
@Suite struct DamagedFilesTests {
  private static let place = repositoryRoot.appending(path: "Tests/Fixtures/import")
  private static let snapshot = place.appending(path: "expected_errors.json")
  private static let isRecording =
    ProcessInfo.processInfo.environment["RECORD_SNAPSHOTS"] != nil

  @Test func everyFileIsRefusedInTheseWords() throws {
    var recorded = JSONObject()
    let expected =
      Self.isRecording
      ? JSONValue.null : try JSONValue.parse(Array(try Data(contentsOf: Self.snapshot)))
    for folder in ["damaged", "safetensors/bad"] {
      let url = Self.place.appending(path: folder)
      let names = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
      #expect(names.count >= 5)
      for name in names {
        let start = Date()
        let run = try CommandRun(
          ["inspect", name], in: url, limitedTo: "ulimit -v 4000000")
        #expect(Date().timeIntervalSince(start) < 20, "\(name)")
        #expect(run.exitCode == 65 || run.exitCode == 0, "\(name): exit code \(run.exitCode)")
        let key = "\(folder)/\(name)"
        let found = run.errors.trimmingCharacters(in: .newlines)
        recorded[key] = ["exitCode": .integer(Int(run.exitCode)), "text": .string(found)]
        guard !Self.isRecording else { continue }
        #expect(expected[key]?["exitCode"] == .integer(Int(run.exitCode)), "\(key)")
        // Where a signal ends libhdf5, its number depends on the machine.
        let isCrash = found.contains("crashed (signal") || found.contains("come to an end")
        #expect(isCrash || found == expected[key]?["text"]?.stringValue, "\(key): \(found)")
      }
    }
    if Self.isRecording {
      try Data((JSONValue.object(recorded).serialized(pretty: true) + "\n").utf8)
        .write(to: Self.snapshot)
    }
  }
}
