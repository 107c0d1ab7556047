import Diagnostics
import FileSupport
import OrderedJSON

extension HookScore {
  /// The name of the metric of a hook that prints a bare number.
  static let unnamedMetric = "score"
  /// The most characters of a metric's name, which stands in reports.
  private static let nameLimit = 100

  /// The score that the last line of a program's output says.
  ///
  /// - Parameters:
  ///   - output: The output, or the end of it.
  ///   - higherIsBetter: What holds for a number without more.
  /// - Throws: ``DiagnosticError`` with code `hookFailed` that quotes the line.
  init(output: String, higherIsBetter: Bool) throws(DiagnosticError) {
    let lines = output.split(whereSeparator: \.isNewline).map { line in
      String(line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
    guard let line = lines.last(where: { !$0.isEmpty }) else {
      throw Self.error("printed nothing")
    }
    let shown = "'\(quoted(line, limit: 100))'"
    if let number = Double(line) {
      guard number.isFinite else {
        throw Self.error("printed \(shown), which is no finite number")
      }
      self.init(metric: Self.unnamedMetric, value: number, higherIsBetter: higherIsBetter)
      return
    }
    guard let object = (try? JSONValue.parse(Array(line.utf8)))?.objectValue else {
      throw Self.error("printed \(shown) last, which is no score")
    }
    for member in object.members
    where !["metric", "value", "higherIsBetter"].contains(member.key) {
      throw Self.error("printed a score with the unknown key '\(quoted(member.key, limit: 100))'")
    }
    guard let value = object["value"]?.doubleValue, value.isFinite else {
      throw Self.error("printed \(shown), whose 'value' is no finite number")
    }
    let direction = object["higherIsBetter"]
    guard direction == nil || direction?.boolValue != nil,
      object["metric"] == nil || object["metric"]?.stringValue != nil
    else {
      throw Self.error("printed \(shown); 'metric' is a text, 'higherIsBetter' true or false")
    }
    let name = object["metric"]?.stringValue ?? Self.unnamedMetric
    guard name.unicodeScalars.count <= Self.nameLimit else {
      throw Self.error("printed a score whose 'metric' has more than \(Self.nameLimit) characters")
    }
    self.init(
      metric: name, value: value,
      higherIsBetter: direction?.boolValue ?? higherIsBetter)
  }

  private static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .hookFailed, "the hook \(problem)",
      hint: "its last line should be a number, or "
        + #"{"metric": "accuracy", "value": 0.93, "higherIsBetter": true}"#)
  }
}
