/// Words that were probably meant, for those that nothing knows.
public enum Suggestion {
  /// The known word that is nearest to another, if one is near: a third of its letters may be others.
  ///
  /// - Parameters:
  ///   - word: What was given.
  ///   - known: What there is.
  /// - Returns: One of `known`, or `nil`.
  public static func nearest(to word: String, among known: [String]) -> String? {
    let letters = Array(word.lowercased())
    // Long words are no slips of the finger, and would take long.
    guard (1...40).contains(letters.count) else { return nil }
    var best: (word: String, distance: Int)?
    for candidate in known where candidate.count <= 40 {
      let other = Array(candidate.lowercased())
      // What was cut off, or has an ending more.
      let isBeginning =
        min(letters.count, other.count) >= 3
        && (other.starts(with: letters) || letters.starts(with: other))
      let distance = isBeginning ? 1 : distance(letters, other)
      let limit = max(1, max(letters.count, other.count) / 3)
      // A single letter that is another one says nothing.
      guard distance <= limit, distance < max(letters.count, other.count),
        best.map({ distance < $0.distance }) ?? true
      else { continue }
      best = (candidate, distance)
    }
    return best?.word
  }

  /// The question whether a known word was meant.
  ///
  /// - Parameters:
  ///   - word: What was given.
  ///   - known: What there is.
  ///   - prefix: What stands before each of them, such as dashes.
  /// - Returns: `did you mean '…'?`, or `nil`.
  public static func question(
    for word: String, among known: [String], prefix: String = ""
  ) -> String? {
    nearest(to: word, among: known).map { "did you mean '\(prefix)\($0)'?" }
  }

  /// How many letters must be put in, left out, changed or exchanged with the next one.
  private static func distance(_ first: [Character], _ second: [Character]) -> Int {
    var before: [Int] = []
    var last = Array(0...second.count)
    for row in first.indices {
      var next = [row + 1]
      for column in second.indices {
        var least = min(
          last[column + 1] + 1, next[column] + 1,
          last[column] + (first[row] == second[column] ? 0 : 1))
        if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
          least = min(least, before[column - 1] + 1)
        }
        next.append(least)
      }
      (before, last) = (last, next)
    }
    return last[second.count]
  }
}

extension DiagnosticError {
  /// This error with the question whether a known word was meant before its hint.
  ///
  /// - Parameters:
  ///   - word: What was given.
  ///   - known: What there is.
  ///   - prefix: What stands before each of them, such as dashes.
  /// - Returns: The error.
  public func suggesting(
    for word: String, among known: [String], prefix: String = ""
  ) -> DiagnosticError {
    var copy = self
    if let question = Suggestion.question(for: word, among: known, prefix: prefix) {
      copy.hint = [question, hint].compactMap { $0 }.joined(separator: " ")
    }
    return copy
  }
}
