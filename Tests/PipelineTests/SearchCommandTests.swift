import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// `search` and `analyze --plan`, as a person types them.
@Suite struct SearchCommandTests {
  private static let folder = repositoryRoot.appending(path: "examples/char-lm")
  private static let model = folder.appending(path: "char-lm.h5").path
  private static let text = [
    "--data", folder.appending(path: "heldout.txt").path, "--vocab",
    folder.appending(path: "vocab.json").path,
  ]

  private func run(_ arguments: [String], in folder: URL) throws -> CommandRun {
    try CommandRun(
      arguments, in: folder, limitedTo: "export XDG_CACHE_HOME=\(folder.path)/cache")
  }

  @Test func aBudgetIsKeptAndThePlanApplies() throws {
    try withTemporaryFolder { folder in
      let search = try run(
        ["search", Self.model, "--budget", "12x", "--sample", "2000", "--json"] + Self.text,
        in: folder)
      #expect(search.exitCode == 0, "\(search.errors)")
      let report = try JSONValue.parse(Array(search.output.utf8))
      let best = try #require(report["best"])
      let before = try #require(report["lstmByteCount"]?.intValue)
      let after = try #require(best["byteCount"]?.intValue)
      #expect(after * 12 <= before)
      #expect(
        (best["change"]?.doubleValue ?? 9)
          <= (report["uniform"]?["change"]?.doubleValue ?? .infinity))
      #expect(report["picks"]?.arrayValue?.count == 3)
      #expect(
        !FileManager.default.fileExists(
          atPath: folder.appending(path: "char-lm.plan.json.search").path))

      let compress = try run(
        ["compress", Self.model, "--plan", "char-lm.plan.json", "--json"], in: folder)
      #expect(compress.exitCode == 0, "\(compress.errors)")
      let matrices = try #require(
        try JSONValue.parse(Array(compress.output.utf8))["matrices"]?.arrayValue)
      let bytes = matrices.filter { $0["matrix"]?.stringValue?.hasPrefix("lstm") ?? false }
        .reduce(0) { $0 + ($1["bytesAfter"]?.intValue ?? 0) }
      #expect(bytes == after)
    }
  }

  /// What is promised is the score of the file that the next command writes.
  @Test(arguments: [nil, "40"])
  func thePromiseIsThatOfTheNextCommand(tune: String?) throws {
    try withTemporaryFolder { folder in
      let options = tune.map { ["--tune", $0] } ?? []
      let search = try run(
        ["search", Self.model, "--budget", "20x", "--sample", "2000"] + Self.text + options,
        in: folder)
      #expect(search.exitCode == 0, "\(search.errors)")
      let next = try #require(
        search.output.split(separator: "\n").last { $0.hasPrefix("Next: lstmpack compress") })
      let words = next.split(separator: " ").dropFirst(2).map(String.init)
      let compress = try run(words + ["--out", "small.bvq"], in: folder)
      #expect(compress.exitCode == 0, "\(compress.errors)")
      let (original, small) = try (
        ModelFile(source: ByteSource(path: Self.model)).model,
        ModelFile(source: ByteSource(path: folder.appending(path: "small.bvq").path)).model
      )
      let vocabulary = try Vocabulary(
        ByteSource(path: Self.folder.appending(path: "vocab.json").path))
      var reader = DataReader()
      reader.vocabulary = vocabulary
      let data = try reader.read(
        ByteSource(path: Self.folder.appending(path: "heldout.txt").path), labels: nil,
        for: original
      ).fitted(to: original)
      let unseen = try CalibrationData(data, for: original, description: "").scored
      let score = try DataEvaluation(try unseen.sample(steps: 2000), original: original)
        .evaluate(small)
      let promised = "perplexity \(String(format: "%.5f", score.value))"
      #expect(
        search.output.contains(
          tune == nil ? ", calibrated as a whole: " : ", calibrated and tuned: "))
      #expect(search.output.contains(promised), "\(promised) in \(search.output)")
    }
  }

  /// A plan says what it was scored by, and is applied like that or not at all.
  @Test func aPlanNamesItsData() throws {
    try withTemporaryFolder { folder in
      let heldOut = Self.folder.appending(path: "heldout.txt")
      try FileManager.default.copyItem(at: heldOut, to: folder.appending(path: "text.txt"))
      let data = ["--data", "text.txt", "--vocab", Self.folder.appending(path: "vocab.json").path]
      let analyze = try run(
        ["analyze", Self.model, "--sample", "300", "--plan", "p.json"] + data, in: folder)
      #expect(analyze.exitCode == 0, "\(analyze.errors)")
      let plan = try CompressionPlan(
        json: [UInt8](try Data(contentsOf: folder.appending(path: "p.json"))))
      #expect(plan.options == data)
      let compress = try run(
        ["compress", Self.model, "--plan", "p.json", "--out", "own.bvq"], in: folder)
      #expect(compress.exitCode == 0 && compress.output.contains("Calibrated on text.txt"))
      try FileManager.default.removeItem(at: folder.appending(path: "text.txt"))
      let missing = try run(["compress", Self.model, "--plan", "p.json"], in: folder)
      #expect(missing.exitCode == 64, "\(missing.errors)")
      #expect(missing.errors.contains("there is no text.txt here"), "\(missing.errors)")
      let other = try run(
        ["compress", Self.model, "--plan", "p.json", "--weights-only", "--out", "w.bvq"],
        in: folder)
      #expect(other.exitCode == 0, "\(other.errors)")
      for options in [#"["--bits","2"]"#, #""--data""#, "[1]"] {
        try Data(
          #"{"version": 1, "rules": [{"bits": 2}], "options": \#(options)}"#.utf8
        ).write(to: folder.appending(path: "bad.json"))
        let bad = try run(["compress", Self.model, "--plan", "bad.json"], in: folder)
        #expect(bad.exitCode == 64 && bad.errors.contains("'options'"), "\(bad.errors)")
      }
    }
  }

  @Test func aDropIsKeptByTheHook() throws {
    try withTemporaryFolder { folder in
      // A score that the tool cannot know: how many bytes of the file are not zero.
      let hook = "tr -d '\\000' < {model} | wc -c"
      let search = try run(
        [
          "search", Self.model, "--max-drop", "20%", "--hook", hook, "--hook-format", "bvq",
          "--jobs",
          "2", "--json",
        ], in: folder)
      #expect(search.exitCode == 0, "\(search.errors)")
      let report = try JSONValue.parse(Array(search.output.utf8))
      #expect(report["metric"] == "score")
      #expect((report["best"]?["change"]?.doubleValue ?? 1) <= 0.2)
    }
  }

  /// Killed in the middle again and again, the search comes to the plan of one that was not.
  @Test func aKilledSearchGoesOn() throws {
    try withTemporaryFolder { folder in
      let arguments =
        ["search", Self.model, "--budget", "10x", "--sample", "3000", "--threads", "1"] + Self.text
      let whole = try run(arguments + ["--out", "whole.json"], in: folder)
      #expect(whole.exitCode == 0, "\(whole.errors)")
      var (kills, goesOn) = (0, false)
      while true {
        // Each time when there are more scores.
        let lines = 2 + 30 * kills
        let killer = """
          p=$$; (for i in $(seq 600); do sleep 0.05; \\
          [ "$(wc -l < part.json.search 2>/dev/null || echo 0)" -gt \(lines) ] && break; done; \\
          kill -KILL $p) & true
          """
        let part = try CommandRun(
          arguments + ["--out", "part.json"], in: folder, limitedTo: kills < 3 ? killer : nil)
        if part.errors.contains("going on with") { goesOn = true }
        if part.exitCode == 0 { break }
        #expect(part.exitCode == -9, "\(part.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "part.json").path))
        kills += 1
      }
      #expect(kills == 3 && goesOn)
      #expect(
        try Data(contentsOf: folder.appending(path: "part.json"))
          == Data(contentsOf: folder.appending(path: "whole.json")))
    }
  }

  @Test(arguments: [
    ("echo oops >&2; exit 3 # {model}", "the hook ended with exit code 3; it said:\n  oops"),
    ("echo 0.9; echo done {model}", "the hook printed 'done "),
    ("echo nan # {model}", "the hook printed 'nan', which is no finite number"),
    ("sleep 60 # {model}", "the hook took longer than 0.5 s"),
  ])
  func hooksThatFailAreNoScores(hook: String, text: String) throws {
    try withTemporaryFolder { folder in
      for command in [["search", "--budget", "12x"], ["analyze"]] {
        let run = try run(
          command + [
            Self.model, "--hook", hook, "--hook-format", "bvq", "--hook-timeout", "0.5",
          ], in: folder)
        #expect(run.exitCode == 1)
        #expect(run.errors.contains(text), "\(run.errors)")
        #expect(
          !FileManager.default.fileExists(atPath: folder.appending(path: "char-lm.plan.json").path))
      }
    }
  }

  /// A hook that fails for some candidates only: they are named, the others count.
  @Test func candidatesWithoutAScoreAreNamed() throws {
    try withTemporaryFolder { folder in
      // Fails for every third model.
      let hook =
        "n=$(cat \(folder.path)/n 2>/dev/null || echo 0); echo $((n+1)) > \(folder.path)/n; "
        + "[ $((n % 3)) = 2 ] && { echo broken >&2; exit 1; }; wc -c < {model}"
      let search = try run(
        [
          "search", Self.model, "--budget", "4x", "--hook", hook, "--hook-format", "bvq", "--jobs",
          "1", "--no-hook-cache",
        ], in: folder)
      #expect(search.exitCode == 0, "\(search.errors)")
      #expect(search.output.contains("No score: "))
      #expect(search.output.contains("it said:\n  broken"))
    }
  }

  @Test func whatCannotBeReachedIsSaid() throws {
    try withTemporaryFolder { folder in
      let search = try run(
        ["search", Self.model, "--budget", "10B", "--sample", "100"] + Self.text, in: folder)
      #expect(search.exitCode == 1)
      #expect(search.errors.contains("no plan that was tried reaches the goal: at most 10 B"))
      #expect(
        !FileManager.default.fileExists(atPath: folder.appending(path: "char-lm.plan.json").path))
    }
  }

  @Test(arguments: [
    (["--budget", "12x", "--max-drop", "1%"], "Give one of --budget"),
    ([], "Give one of --budget"),
    (["--budget", "twelve"], "--budget takes a share such as 12x or bytes"),
    (["--budget", "0.5x"], "--budget takes a share"),
    (["--bits-per-weight", "0"], "--bits-per-weight"),
    (["--max-drop=-1"], "--max-drop takes a share"),
    (["--budget", "2x", "--jobs", "0"], "--jobs"),
    (["--budget", "2x", "--labels", "y.npy"], "--labels needs --data"),
  ])
  func wrongUseIsToldApart(arguments: [String], text: String) throws {
    try withTemporaryFolder { folder in
      let search = try run(["search", Self.model] + arguments, in: folder)
      #expect(search.exitCode == 64)
      #expect(search.errors.contains(text), "\(search.errors)")
    }
  }

  @Test func theSuggestedPlanKeepsTheScore() throws {
    try withTemporaryFolder { folder in
      let analyze = try run(
        ["analyze", Self.model, "--plan", "plan.json", "--sample", "1000"] + Self.text, in: folder)
      #expect(analyze.exitCode == 0, "\(analyze.errors)")
      #expect(analyze.output.contains("Next: lstmpack compress "))
      #expect(
        try run(["compress", Self.model, "--plan", "plan.json", "--out", "m.bvq"], in: folder)
          .exitCode == 0)
      // It was chosen on a part of the text, with one per cent allowed.
      let eval = try run(
        ["eval", "m.bvq", "--against", Self.model, "--max-drop", "3%"] + Self.text, in: folder)
      #expect(eval.exitCode == 0, "\(eval.errors)")
    }
  }

  @Test func withoutDataTheModelWritesItsOwn() throws {
    try withTemporaryFolder { folder in
      let runs = try (0..<2).map { _ in
        try run(["analyze", Self.model, "--json", "--sample", "300"], in: folder)
      }
      #expect(runs[0].exitCode == 0, "\(runs[0].errors)")
      #expect(runs[0].output == runs[1].output)
      let data = try #require(try JSONValue.parse(Array(runs[0].output.utf8))["data"])
      #expect(data["source"] == "generated")
      #expect(data["description"] == "text that the model wrote itself, seed 1")
      // A model is at ease with its own text.
      #expect((data["direct"]?["original"]?.doubleValue ?? 99) < 12)
      let weights = try run(["analyze", Self.model, "--json", "--weights-only"], in: folder)
      #expect(try JSONValue.parse(Array(weights.output.utf8))["data"] == nil)
    }
  }

  @Test func theDocumentFitsItsSchemaAndThePageHasItsNumbers() throws {
    try withTemporaryFolder { folder in
      let file = repositoryRoot.appending(path: "formats/report/report.schema.json")
      let schema = JSONSchema(try JSONValue.parse(Array(try Data(contentsOf: file))))
      for arguments in [
        ["--weights-only"], ["--sample", "300"], ["--sample", "300"] + Self.text,
        ["--hook", "wc -c < {model}", "--hook-format", "bvq"],
      ] {
        let run = try run(
          ["analyze", Self.model, "--json", "--html", "r.html", "--force"] + arguments, in: folder)
        #expect(run.exitCode == 0, "\(run.errors)")
        let document = try JSONValue.parse(Array(run.output.utf8))
        #expect(schema.violations(of: document) == [], "\(arguments)")
        let page = try String(contentsOf: folder.appending(path: "r.html"), encoding: .utf8)
        #expect(page.utf8.count < 2_000_000)
        #expect(page.contains("lstm_2/forward/recurrent/output"))
      }
      let again = try run(["analyze", Self.model, "--html", "r.html"], in: folder)
      #expect(again.exitCode == 1)
      #expect(again.errors.contains("--force"))
    }
  }
}
