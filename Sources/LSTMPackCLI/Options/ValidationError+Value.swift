import ArgumentParser
import LSTMPackKit

extension ValidationError {
  /// An option whose value is none of a few words.
  ///
  /// - Parameters:
  ///   - option: The option, with its dashes.
  ///   - names: The words that it takes.
  ///   - value: What was given.
  /// - Returns: The error.
  static func value(of option: String, takes names: [String], not value: String) -> Self {
    let question = Suggestion.question(for: value, among: names).map { " D" + $0.dropFirst() } ?? ""
    return ValidationError(
      "\(option) takes \(names.joined(separator: ", ")), not '\(quoted(value, limit: 100))'."
        + question)
  }
}
