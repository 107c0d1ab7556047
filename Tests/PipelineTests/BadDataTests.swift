import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Data that do not fit, and models that do not match: each gives its error, in these words.
@Suite struct BadDataTests {
  struct Case: Sendable, CustomStringConvertible {
    var name: String
    /// Arguments; names in braces stand for files.
    var arguments: [String]
    var exitCode: Int32
    var text: String
    var input: String?

    var description: String { name }
  }

  /// What the names in braces stand for.
  private static let files: [String: String] = [
    // [any, 6, 4] in, [any, 6, 3] out.
    "{numbers}": fixture("runtime/activation_relu_k2_h5.h5").path,
    // The same input, another output.
    "{other}": fixture("runtime/backwards_last_k2_h5.h5").path,
    "{gru}": fixture("runtime/refused_gru_k3_keras.keras").path,
    "{characters}": repositoryRoot.appending(path: "examples/char-lm/char-lm.h5").path,
    "{vocabulary}": repositoryRoot.appending(path: "examples/char-lm/vocab.json").path,
  ]

  /// The files that the cases name.
  private static func writeFiles(to folder: URL) throws {
    func write(_ name: String, _ dims: [Int], _ values: [Float]) throws {
      try Data(
        try ArrayFile.bytes(of: [(name: "x", tensor: Tensor(dims, values))], ending: "npy")
      ).write(to: folder.appending(path: name))
    }
    func text(_ name: String, _ text: String) throws {
      try Data(text.utf8).write(to: folder.appending(path: name))
    }
    let ones = [Float](repeating: 1, count: 48)
    try write("good.npy", [2, 6, 4], ones)
    try write("features.npy", [2, 6, 3], [Float](ones.prefix(36)))
    try write("steps.npy", [2, 5, 4], [Float](ones.prefix(40)))
    try write("flat.npy", [48], ones)
    try write("nan.npy", [2, 6, 4], [Float](ones.prefix(47)) + [.nan])
    try write("none.npy", [0, 6, 4], [])
    try write("half-labels.npy", [2, 6], [0.5] + [Float](ones.prefix(11)))
    try write("three-labels.npy", [3], [0, 1, 0])
    try text("empty.csv", "")
    try text("short.csv", "1,2,3,4\n1,2,3,4\n")
    try text("words.csv", "1,2,3,4\n1,2,x,4\n")
    try text("ragged.csv", "1,2,3,4\n1,2,3\n")
    try text("empty.txt", "")
    try text("one.txt", "a")
    try text("text.txt", "It was a dark night.\nIt was.\n")
    try text("other-vocab.json", "[\"a\", \"b\"]")
    try text("twice.json", "[\"a\", \"a\"]")
    try text("numbers.json", "[1, 2]")
    try Data("PK\u{3}\u{4}not a zip".utf8).write(to: folder.appending(path: "broken.npz"))
    try Data(
      try ArrayFile.bytes(
        of: [
          (name: "a", tensor: Tensor([2, 6, 4], ones)),
          (name: "b", tensor: Tensor([2, 6, 4], ones)),
        ], ending: "npz")
    ).write(to: folder.appending(path: "two.npz"))
  }

  static let cases: [Case] = [
    Case(
      name: "features",
      arguments: ["eval", "{numbers}", "--data", "features.npy"],
      exitCode: 65,
      text: "error: features.npy: features: expected [sequences, 6, 4], found [2, 6, 3]; the "
        + "model has the layout [batch, time 6, 4]; data have the sequences first"),
    Case(
      name: "steps",
      arguments: ["eval", "{numbers}", "--data", "steps.npy"],
      exitCode: 65,
      text: "error: steps.npy: features: expected [sequences, 6, 4], found [2, 5, 4]; the "
        + "model has the layout [batch, time 6, 4]; data have the sequences first"),
    Case(
      name: "flat",
      arguments: ["eval", "{numbers}", "--data", "flat.npy"],
      exitCode: 65,
      text: "error: flat.npy: features: expected [sequences, 6, 4], found the shape [48]; data "
        + "have the sequences first, whatever the layout of the model is"),
    Case(
      name: "not a number",
      arguments: ["eval", "{numbers}", "--data", "nan.npy"],
      exitCode: 65,
      text: "error: nan.npy: x: element 47 is nan, expected a finite number; replace missing "
        + "values before the model sees them"),
    Case(
      name: "no sequences",
      arguments: ["eval", "{numbers}", "--data", "none.npy"],
      exitCode: 65,
      text: "error: none.npy: x: is empty: shape [0, 6, 4]"),
    Case(
      name: "empty table",
      arguments: ["eval", "{numbers}", "--data", "empty.csv"],
      exitCode: 65,
      text: "error: empty.csv: is empty"),
    Case(
      name: "table too short",
      arguments: ["eval", "{numbers}", "--data", "short.csv"],
      exitCode: 65,
      text: "error: short.csv: is too short: it has 2 rows, a window 6"),
    Case(
      name: "words in a table",
      arguments: ["run", "{numbers}", "--data", "words.csv"],
      exitCode: 65,
      text: "error: words.csv: line 2: column 3: expected a number, found 'x'; a text needs "
        + "--vocab"),
    Case(
      name: "ragged table",
      arguments: ["run", "{numbers}", "--data", "ragged.csv"],
      exitCode: 65,
      text: "error: ragged.csv: line 2: expected 4 columns as in line 1, found 3; a text "
        + "needs --vocab"),
    Case(
      name: "broken archive",
      arguments: ["run", "{numbers}", "--data", "broken.npz"],
      exitCode: 65,
      text: "error: broken.npz: is not a whole zip archive: Not a zip archive; the file may "
        + "be cut short; copy it again"),
    Case(
      name: "no array for the input",
      arguments: ["run", "{numbers}", "--data", "two.npz"],
      exitCode: 65,
      text: "error: two.npz: features: the data have no array for this input; they have a, b"),
    Case(
      name: "missing file",
      arguments: ["run", "{numbers}", "--data", "missing.npy"],
      exitCode: 1,
      text: "error: missing.npy: cannot be opened: No such file or directory"),
    Case(
      name: "labels of another kind",
      arguments: [
        "eval", "{numbers}", "--data", "good.npy", "--labels", "half-labels.npy", "--task",
        "classes",
      ],
      exitCode: 65,
      text: "error: half-labels.npy: labels: labels are numbers of classes, found floating-point "
        + "numbers; give numbers of classes, or --task binary or --task regression"),
    Case(
      name: "labels of another count",
      arguments: ["eval", "{numbers}", "--data", "good.npy", "--labels", "three-labels.npy"],
      exitCode: 65,
      text: "error: three-labels.npy: labels: there are 3 labels for 2 sequences"),
    Case(
      name: "numbers for a language model",
      arguments: ["eval", "{characters}", "--data", "good.npy"],
      exitCode: 65,
      text: "error: good.npy: characters: expected [sequences, steps], found the shape [2, 6, 4]; "
        + "data have the sequences first, whatever the layout of the model is"),
    Case(
      name: "text without a vocabulary",
      arguments: ["eval", "{characters}", "--data", "text.txt"],
      exitCode: 65,
      text: "error: text.txt: line 2: expected 5 columns as in line 1, found 2; a text needs "
        + "--vocab"),
    Case(
      name: "empty text",
      arguments: ["eval", "{characters}", "--data", "empty.txt", "--vocab", "{vocabulary}"],
      exitCode: 65,
      text: "error: empty.txt: is empty"),
    Case(
      name: "text too short",
      arguments: ["eval", "{characters}", "--data", "one.txt", "--vocab", "{vocabulary}"],
      exitCode: 65,
      text: "error: one.txt: is too short: 1 tokens do not make 10 streams of at least 2; "
        + "give a longer text or fewer --streams"),
    Case(
      name: "unknown token",
      arguments: ["eval", "{characters}", "--data", "text.txt", "--vocab", "other-vocab.json"],
      exitCode: 65,
      text: "error: text.txt: line 1: the token 'I' is not in the vocabulary of 2; give the "
        + "vocabulary that the model was trained with, or one with <unk>"),
    Case(
      name: "token twice",
      arguments: ["eval", "{characters}", "--data", "text.txt", "--vocab", "twice.json"],
      exitCode: 65,
      text: "error: twice.json: has the token 'a' twice, as 0 and 1"),
    Case(
      name: "vocabulary of numbers",
      arguments: ["eval", "{characters}", "--data", "text.txt", "--vocab", "numbers.json"],
      exitCode: 65,
      text: "error: numbers.json: is a list of other things than texts"),
    Case(
      name: "text for a model of numbers",
      arguments: ["eval", "{numbers}", "--data", "text.txt", "--vocab", "{vocabulary}"],
      exitCode: 65,
      text: "error: text.txt: a text needs a model with one input of tokens, [sequences, steps]; "
        + "this one has the input features [batch, time 6, 4]"),
    Case(
      name: "two models that do not match",
      arguments: ["eval", "{numbers}", "--against", "{characters}", "--data", "good.npy"],
      exitCode: 65,
      text: "error: good.npy: the two models do not match: their inputs are characters and "
        + "features"),
    Case(
      name: "two models with other outputs",
      arguments: ["eval", "{numbers}", "--against", "{other}", "--data", "good.npy"],
      exitCode: 65,
      text: "error: good.npy: the two models do not match: their outputs have the shapes [2, "
        + "5] and [2, 6, 3]"),
    Case(
      name: "reference is no model",
      arguments: ["eval", "{numbers}", "--against", "good.npy"],
      exitCode: 65,
      text: "error: good.npy: is an array of NumPy (.npy), no model; give it as --data beside a "
        + "model"),
    Case(
      name: "base is no base",
      arguments: [
        "eval", "{characters}", "--base", "two.npz", "--data", "text.txt", "--vocab",
        "{vocabulary}", "--streams", "2",
      ],
      exitCode: 65,
      text: "error: two.npz: does not hold saved outputs; make it with `lstmpack eval MODEL "
        + "--save-base FILE`"),
    Case(
      name: "drop without a reference",
      arguments: ["eval", "{numbers}", "--max-drop", "1%"],
      exitCode: 64,
      text: "Error: --max-drop needs a model to compare with: --against or --base.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "drop is no number",
      arguments: ["eval", "{numbers}", "--against", "{numbers}", "--max-drop", "much"],
      exitCode: 64,
      text: "Error: --max-drop takes a share such as 0.01 or 1%, not 'much'.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "cache of no window",
      arguments: ["eval", "{characters}", "--cache-lambda", "0.2"],
      exitCode: 64,
      text: "Error: --cache-theta and --cache-lambda need --cache-window.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "labels beside a text",
      arguments: [
        "eval", "{characters}", "--data", "text.txt", "--vocab", "{vocabulary}", "--labels",
        "three-labels.npy",
      ],
      exitCode: 65,
      text: "error: three-labels.npy: labels: a text has none: each token is to be told from those "
        + "before it; leave out --labels, or give sequences as .npy or .npz"),
    Case(
      name: "cache without a text",
      arguments: ["eval", "{characters}", "--data", "good.npy", "--cache-window", "9"],
      exitCode: 64,
      text: "Error: --cache-window needs a text: --data and --vocab.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "cache that is too small",
      arguments: ["eval", "{characters}", "--cache-window", "0"],
      exitCode: 64,
      text: "Error: --cache-window takes a number from 1 to 65536, not 0.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "cache that is too large",
      arguments: ["eval", "{characters}", "--cache-window", "65537"],
      exitCode: 64,
      text: "Error: --cache-window takes a number from 1 to 65536, not 65537.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "likeness without end",
      arguments: ["eval", "{characters}", "--cache-window", "9", "--cache-theta", "1e300"],
      exitCode: 64,
      text: "Error: --cache-theta takes a finite number, not 1e+300.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "weight of a cache",
      arguments: ["eval", "{characters}", "--cache-window", "9", "--cache-lambda", "1.5"],
      exitCode: 64,
      text: "Error: --cache-lambda takes a number from 0 to 1, not 1.5.\nUsage: "
        + "lstmpack eval [<options>] [<model>]\n  See 'lstmpack eval --help' for more "
        + "information."),
    Case(
      name: "cache for numbers",
      arguments: [
        "eval", "{numbers}", "--data", "good.npy", "--vocab", "{vocabulary}", "--cache-window", "9",
      ],
      exitCode: 65,
      text: "warning: --vocab is not used: good.npy holds arrays\n"
        + "error: good.npy: a cache is for texts, the data are sequences; give a text and "
        + "--vocab, or leave out --cache-window"),
    Case(
      name: "cache of a layer without scores",
      arguments: [
        "eval", "{characters}", "--data", "text.txt", "--vocab", "{vocabulary}", "--output",
        "lstm_2", "--cache-window", "9", "--streams", "1",
      ],
      exitCode: 65,
      text: "error: {characters}: lstm_2: no dense layer makes this output, so it has no hidden "
        + "states for a cache; choose another output with --output, or leave out --cache-window"),
    Case(
      name: "metric that is not there",
      arguments: [
        "eval", "{numbers}", "--against", "{numbers}", "--data", "good.npy", "--max-drop", "1%",
        "--metric", "beauty",
      ],
      exitCode: 64,
      text: "error: --metric: the report has no metric 'beauty' of both models; it has "
        + "outputRelativeError, outputMaximumDifference"),
    Case(
      name: "output that is not there",
      arguments: ["run", "{numbers}", "--data", "good.npy", "--output", "lstm_9"],
      exitCode: 65,
      text: "error: {numbers}: there is no output or layer 'lstm_9'; did you mean 'lstm'? "
        + "there are lstm"),
    Case(
      name: "layer that is no LSTM",
      arguments: ["run", "{numbers}", "--data", "good.npy", "--layer", "dense"],
      exitCode: 65,
      text: "error: {numbers}: there is no LSTM layer 'dense'; there are lstm"),
    Case(
      name: "layer that cannot be run",
      arguments: ["eval", "{gru}"],
      exitCode: 65,
      text: "error: {gru}: gru: lstmpack cannot run GRU layers; choose an output before it "
        + "with --output, or run an LSTM with --layer"),
    Case(
      name: "several outputs in one array",
      arguments: ["run", "{numbers}", "--data", "good.npy", "--states", "--out", "y.npy"],
      exitCode: 65,
      text: "error: good.npy: there are 3 outputs: lstm, lstm/h, lstm/c; write them to an "
        + ".npz, or choose one with --output"),
    Case(
      name: "output file exists",
      arguments: ["run", "{numbers}", "--data", "good.npy", "--out", "good.npy"],
      exitCode: 1,
      text: "error: good.npy: exists already; give --force to overwrite it, or another name "
        + "with --out"),
    Case(
      name: "stream of words",
      arguments: ["run", "{characters}", "--stream"],
      exitCode: 65,
      text: "error: standard input: line 1: expected a number, found 'hello'; steps of "
        + "tokens need --vocab",
      input: "hello world\n"),
    Case(
      name: "stream without a model",
      arguments: ["run", "--stream"],
      exitCode: 64,
      text: "error: --stream reads steps from standard input; name the model",
      input: "hello world\n"),
    Case(
      name: "no data",
      arguments: ["run", "{numbers}"],
      exitCode: 64,
      text: "Error: Give --data, or --stream.\nUsage: lstmpack run [<options>] [<model>]\n  "
        + "See 'lstmpack run --help' for more information."),
    Case(
      name: "bind without a name",
      arguments: ["run", "{numbers}", "--data", "good.npy", "--bind", "W.npy"],
      exitCode: 64,
      text: "error: --bind takes NAME=FILE, not 'W.npy'"),
    Case(
      name: "streams beyond the text",
      arguments: [
        "analyze", "{characters}", "--data", "text.txt", "--vocab", "{vocabulary}", "--streams",
        "100",
      ],
      exitCode: 65,
      text: "error: text.txt: is too short: 29 tokens do not make 100 streams of at least 2; "
        + "give a longer text or fewer --streams"),
  ]

  @Test(arguments: cases)
  func badDataAreRefusedInTheseWords(_ item: Case) throws {
    try withTemporaryFolder { folder in
      try Self.writeFiles(to: folder)
      let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      let arguments = item.arguments.map { Self.files[$0] ?? $0 }
      var input: URL?
      if let text = item.input {
        input = folder.appending(path: "input")
        try Data(text.utf8).write(to: folder.appending(path: "input"))
      }
      let run = try CommandRun(arguments, in: folder, input: input)
      var found = run.errors.trimmingCharacters(in: .newlines)
      for (name, path) in Self.files {
        found = found.replacingOccurrences(of: path, with: name)
      }
      #expect(run.exitCode == item.exitCode, "\(found)")
      #expect(found == item.text)
      try? FileManager.default.removeItem(at: folder.appending(path: "input"))
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
    }
  }
}
