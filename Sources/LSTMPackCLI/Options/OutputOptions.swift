import ArgumentParser
import LSTMPackKit

/// Where a command writes the model that it makes.
struct OutputOptions: ParsableArguments {
  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to write; - for standard output.",
      discussion: """
        A .bvq, or with the ending .h5, .keras, .onnx or .safetensors the model for another tool, as \
        `lstmpack export` writes it. Without it: the model's name with what was done, such as \
        model.rank32.bvq.
        """, valueName: "file"),
    completion: .file(extensions: ["bvq"] + ExportFormats.all.flatMap(\.fileExtensions)))
  var out: String?

  @Flag(help: "Overwrite the output file when it exists.")
  var force = false

  /// The path to write to; `nil` for standard output.
  ///
  /// - Parameters:
  ///   - source: The model that was read, for the default name.
  ///   - suffix: What was done to it, for the default name: `rank32`, `1bit`.
  /// - Returns: The path, or `nil`.
  /// - Throws: ``DiagnosticError`` when the file exists and may not be overwritten, before any
  ///   long work.
  func path(source: ByteSource, suffix: String) throws(DiagnosticError) -> String? {
    if out == "-" { return nil }
    let path = out ?? Self.defaultName(of: source, suffix: suffix)
    try AtomicFile.checkTarget(path, overwrite: force)
    return path
  }

  private static func defaultName(of source: ByteSource, suffix: String) -> String {
    "\(ModelLocation.stem(of: source)).\(suffix).bvq"
  }
}

/// How a command reports.
struct ReportOptions: ParsableArguments {
  @Flag(help: "Print the report as JSON.")
  var json = false

  @Flag(
    help: """
      Fail with exit code 1, writing nothing, when anything is left uncompressed, or a file for another tool cannot be \
      compared with the model.
      """)
  var strict = false
}

/// How many threads a command may use.
struct ThreadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How many threads to use. Results do not depend on it.", valueName: "count"))
  var threads: Int?

  /// The number given, or that of the processors.
  var count: Int { threads ?? ProcessorCount.available }

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads takes a number from 1 to 1024, not \(threads).")
    }
  }
}
