import ArgumentParser
import Foundation
import LSTMPackKit

/// The words of a command line: which commands there are, and which options each of them has.
enum CommandWords {
  private struct Option {
    /// The long name.
    let name: String
    /// Whether it takes no value.
    let isFlag: Bool
  }

  /// The options of each command that is shown in the help.
  private static let options: [String: [Option]] = {
    // What the parser knows, as it tells other programs.
    guard let document = try? JSONValue.parse(Array(LSTMPackCommand._dumpHelp().utf8)),
      let commands = document["command"]?["subcommands"]?.arrayValue
    else { return [:] }
    var options: [String: [Option]] = [:]
    for command in commands where command["shouldDisplay"]?.boolValue != false {
      guard let name = command["commandName"]?.stringValue else { continue }
      options[name] = (command["arguments"]?.arrayValue ?? []).flatMap { argument in
        (argument["names"]?.arrayValue ?? []).compactMap { name in
          guard name["kind"]?.stringValue == "long", let long = name["name"]?.stringValue else {
            return nil
          }
          return Option(name: long, isFlag: argument["kind"]?.stringValue == "flag")
        }
      }
    }
    return options
  }()

  /// Whether a command has an option and it takes no value.
  static func isFlag(_ name: String, of command: String) -> Bool {
    options[command]?.contains { $0.name == name && $0.isFlag } ?? false
  }

  /// What is wrong with the first word that is no command, or the first option that the command has not.
  ///
  /// - Parameter words: The arguments.
  /// - Returns: The error; `nil` when all words are known.
  static func problem(in words: [String]) -> DiagnosticError? {
    guard let first = words.first(where: { $0 != "help" }), !first.hasPrefix("-") else {
      return nil
    }
    guard let options = options[first] else {
      if first == ReadModelCommand.name { return nil }
      let commands = options.keys.sorted()
      return DiagnosticError(
        .unknownWord,
        "there is no command '\(quoted(first, limit: 100))'",
        hint: FileManager.default.fileExists(atPath: first)
          ? "for what is in a model, `lstmpack inspect \(shellWord(first))`"
          : "the commands are \(commands.joined(separator: ", "))"
      ).suggesting(for: first, among: commands)
    }
    for word in words.drop(while: { $0 != first }).dropFirst() {
      if word == "--" { break }
      guard word.hasPrefix("--") else { continue }
      let name = String(word.dropFirst(2).prefix { $0 != "=" })
      guard !options.contains(where: { $0.name == name }) else { continue }
      return DiagnosticError(
        .unknownWord,
        "there is no option '--\(quoted(name, limit: 100))' of \(first)",
        hint: "`lstmpack help \(first)` lists them"
      ).suggesting(for: name, among: options.map(\.name), prefix: "--")
    }
    return nil
  }
}

extension DiagnosticError.Code {
  /// A command or an option that does not exist.
  static let unknownWord = Self("cli.unknownWord", .usage)
}
