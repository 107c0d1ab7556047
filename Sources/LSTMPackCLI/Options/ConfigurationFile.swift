import LSTMPackKit

/// A file with the options of a command, by their long names, as one JSON object.
enum ConfigurationFile {
  private static let option = "--config"
  /// The commands that have the option.
  private static let commands = ["train"]
  private static let byteLimit = 1 << 20

  /// The arguments with those of the file of `--config` before the others, which so override them.
  ///
  /// - Throws: `DiagnosticError` with code `badOption`, with the file named.
  static func expanded(_ arguments: [String]) throws(DiagnosticError) -> [String] {
    guard let command = arguments.first, commands.contains(command) else { return arguments }
    let name: String
    if let place = arguments.firstIndex(of: option), place + 1 < arguments.count {
      name = arguments[place + 1]
    } else if let joined = arguments.first(where: { $0.hasPrefix(option + "=") }) {
      name = String(joined.dropFirst(option.count + 1))
    } else {
      return arguments
    }
    let source = try ByteSource(path: name)
    do throws(DiagnosticError) {
      guard source.count <= byteLimit else { throw error("has \(source.count) bytes, too many") }
      let json = try JSONValue.parse(source.bytes(in: 0..<source.count))
      guard let members = json.objectValue?.members else {
        throw error("is no JSON object of options")
      }
      var own: [String] = []
      for member in members {
        guard "--\(member.key)" != option else { throw error("names a file of options, too") }
        switch member.value {
        case .bool(true): own.append("--\(member.key)")
        case .bool(false):
          guard CommandWords.isFlag(member.key, of: command) else {
            throw error("'\(member.key)' is no option that can be false")
          }
        case .string(let text): own.append("--\(member.key)=\(text)")
        case .integer(let number): own.append("--\(member.key)=\(number)")
        case .number(let number): own.append("--\(member.key)=\(number)")
        default: throw error("'\(member.key)' is no text, number, true or false")
        }
      }
      return [command] + own + arguments.dropFirst()
    } catch { throw error.inFile(name) }
  }

  private static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .badOption, problem, hint: "write options as {\"hidden\": 200, \"gates\": \"gumbel\"}")
  }
}
