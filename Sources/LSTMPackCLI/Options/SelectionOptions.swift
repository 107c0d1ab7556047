import ArgumentParser
import LSTMPackKit

/// Which LSTM matrices a command works on.
struct SelectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Only these gates, separated by commas: input, forget, cell, output (or i, f, c, o).",
      valueName: "gates"))
  var gates: String?

  @Option(
    help: ArgumentHelp(
      "Only these matrices, separated by commas: input (kernel, W), recurrent (R), "
        + "projection.",
      valueName: "matrices"))
  var matrices: String?

  /// The gates selected; all without the option.
  var selectedGates: Set<Gate> {
    get throws {
      try selection(gates, option: "--gates", all: Gate.allCases) { name in
        Gate(name: name)
          ?? Gate.allCases.first { $0.description.first == name.first && name.count == 1 }
          ?? (name == "g" ? .cell : nil)
      }
    }
  }

  /// The roles of LSTM matrices.
  private static let roles: [MatrixPath.Role] = [.input, .recurrent, .projection]

  /// The roles selected; all without the option.
  var selectedRoles: Set<MatrixPath.Role> {
    get throws {
      try selection(matrices, option: "--matrices", all: Self.roles) { name in
        Self.roles.first { $0.rawValue == name }
      }
    }
  }

  func validate() throws {
    _ = try selectedGates
    _ = try selectedRoles
  }

  private func selection<Item: CustomStringConvertible>(
    _ text: String?, option: String, all: [Item], item: (String) -> Item?
  ) throws -> Set<Item> {
    guard let text else { return Set(all) }
    var items: Set<Item> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let name = part.lowercased()
      guard let found = item(name) else {
        throw ValidationError.value(of: option, takes: all.map(\.description), not: String(part))
      }
      items.insert(found)
    }
    return items
  }
}

extension SelectionOptions {
  /// The options of a step with the selection added, for the record in the `.bvq`.
  func adding(to options: JSONObject) -> JSONObject {
    var options = options
    options["gates"] = gates.map { .string($0) }
    options["matrices"] = matrices.map { .string($0) }
    return options
  }
}
