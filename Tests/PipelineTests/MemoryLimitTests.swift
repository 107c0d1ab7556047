import Foundation
import TestSupport
import Testing

/// Small files whose nodes want gigabytes, or work without end.
@Suite struct MemoryLimitTests {
  private static let folder = fixture("run-memory")
  private static let hint =
    "; give fewer or shorter sequences at once, or allow more with --max-memory "

  /// Each file, and what its node wants on the input of the fixture.
  private static let cases = [
    "expand5.onnx": ("#1: wants 537 MB for a value of shape [16777216, 2, 4] beside 1 MB", "537MB"),
    "tile.onnx": ("#1: wants 537 MB for a value of shape [16777216, 2, 4] beside 1 MB", "537MB"),
    "matmul2.onnx": ("#4: wants 1024 MB for a value of shape [16000, 16000] beside 2 MB", "1026MB"),
    "range6.onnx": ("#4: wants 2148 MB for a value of shape [268435454] beside 1 MB", "2148MB"),
  ]

  @Test(arguments: cases.keys.sorted())
  func aNodeThatWantsTooMuchIsNamed(file: String) throws {
    let (problem, size) = try #require(Self.cases[file])
    let run = try CommandRun(["run", file, "--data", "x.npy"], in: Self.folder)
    #expect(run.exitCode == 65 && run.output.isEmpty)
    #expect(
      run.errors
        == "error: \(file): \(problem) of other values, above the limit of 9 MB for a model "
        + "and inputs of this size\(Self.hint)\(size)\n")
    // On other inputs some of the nodes do not fit or are not reached; none takes gigabytes.
    for command in ["bench", "eval", "analyze"] {
      let run = try CommandRun(
        [command, file] + (command == "bench" ? ["--seconds", "0.01"] : []), in: Self.folder,
        limitedTo: "ulimit -v 4000000")
      #expect([0, 65].contains(run.exitCode), "\(command): \(run.errors)")
    }
  }

  /// Working it out naively takes 2³¹ additions.
  @Test func constantsWithoutElementsCostWorkToo() throws {
    let run = try CommandRun(["inspect", "empty-doubling.onnx"], in: Self.folder)
    #expect(run.exitCode == 0, "\(run.errors)")
  }

  @Test func aLimitIsSaidWithTheOption() throws {
    let run = try CommandRun(
      ["run", "expand5.onnx", "--data", "x.npy", "--max-memory", "20MB"], in: Self.folder)
    #expect(run.exitCode == 65)
    #expect(
      run.errors.contains("above the limit of 20 MB of --max-memory" + Self.hint), "\(run.errors)")
    for size in ["4 apples", "-1GB", "0"] {
      let run = try CommandRun(
        ["run", "expand5.onnx", "--data", "x.npy", "--max-memory=\(size)"], in: Self.folder)
      #expect(run.exitCode == 64, "\(size)")
      #expect(run.errors.contains("--max-memory takes a size such as 500MB or 4GB"), "\(size)")
    }
  }

  /// An ordinary model may be held to a few megabytes, and is refused by fewer.
  @Test func anOrdinaryModelRunsWithinALimit() throws {
    let folder = repositoryRoot.appending(path: "examples/char-lm")
    let run = try CommandRun(
      [
        "eval", "char-lm.h5", "--data", "heldout.txt", "--vocab", "vocab.json", "--max-memory",
        "50MB", "--json",
      ], in: folder)
    #expect(run.exitCode == 0, "\(run.errors)")
    let refused = try CommandRun(
      [
        "eval", "char-lm.h5", "--data", "heldout.txt", "--vocab", "vocab.json", "--max-memory",
        "10KB",
      ], in: folder)
    #expect(refused.exitCode == 65 && refused.errors.contains("of --max-memory"))
  }
}
