import ArgumentParser
import Foundation
import LSTMPackKit

/// The words of a command line: which commands there are, and which options each of them has.
enum CommandWords {
  /// The options of each command that is shown in the help.
  private static let options: [String: [String]] = {
    // What the parser knows, as it tells other programs.
    guard let document = try? JSONValue.parse(Array(LSTMPackCommand._dumpHelp().utf8)),
      let commands = document["command"]?["subcommands"]?.arrayValue
    else { return [:] }
    var options: [String: [String]] = [:]
    for command in commands where command["shouldDisplay"]?.boolValue != false {
      guard let name = command["commandName"]?.stringValue else { continue }
      options[name] = (command["arguments"]?.arrayValue ?? []).flatMap { argument in
        (argument["names"]?.arrayValue ?? []).compactMap { name in
          name["kind"]?.stringValue == "long" ? name["name"]?.stringValue : nil
        }
      }
    }
    return options
  }()

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
      guard !options.contains(name) else { continue }
      return DiagnosticError(
        .unknownWord,
        "there is no option '--\(quoted(name, limit: 100))' of \(first)",
        hint: "`lstmpack help \(first)` lists them"
      ).suggesting(for: name, among: options, prefix: "--")
    }
    return nil
  }
}

extension DiagnosticError.Code {
  /// A command or an option that does not exist.
  static let unknownWord = Self("cli.unknownWord", .usage)
}
