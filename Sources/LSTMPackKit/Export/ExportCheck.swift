public import LSTMCore

/// How a file that was written was compared with the model, before it was put in place.
///
/// The file is read as any other. Each matrix of an LSTM, embedding or dense layer has to be in it, with the numbers
/// of the model as the file can hold them; and the graph in the file has to give what the model gives for a short
/// synthetic input. A file that differs is an error; what could not be compared is named here.
public struct ExportCheck: Equatable, Sendable {
  /// How the outputs were compared.
  public struct Outputs: Equatable, Sendable {
    /// How many outputs there are.
    public var count: Int
    /// The shapes of the inputs, in the order of the model.
    public var inputs: [[Int]]
    /// The largest difference of an element, as a share of the largest element of its output.
    public var largestDifference: Float
  }

  /// How many matrices were found in the file.
  public var matrixCount = 0
  /// The type to which matrices were rounded; float32 where none was.
  public var precision = SourceTensor.ElementType.float32
  /// The comparison of the outputs; `nil` when the model or the file cannot be run.
  public var outputs: Outputs?
  /// What could not be compared, and why; one sentence each, without a final full stop.
  public var notCompared: [String] = []

  /// The most that an element may differ, as a share of the largest element of its output.
  ///
  /// The file has the same weights, or those that it rounded them to; then both are run with these, so that a
  /// difference comes from the order of sums of float32 alone. That makes some 1e-6 in a step of a layer, which
  /// grows over steps and layers; a wrong setting makes a hundred times as much and more.
  public static let tolerance: Float = 1e-4

  /// The account for people.
  public var text: String {
    var parts: [String] = []
    if matrixCount > 0 {
      parts.append(
        "\(matrixCount) matri\(matrixCount == 1 ? "x" : "ces")"
          + (precision == .float32 ? "" : " (rounded to \(precision.rawValue))"))
    }
    if let outputs {
      parts.append("\(outputs.count) output\(outputs.count == 1 ? "" : "s") on synthetic input")
    }
    var text =
      parts.isEmpty
      ? "Read back." : "Read back: \(parts.joined(separator: " and ")) as in the model"
    if let outputs {
      text += ", largest difference \(Self.short(outputs.largestDifference)) of the largest value"
    }
    if !parts.isEmpty { text += "." }
    for reason in notCompared { text += "\nNot compared: \(reason)." }
    return text
  }

  private static func short(_ value: Float) -> String {
    guard value > 0, value.isFinite else { return "0" }
    var scaled = Double(value)
    var exponent = 0
    while scaled < 1 {
      scaled *= 10
      exponent -= 1
    }
    return "\((scaled * 10).rounded() / 10)e\(exponent)"
  }
}
