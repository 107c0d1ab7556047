import BVQ
import Checkpoints
public import Diagnostics
public import FileSupport
public import Foundation
import LSTMCore
import OrderedJSON

/// Reads checkpoints in another process.
///
/// libhdf5 may crash, run for ever or fill the memory on files that are damaged or made to do harm; then
/// the other process ends and the caller gets an error. The other program, which may be the caller's own,
/// reads the checkpoint and calls ``serve(_:)``; the model comes back as a `.bvq` through a pipe.
public struct IsolatedReader: Sendable {
  /// The program.
  public var executable: URL
  /// Its arguments, which name the file, or make it read standard input for bytes in memory.
  public var arguments: [String]

  /// Creates a reader.
  public init(executable: URL, arguments: [String]) {
    self.executable = executable
    self.arguments = arguments
  }

  /// Whether a file is of a kind that libhdf5 reads, told by its first bytes alone.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - formatName: A `CheckpointFormat.name`, when the caller knows it.
  /// - Returns: Whether ``read(_:)`` should be used.
  /// - Throws: ``DiagnosticError`` when the file cannot be read.
  public static func isWanted(
    for source: ByteSource, formatName: String? = nil
  ) throws(DiagnosticError) -> Bool {
    for format in CheckpointFormats.all where format.isReadByLibHDF5 {
      if let formatName {
        if format.name == formatName { return true }
      } else if try format.mayRecognize(source) {
        return true
      }
    }
    return false
  }

  // MARK: - The caller's side

  /// Runs the program and takes the model from it.
  ///
  /// - Parameter source: The file; its bytes go to standard input when they are in memory.
  /// - Returns: The model.
  /// - Throws: ``DiagnosticError`` of the other process; with code `crashedWhileReading` when a signal
  ///   ended it in libhdf5, and with code `readerDefect` when one ended it elsewhere.
  public func read(_ source: ByteSource) throws(DiagnosticError) -> ModelFile {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    let (output, errors, input) = (Pipe(), Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = source.path == nil ? input : FileHandle.nullDevice
    do { try process.run() } catch {
      throw DiagnosticError(
        .fileAccess, file: source.name, "cannot be read: \(executable.path) cannot be started")
    }
    if source.path == nil { Self.feed(source, to: input) }
    let text = Self.collect(errors)
    let bytes = [UInt8]((try? output.fileHandleForReading.readToEnd()) ?? Data())
    process.waitUntilExit()
    let said = text()
    guard process.terminationReason == .exit else {
      throw Self.error(signal: process.terminationStatus, said).inFile(source.name)
    }
    guard process.terminationStatus == 0 else {
      throw Self.error(said, status: process.terminationStatus).inFile(source.name)
    }
    return try ModelFile(served: ByteSource(name: source.name, bytes: bytes))
  }

  /// Writes the bytes of a source to a program, which may stop reading.
  private static func feed(_ source: ByteSource, to pipe: Pipe) {
    let handle = pipe.fileHandleForWriting
    let bytes = (try? source.bytes(in: 0..<source.count)) ?? []
    DispatchQueue.global().async {
      signal(SIGPIPE, SIG_IGN)
      try? handle.write(contentsOf: bytes)
      try? handle.close()
    }
  }

  /// Reads what a program says besides, so that it never waits for a reader.
  private static func collect(_ pipe: Pipe) -> () -> [UInt8] {
    let group = DispatchGroup()
    let box = Box()
    group.enter()
    DispatchQueue.global().async {
      box.bytes = [UInt8]((try? pipe.fileHandleForReading.readToEnd()) ?? Data())
      group.leave()
    }
    return {
      group.wait()
      return box.bytes
    }
  }

  /// Bytes that one thread writes before another reads them.
  private final class Box: @unchecked Sendable { var bytes: [UInt8] = [] }

  /// What ended the other process; a crash outside of libhdf5 is nobody's fault but our own.
  private static func error(signal: Int32, _ said: [UInt8]) -> DiagnosticError {
    let lines = said.split(separator: 0x0A).map { Array($0) }
    let problem: String
    switch signal {
    case SIGALRM: problem = "reading it did not come to an end in the time that it may take"
    case SIGKILL: problem = "the process that reads it was ended by the system"
    case _ where lines.contains(IsolatedServer.crashInLibHDF5):
      problem = "libhdf5 crashed (signal \(signal)) in it"
    default:
      return DiagnosticError(
        .readerDefect,
        "lstmpack crashed (signal \(signal)) while it read this file, which is a defect of lstmpack",
        hint: "please report it together with the file")
    }
    return DiagnosticError(
      .crashedWhileReading, "cannot be read: \(problem)",
      hint: "the file is damaged; copy it again, or save the model again")
  }

  private static func error(_ said: [UInt8], status: Int32) -> DiagnosticError {
    // What the Swift runtime or libhdf5 say comes before it.
    let line = said.split(separator: 0x0A).last { $0.first == UInt8(ascii: "{") } ?? []
    guard let json = try? JSONValue.parse(Array(line)), let code = json["code"]?.stringValue,
      let problem = json["problem"]?.stringValue
    else {
      return DiagnosticError(
        .crashedWhileReading, "cannot be read: the process that reads it ended with \(status)")
    }
    let category: DiagnosticError.Category =
      switch json["category"] {
      case "usage": .usage
      case "failure": .failure
      default: .malformedInput
      }
    return DiagnosticError(
      DiagnosticError.Code(code, category), file: json["file"]?.stringValue,
      object: json["object"]?.stringValue, problem, hint: json["hint"]?.stringValue)
  }
}

/// The side of ``IsolatedReader`` that reads the checkpoint.
public enum IsolatedServer {
  /// How long libhdf5 may take before it comes to the weights.
  private static let seconds: UInt32 = 8
  /// How long the weights and the graph may take then, besides a second for each MiB.
  private static let secondsAfterwards = 30
  /// What the process says when it crashes in libhdf5.
  static let crashInLibHDF5 = Array("crashed in libhdf5".utf8)
  /// The signals of a crash.
  private static let crashes = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS]
  /// The memory that it may use before, besides twice the size of the file.
  private static let memoryBytes = 48 << 20

  /// Limits time and memory until the weights are read, whose size is checked.
  ///
  /// - Parameter byteCount: The size of the file.
  public static func limit(byteCount: Int) {
    for number in crashes {
      signal(number) { number in
        // Only what a signal handler may do.
        if CheckpointFormats.isLibHDF5AtWork {
          _ = unsafe IsolatedServer.crashLine.withUnsafeBytes {
            unsafe write(2, $0.baseAddress, $0.count)
          }
        }
        signal(number, SIG_DFL)
        raise(number)
      }
    }
    // Made here, not in the handler.
    _ = (CheckpointFormats.isLibHDF5AtWork, crashLine)
    alarm(seconds)
    MemoryLimit.set(MemoryLimit.used + memoryBytes + 2 * byteCount)
    CheckpointFormats.whenDataAreRead {
      alarm(UInt32(min(secondsAfterwards + byteCount >> 20, 86_400)))
      MemoryLimit.lift()
    }
  }

  private static let crashLine = [0x0A] + crashInLibHDF5 + [0x0A]

  /// Writes a model for the caller.
  ///
  /// - Parameters:
  ///   - file: The model.
  ///   - write: Writes bytes to standard output.
  /// - Throws: ``DiagnosticError`` when the model does not fit a `.bvq`, and what `write` throws.
  public static func serve(
    _ file: ModelFile, to write: ([UInt8]) throws(DiagnosticError) -> Void
  ) throws(DiagnosticError) {
    let bvq = BVQFile(
      model: file.model, producer: BVQProducer(version: ""),
      settings: ["warnings": .array(file.warnings.map { .string($0) })])
    try BVQWriter.forEachChunk(of: bvq, write)
  }

  /// An error as the caller reads it: a line of JSON.
  public static func line(for error: DiagnosticError) -> String {
    var object: JSONObject = ["code": .string(error.code.name)]
    switch error.code.category {
    case .failure: object["category"] = "failure"
    case .usage: object["category"] = "usage"
    case .malformedInput: object["category"] = "malformedInput"
    }
    object["file"] = error.file.map { .string($0) }
    object["object"] = error.object.map { .string($0) }
    object["problem"] = .string(error.problem)
    object["hint"] = error.hint.map { .string($0) }
    return JSONValue.object(object).serialized()
  }
}

extension DiagnosticError.Code {
  /// The process that read a file ended without an answer, in libhdf5 or by its limits.
  public static let crashedWhileReading = Self("file.crashedReader", .malformedInput)
  /// The process that read a file crashed in our own code.
  public static let readerDefect = Self("file.readerDefect", .failure)
}
