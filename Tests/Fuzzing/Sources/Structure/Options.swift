import Foundation

/// What the command line asks for.
struct Options {
  static let usage = """
    usage: Structure [--count N] [--first N] [--seed N] [--workers N] [--seconds N] [--kinds K,...]
                     [--steps N] [--findings FOLDER] --seeds FOLDER
           Structure --only INDEX [--keep FILE] [--seed N] [--kinds K,...] --lstmpack PROGRAM --seeds FOLDER
           Structure --prepare FOLDER
    """

  var count = 1000
  var first = 0
  var seed: UInt64 = 1
  var workers = 2
  /// A step that takes longer is a finding.
  var seconds = 10
  var kinds = Kind.allCases
  /// How many steps follow the first, of those that can.
  var steps = 3
  var seeds = ""
  /// Where the files of findings go.
  var findings: String?
  var only: Int?
  var keep: String?
  var lstmpack: String?
  var prepare: String?
  /// This process is a worker, and works here.
  var folder: String?

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    func value<Value>(of name: String, _ read: (String) -> Value?) throws -> Value {
      guard let text = rest.popFirst(), let value = read(text) else {
        throw UsageError(problem: "\(name) needs a value")
      }
      return value
    }
    func path(_ text: String) -> String { URL(filePath: text).standardizedFileURL.path }
    while let argument = rest.popFirst() {
      switch argument {
      case "--count": count = try value(of: argument) { Int($0) }
      case "--first": first = try value(of: argument) { Int($0) }
      case "--seed": seed = try value(of: argument) { UInt64($0) }
      case "--workers": workers = try value(of: argument) { Int($0).map { max(1, $0) } }
      case "--seconds": seconds = try value(of: argument) { Int($0).map { max(1, $0) } }
      case "--steps": steps = try value(of: argument) { Int($0) }
      case "--kinds":
        let names: String = try value(of: argument) { $0 }
        kinds = try names.split(separator: ",", omittingEmptySubsequences: false).map {
          try Self.kind("\($0)")
        }
      case "--seeds": seeds = try value(of: argument, path)
      case "--findings": findings = try value(of: argument, path)
      case "--only": only = try value(of: argument) { Int($0) }
      case "--keep": keep = try value(of: argument, path)
      case "--lstmpack": lstmpack = try value(of: argument, path)
      case "--prepare": prepare = try value(of: argument, path)
      case "--worker": folder = try value(of: argument, path)
      default: throw UsageError(problem: "no option \(argument)")
      }
    }
    guard prepare != nil || !seeds.isEmpty else { throw UsageError(problem: "--seeds is missing") }
  }

  private static func kind(_ name: String) throws -> Kind {
    guard let kind = Kind(rawValue: name) else {
      let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw UsageError(problem: "no kind '\(name)'; there are \(known)")
    }
    return kind
  }

  /// The arguments of a worker that begins at an index.
  func workerArguments(from index: Int, in folder: String) -> [String] {
    [
      "--count", "\(count)", "--first", "\(index)", "--seed", "\(seed)", "--workers", "\(workers)",
      "--seconds", "\(seconds)", "--steps", "\(steps)", "--seeds", seeds, "--kinds",
      kinds.map(\.rawValue).joined(separator: ","), "--worker", folder,
    ]
  }
}

struct UsageError: Error {
  let problem: String
}
