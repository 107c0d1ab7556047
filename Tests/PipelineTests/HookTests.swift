import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// The user's own evaluation, as a person gives it.
@Suite struct HookTests {
  private static let model = repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path

  private func run(_ arguments: [String], in folder: URL) throws -> CommandRun {
    try CommandRun(
      arguments, in: folder, limitedTo: "export XDG_CACHE_HOME=\(folder.path)/cache")
  }

  @Test func scoresStandInReportsAndInTheFile() throws {
    try withTemporaryFolder { folder in
      // The score is the number of bytes of the file that the hook is given.
      let size = "wc -c < {model}"
      let run = try run(
        [
          "quantize", Self.model, "--bits", "2", "--out", "m.bvq", "--hook", size, "--hook-format",
          "bvq", "--hook-lower-is-better", "--json",
        ], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let hook = try #require(try JSONValue.parse(Array(run.output.utf8))["hook"])
      let before = try #require(hook["before"]?["value"]?.doubleValue)
      let after = try #require(hook["after"]?["value"]?.doubleValue)
      #expect(before > 4 * after)
      #expect(hook["after"]?["higherIsBetter"] == false)
      let file = try ModelFile(
        source: try ByteSource(path: folder.appending(path: "m.bvq").path))
      #expect(file.steps.last?["hook"] == hook)
    }
  }

  @Test func evalCompares() throws {
    try withTemporaryFolder { folder in
      #expect(
        try run(["quantize", Self.model, "--bits", "2", "--out", "m.bvq"], in: folder).exitCode == 0
      )
      // In the form of the source, the checkpoint comes back; both files have one size.
      let script = #"s=$(wc -c < {model}); echo "{\"metric\": \"size\", \"value\": $s}""#
      let arguments = [
        "eval", "m.bvq", "--against", Self.model, "--source", Self.model, "--hook", script,
      ]
      let run = try run(arguments + ["--json"], in: folder)
      #expect(run.exitCode == 0, "\(run.errors)")
      let report = try JSONValue.parse(Array(run.output.utf8))
      let size = try Data(contentsOf: URL(filePath: Self.model)).count
      for model in ["model", "referenceModel"] {
        let metric = report[model]?["metrics"]?.arrayValue?.first
        #expect(metric?["name"] == "size")
        #expect(metric?["value"]?.doubleValue == Double(size))
      }
      let text = try self.run(arguments + ["--max-drop", "0"], in: folder)
      #expect(text.exitCode == 0, "\(text.errors)")
      #expect(text.output.contains("size"), "\(text.output)")
    }
  }

  @Test func whatWasScoredIsNotRunAgain() throws {
    try withTemporaryFolder { folder in
      let arguments = [
        "quantize", Self.model, "--bits", "2", "--dry-run", "--hook",
        "echo ran >> \(folder.path)/log; wc -c < {model}", "--hook-format", "bvq",
      ]
      func runs() throws -> Int {
        let log = folder.appending(path: "log")
        return try String(decoding: Data(contentsOf: log), as: UTF8.self).split(separator: "\n")
          .count
      }
      let first = try run(arguments, in: folder)
      #expect(first.exitCode == 0, "\(first.errors)")
      #expect(try runs() == 2)
      let second = try run(arguments, in: folder)
      #expect(second.output == first.output)
      #expect(try runs() == 2)
      #expect(try run(arguments + ["--no-hook-cache"], in: folder).exitCode == 0)
      #expect(try runs() == 4)
    }
  }

  @Test(arguments: [
    ("echo oops >&2; exit 3 # {model}", "the hook ended with exit code 3; it said:\n  oops"),
    ("kill -9 $$ # {model}", "the hook was ended by signal 9"),
    ("true {model}", "the hook printed nothing; its last line should be a number"),
    ("echo 0.9; echo done {model}", "the hook printed 'done "),
    ("echo nan # {model}", "the hook printed 'nan', which is no finite number"),
    (#"echo '{"value": "high"}' # {model}"#, "whose 'value' is no finite number"),
    (#"echo '{"value": 1, "unit": 2}' # {model}"#, "printed a score with the unknown key 'unit'"),
    (
      "sleep 60 & sleep 60 # {model}", "the hook took longer than 0.5 s"
    ),
    ("no-such-program {model}", "the hook ended with exit code 127; it said:\n  "),
  ])
  func failuresAreNoScores(hook: String, text: String) throws {
    try withTemporaryFolder { folder in
      let start = Date()
      let run = try run(
        [
          "quantize", Self.model, "--bits", "2", "--out", "m.bvq", "--hook", hook, "--hook-format",
          "bvq", "--hook-timeout", "0.5",
        ], in: folder)
      #expect(run.exitCode == 1)
      #expect(run.errors.hasPrefix("error: \(Self.model): "), "\(run.errors)")
      #expect(run.errors.contains(text), "\(run.errors)")
      #expect(Date().timeIntervalSince(start) < 30)
      #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "m.bvq").path))
    }
  }

  /// The program takes its hooks with it, and what it made for them, even when it is killed.
  @Test func noHookOutlivesTheProgram() throws {
    try withTemporaryFolder { folder in
      let hook = "echo {model} > file; echo $$ > p; mv p pid; sleep 60; echo 1"
      let killer = """
        p=$$; (for i in $(seq 600); do sleep 0.05; [ -f pid ] && break; done; \
        kill -KILL $p) & true
        """
      let run = try CommandRun(
        [
          "quantize", Self.model, "--bits", "2", "--out", "m.bvq", "--hook", hook, "--hook-format",
          "bvq", "--no-hook-cache",
        ], in: folder, limitedTo: killer)
      #expect(run.exitCode == -9)
      func text(_ name: String) throws -> String {
        try String(contentsOf: folder.appending(path: name), encoding: .utf8)
          .trimmingCharacters(in: .whitespacesAndNewlines)
      }
      let pid = try #require(Int32(try text("pid")))
      let model = try text("file")
      #expect(model.contains("lstmpack-hook-"))
      var isThere = true
      for _ in 0..<200 where isThere {
        usleep(50_000)
        isThere = kill(pid, 0) == 0 || FileManager.default.fileExists(atPath: model)
      }
      #expect(!isThere, "the hook or its file is still there")
    }
  }

  /// What a hook says is quoted in part, and held in memory in part.
  @Test(arguments: [
    #"head -c 3000000 /dev/zero | tr '\0' x # {model}"#,
    #"head -c 3000000 /dev/zero | tr '\0' x >&2; exit 3 # {model}"#,
    #"printf e; yes "$(printf '\314\201')" | head -c 3000000 | tr -d '\n' # {model}"#,
    #"printf '{"value": 1, "%s": 2}' "$(head -c 30000 /dev/zero | tr '\0' x)" # {model}"#,
    #"printf '{"value": 1, "metric": "%s"}' "$(head -c 30000 /dev/zero | tr '\0' x)" # {model}"#,
    "yes # {model}",
  ])
  func longLinesAreCut(hook: String) throws {
    try withTemporaryFolder { folder in
      let run = try run(
        [
          "quantize", Self.model, "--bits", "2", "--out", "m.bvq", "--hook", hook, "--hook-format",
          "bvq", "--hook-timeout", "2",
        ], in: folder)
      #expect(run.exitCode == 1)
      #expect(run.errors.utf8.count < 1500, "\(run.errors.utf8.count) bytes")
    }
  }

  /// Also what has left the hook's group of processes, its session, its environment and its parent.
  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/stat"), "needs /proc"),
    arguments: [
      "setsid sleep 300.5 & echo $! >pid", "setsid sh -c 'echo $$ >pid; sleep 300.5' &",
      "(setsid sh -c 'echo $$ >pid; exec sleep 300.5' &)",
      "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ >pid; exec sleep 300.5' &)",
    ], ["sleep 60", "sleep 0.3; echo 1", "kill -9 $PPID; sleep 60"])
  func nothingOutlivesItsHook(start: String, end: String) throws {
    // Without its parent and environment nothing tells whose a process is, once lstmpack is killed.
    if start.contains("env -i"), end.contains("PPID") { return }
    try withTemporaryFolder { folder in
      let run = try run(
        [
          "quantize", Self.model, "--bits", "2", "--weights-only", "--out", "m.bvq", "--hook",
          "cd \(folder.path); \(start)\n\(end) # {model}", "--hook-format", "bvq", "--hook-timeout",
          "1",
        ], in: folder)
      #expect(run.exitCode == (end.contains("echo 1") ? 0 : end.contains("PPID") ? -9 : 1))
      let text = try String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)
      let pid = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
      var isThere = true
      for _ in 0..<100 where isThere {
        let state = FileManager.default.contents(atPath: "/proc/\(pid)/stat")
          .map { String(decoding: $0, as: UTF8.self) }
        isThere = state.map { !$0.contains(") Z ") } ?? false
        if isThere { usleep(20_000) }
      }
      #expect(!isThere, "the process is still there")
      if isThere { kill(pid, SIGKILL) }
    }
  }

  @Test func wrongUseIsToldApart() throws {
    try withTemporaryFolder { folder in
      let cases = [
        (["--hook", "score.py"], "--hook has no {model} for the file of the model"),
        (["--hook", "x {model}", "--hook-format", "pt"], "--hook-format takes source, bvq, keras"),
        (["--hook", "x {model}", "--hook-timeout", "0"], "--hook-timeout takes seconds above 0"),
      ]
      for (arguments, text) in cases {
        let run = try run(["quantize", Self.model, "--bits", "2"] + arguments, in: folder)
        #expect(run.exitCode == 64)
        #expect(run.errors.contains(text), "\(run.errors)")
      }
    }
  }
}
