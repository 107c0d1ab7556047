import ArgumentParser
import Foundation
import LSTMPackKit

/// Which model a command works on.
struct ModelOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "The model: a checkpoint or a .bvq file; - for standard input.",
      discussion: """
        Without it: standard input when something comes through it, else the only checkpoint in \
        the current folder (a .bvq file does not count).
        """, valueName: "model"),
    completion: .file(extensions: CheckpointFormats.fileExtensions + ["bvq"]))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "The format, when it should not be recognized by content: "
        + (CheckpointFormats.all.map(\.name) + ["bvq"]).joined(separator: ", ") + ".",
      valueName: "format"))
  var from: String?

  @Option(
    help: ArgumentHelp(
      "The recurrent activation of a weights-only file, which does not record it: sigmoid, "
        + "hard_sigmoid, tanh, relu or linear.",
      valueName: "name"))
  var recurrentActivation: String?

  @Option(
    help: ArgumentHelp(
      "What TensorFlow 1 cells add to the forget gate; the file does not hold it (1 without).",
      valueName: "bias"))
  var forgetBias: Float?

  @Option(
    help: ArgumentHelp(
      "A JSON file that says where LSTM weights are among the arrays of an HDF5 or safetensors "
        + "file, for names that lstmpack does not know (formats/arrays/README.md).",
      valueName: "file"), completion: .file(extensions: ["json"]))
  var map: String?

  @Option(
    help: ArgumentHelp(
      "The axis of time of an input or output, where it does not follow from the graph or is to be "
        + "another one: 0 is the first, -1 the last; may be given again.",
      valueName: "name=axis"))
  var timeAxis: [String] = []

  @Option(
    help: ArgumentHelp(
      "The axis of sequences of an input or output, likewise.", valueName: "name=axis"))
  var batchAxis: [String] = []

  /// Values of inputs that are weights; no option of every command.
  var boundInputs: [String: Tensor] = [:]

  private enum CodingKeys: String, CodingKey {
    case model, from, recurrentActivation, forgetBias, map, timeAxis, batchAxis
  }

  /// Finds and reads the model; warnings go to standard error.
  func load() throws(DiagnosticError) -> (file: ModelFile, source: ByteSource) {
    let source = try ModelLocation.find(argument: model)
    return (try load(source, formatName: from), source)
  }

  /// Reads another model with which this one is compared; warnings go to standard error.
  func loadOriginal(_ source: ByteSource) throws(DiagnosticError) -> Model {
    try load(source, formatName: nil).model
  }

  private func load(
    _ source: ByteSource, formatName: String?
  ) throws(DiagnosticError) -> ModelFile {
    var file = try read(source, formatName: formatName)
    try declareAxes(&file.model)
    for warning in file.warnings { Console.warn("\(source.name): \(warning)") }
    return file
  }

  /// Notes in the graph which axes the user says count time and sequences.
  private func declareAxes(_ model: inout Model) throws(DiagnosticError) {
    for (option, texts, role) in [
      ("--time-axis", timeAxis, \DeclaredAxes.time), ("--batch-axis", batchAxis, \.batch),
    ] {
      for text in texts {
        // Names may have an equals sign; numbers have none.
        guard let cut = text.lastIndex(of: "="), let axis = Int(text[text.index(after: cut)...])
        else {
          throw DiagnosticError(.badOption, "\(option) takes NAME=AXIS, not '\(text)'")
        }
        let name = String(text[..<cut])
        guard try model.declare(role, axis, of: name) else {
          let graph = model.graph
          let names = (graph?.inputs.map(\.name) ?? []) + (graph?.outputs.map(\.name) ?? [])
          throw DiagnosticError(
            .badOption, "\(option): there is no input or output '\(name)'",
            hint: "there are \(names.joined(separator: ", "))")
        }
      }
    }
  }

  /// Reads a file, in another process where libhdf5 does it.
  func read(_ source: ByteSource, formatName: String?) throws(DiagnosticError) -> ModelFile {
    let options = try importOptions()
    guard try IsolatedReader.isWanted(for: source, formatName: formatName),
      let program = Self.ownProgram
    else { return try ModelFile(source: source, options: options, formatName: formatName) }
    var arguments = [ReadModelCommand.name, source.path ?? "-"]
    for (name, value) in [
      ("--from", formatName), ("--recurrent-activation", recurrentActivation),
      ("--forget-bias", forgetBias.map { "\($0)" }), ("--map", map),
    ] {
      if let value { arguments.append("\(name)=\(value)") }
    }
    return try IsolatedReader(executable: program, arguments: arguments).read(source)
  }

  /// This program; `nil` when it cannot be found, as after it was removed.
  private static var ownProgram: URL? {
    let link = URL(filePath: "/proc/self/exe")
    if FileManager.default.fileExists(atPath: link.path) { return link }
    return Bundle.main.executableURL
  }

  /// What the options say of a checkpoint.
  func importOptions() throws(DiagnosticError) -> ImportOptions {
    ImportOptions(
      recurrentActivation: recurrentActivation, boundInputs: boundInputs, forgetBias: forgetBias,
      arrayMap: try arrayMap())
  }

  private func arrayMap() throws(DiagnosticError) -> ArrayMap? {
    guard let map else { return nil }
    let source = try ByteSource(path: map)
    do throws(DiagnosticError) {
      guard source.count <= 1 << 20 else {
        throw DiagnosticError(
          .limitExceeded, "has \(source.count) bytes, above the limit of 1 MiB for a map")
      }
      return try ArrayMap(json: source.bytes(in: 0..<source.count))
    } catch { throw error.inFile(map) }
  }
}

/// Where a model comes from when the command line does not say.
enum ModelLocation {
  /// The name under which standard input appears in messages.
  static let standardInputName = "standard input"

  /// The name of a model's file without folder and ending, for outputs in the current folder.
  static func stem(of source: ByteSource) -> String {
    var name = source.path.map { $0.split(separator: "/").last.map(String.init) ?? $0 } ?? "model"
    if let dot = name.lastIndex(of: "."), dot > name.startIndex { name = String(name[..<dot]) }
    return name
  }

  /// Opens the model that the argument names, or the implied one.
  ///
  /// - Throws: ``DiagnosticError`` with code `noModel` when there is none or more than one, and
  ///   whatever opening the file throws.
  static func find(argument: String?) throws(DiagnosticError) -> ByteSource {
    if argument == "-" { return try standardInput() }
    if let argument {
      if FileManager.default.fileExists(atPath: "\(argument)/Data/com.apple.CoreML") {
        throw DiagnosticError(
          .fileAccess, file: argument, "is the folder of a Core ML model (.mlpackage)",
          hint: "export the model that it was converted from: to .onnx, or as Keras saves it")
      }
      if FileManager.default.fileExists(atPath: "\(argument)/saved_model.pb") {
        throw DiagnosticError(
          .fileAccess, file: argument, "is the folder of a TensorFlow SavedModel",
          hint: "in Python, keras.models.load_model(folder).save('model.keras') writes a file that "
            + "lstmpack reads (tf_keras for folders of Keras 2)")
      }
      return try ByteSource(path: argument)
    }
    let checkpoints = checkpointsInCurrentFolder()
    if standardInputHasBytes(wait: checkpoints.isEmpty ? -1 : 1000) {
      return try standardInput()
    }
    guard let only = checkpoints.first else {
      throw DiagnosticError(
        .noModel,
        "there is no model: none is named, nothing came through standard input, and "
          + "the current folder has no checkpoint (\(endings))",
        hint: "name one, for example `lstmpack inspect model.h5`")
    }
    guard checkpoints.count == 1 else {
      throw DiagnosticError(
        .noModel,
        "the current folder has \(checkpoints.count) checkpoints: "
          + checkpoints.joined(separator: ", "),
        hint: "name one of them")
    }
    Console.printError("using \(only), the only checkpoint in this folder")
    return try ByteSource(path: only)
  }

  private static var endings: String {
    CheckpointFormats.fileExtensions.map { "." + $0 }.joined(separator: ", ")
  }

  private static func checkpointsInCurrentFolder() -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: ".")) ?? []
    return names.filter { name in
      var isFolder: ObjCBool = false
      let exists = unsafe FileManager.default.fileExists(atPath: name, isDirectory: &isFolder)
      return exists && !isFolder.boolValue
        && CheckpointFormats.fileExtensions.contains(
          URL(filePath: name).pathExtension.lowercased())
    }.sorted()
  }

  /// Whether standard input is a file with bytes in it, or a pipe from which bytes come.
  ///
  /// A program that starts lstmpack may leave it an open pipe through which nothing ever comes, so
  /// with a checkpoint in the folder a silent pipe is waited for only so long.
  ///
  /// - Parameter wait: Milliseconds to wait for a pipe; -1 waits for ever.
  /// - Returns: Whether to read it.
  private static func standardInputHasBytes(wait: Int32) -> Bool {
    var status = stat()
    guard unsafe fstat(STDIN_FILENO, &status) == 0 else { return false }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return status.st_size > 0
    // Reading it says that it is one.
    case S_IFDIR: return true
    case S_IFIFO, S_IFSOCK:
      var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
      guard unsafe poll(&descriptor, 1, wait) > 0 else { return false }
      guard descriptor.revents & Int16(POLLIN) != 0 else { return false }
      var pending: Int32 = 0
      return unsafe ioctl(STDIN_FILENO, UInt(FIONREAD), &pending) == 0 && pending > 0
    default: return false
    }
  }

  private static func standardInput() throws(DiagnosticError) -> ByteSource {
    let reader = StreamReader(name: standardInputName, descriptor: STDIN_FILENO)
    return ByteSource(name: standardInputName, bytes: try reader.all())
  }
}

extension Model {
  /// Notes an axis of an input or output.
  ///
  /// - Returns: Whether there is one of this name.
  /// - Throws: `DiagnosticError` when it does not have the axis.
  fileprivate mutating func declare(
    _ role: WritableKeyPath<DeclaredAxes, Int?>, _ axis: Int, of name: String
  ) throws(DiagnosticError) -> Bool {
    guard var graph else { return false }
    let axes = GraphAxes(self)
    func checked(_ value: String) throws(DiagnosticError) {
      guard let rank = axes.axes(of: value)?.count, !(-rank..<rank).contains(axis) else { return }
      throw DiagnosticError(
        .badOption, "'\(name)' has \(rank) axes, \(axes.shapeText(of: value)), so no axis \(axis)")
    }
    var isThere = false
    for index in graph.inputs.indices where graph.inputs[index].name == name {
      try checked(name)
      var declared = graph.inputs[index].axes ?? DeclaredAxes()
      declared[keyPath: role] = axis
      graph.inputs[index].axes = declared
      isThere = true
    }
    for index in graph.outputs.indices where !isThere && graph.outputs[index].name == name {
      try checked(graph.outputs[index].value)
      var declared = graph.outputs[index].axes ?? DeclaredAxes()
      declared[keyPath: role] = axis
      graph.outputs[index].axes = declared
      isThere = true
    }
    self.graph = graph
    return isThere
  }
}

extension DiagnosticError.Code {
  /// No model is named and none or several could be meant.
  static let noModel = Self("cli.noModel", .usage)
  /// An option has a value that does not make sense.
  static let badOption = Self("cli.badOption", .usage)
  /// Something was left uncompressed under `--strict`.
  static let strict = Self("cli.strict", .failure)
}
