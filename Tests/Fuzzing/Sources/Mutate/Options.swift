import Foundation
import LSTMPackKit

/// What was asked for.
struct Options {
  static let usage = """
    usage: Mutate --format NAME [--count N] [--seed N] [--workers N] [--seconds N] \
           [--findings FOLDER] FILE...
           Mutate --format NAME [--seed N] --only INDEX [--keep FILE] FILE...
    """

  var format = ""
  var count = 1000
  var seed: UInt64 = 1
  var workers = 2
  /// Longer than this is a hang.
  var seconds = 10
  /// The folder that files with findings go into.
  var findings: String?
  /// One index alone, in this process.
  var only: Int?
  /// Where the bytes of `only` go.
  var keep: String?
  /// This process is a worker: the first index, `count` the last one, `workers` the step.
  var first: Int?
  var files: [String] = []

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func value<Value>(of name: String, _ read: (String) -> Value?) throws -> Value {
      guard let text = rest.popFirst(), let value = read(text) else {
        throw UsageError(problem: "\(name) needs a value")
      }
      return value
    }
    while let argument = rest.popFirst() {
      switch argument {
      case "--format": format = try value(of: argument) { $0 }
      case "--count": count = try value(of: argument) { Int($0) }
      case "--seed": seed = try value(of: argument) { UInt64($0) }
      case "--workers": workers = try value(of: argument) { Int($0).map { max(1, $0) } }
      case "--seconds": seconds = try value(of: argument) { Int($0).map { max(1, $0) } }
      case "--findings": findings = try value(of: argument) { $0 }
      case "--only": only = try value(of: argument) { Int($0) }
      case "--keep": keep = try value(of: argument) { $0 }
      case "--worker-from": first = try value(of: argument) { Int($0) }
      case let text where text.hasPrefix("-"): throw UsageError(problem: "no option \(text)")
      default: files.append(argument)
      }
    }
    guard !format.isEmpty else { throw UsageError(problem: "--format is missing") }
    guard !files.isEmpty else { throw UsageError(problem: "no files are given") }
  }

  /// The arguments of a worker that begins at an index.
  func workerArguments(from index: Int) -> [String] {
    [
      "--format", format, "--count", "\(count)", "--seed", "\(seed)", "--workers", "\(workers)",
      "--seconds", "\(seconds)", "--worker-from", "\(index)",
    ] + files
  }

  /// Reads the files.
  func originals() throws -> [Original] {
    try files.map { path in
      let source = try ByteSource(path: path)
      return Original(
        name: URL(filePath: path).lastPathComponent, bytes: try source.bytes(in: 0..<source.count))
    }
  }
}

struct UsageError: Error {
  let problem: String
}
