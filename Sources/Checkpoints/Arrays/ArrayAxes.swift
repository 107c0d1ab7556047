/// What the axes of an array stand for, written like `(gate output) input`: one word for each axis, or
/// several in parentheses, the slowest first, where they share an axis.
struct ArrayAxes: Sendable {
  /// What a position along an axis counts.
  enum Word: String, Sendable {
    case gate
    case output
    case input
    /// An axis of one element.
    case one = "1"
  }

  /// The words of each axis.
  let axes: [[Word]]

  /// Reads the words; `nil` when one is unknown or stands twice, or parentheses do not match.
  init?(_ text: String) {
    var axes: [[Word]] = []
    var open: [Word]?
    let spaced = text.replacing("(", with: " ( ").replacing(")", with: " ) ")
    for part in spaced.split(separator: " ") {
      switch (part, open) {
      case ("(", nil): open = []
      case (")", let words?):
        axes.append(words)
        open = nil
      case ("(", _), (")", _): return nil
      default:
        guard let word = Word(rawValue: String(part)) else { return nil }
        if open != nil { open?.append(word) } else { axes.append([word]) }
      }
    }
    let words = axes.flatMap { $0 }.filter { $0 != .one }
    guard open == nil, !axes.isEmpty, Set(words).count == words.count, words.contains(.output)
    else { return nil }
    self.axes = axes
  }

  init(_ axes: [[Word]]) { self.axes = axes }

  /// The sizes of gate, output and input in an array; those that do not occur are 1.
  ///
  /// - Parameters:
  ///   - shape: The shape of the array.
  ///   - gates: The number of gates.
  /// - Returns: `nil` when the shape does not fit, or does not tell a size.
  func sizes(shape: [Int], gates: Int) -> [Word: Int]? {
    guard shape.count == axes.count else { return nil }
    var sizes: [Word: Int] = [.gate: gates, .one: 1]
    // A word that shares an axis may be known from another one.
    for _ in 0..<2 {
      for (words, size) in zip(axes, shape) {
        let unknown = words.filter { sizes[$0] == nil }
        let known = words.compactMap { sizes[$0] }.reduce(1, *)
        guard unknown.count <= 1, known > 0, size % known == 0 else { continue }
        if let word = unknown.first {
          sizes[word] = size / known
        } else if known != size {
          return nil
        }
      }
    }
    if !axes.contains(where: { $0.contains(.input) }) { sizes[.input] = 1 }
    guard axes.allSatisfy({ $0.allSatisfy { sizes[$0] != nil } }) else { return nil }
    return sizes
  }

  /// How far apart two neighbors along each word are in the array.
  func strides(sizes: [Word: Int]) -> [Word: Int] {
    var strides: [Word: Int] = [:]
    var stride = 1
    for word in axes.flatMap({ $0 }).reversed() {
      strides[word] = stride
      stride *= sizes[word] ?? 1
    }
    return strides
  }
}
