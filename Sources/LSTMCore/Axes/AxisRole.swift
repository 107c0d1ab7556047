/// What an axis of a value counts.
public enum AxisRole: String, CaseIterable, Sendable {
  /// Steps of a sequence.
  case time
  /// Sequences that are run side by side and know nothing of each other.
  case batch
  /// Elements of one step: what matrices mix.
  case features
  /// Directions of an LSTM, or the directions of several layers one after the other.
  case directions
}

/// One axis of a value of a graph.
public struct ValueAxis: Equatable, Sendable {
  /// What the axis counts, outermost first.
  ///
  /// One role as a rule, two for `steps × sequences` in one axis; `nil` for what is not known. Empty for
  /// an axis of one element that counts nothing.
  public var roles: [AxisRole?]
  /// The size, when the graph fixes it.
  public var size: Int?
  /// The roles that the graph gives to this axis when they contradict each other, else empty.
  public var conflict: [AxisRole]

  /// Creates an axis.
  public init(roles: [AxisRole?], size: Int?, conflict: [AxisRole] = []) {
    self.roles = roles
    self.size = size
    self.conflict = conflict
  }

  /// The one role of the axis; `nil` when it has none or several.
  public var role: AxisRole? {
    if roles.count == 1 { return roles[0] }
    // Directions side by side are features of the step.
    let known = Set(roles.compactMap { $0 })
    guard !roles.isEmpty, known.count == Set(roles).count else { return nil }
    if known.count == 1 { return known.first }
    return known == [.directions, .features] ? .features : nil
  }

  /// The axis for people: `time`, `batch 1`, `5`, `time × batch`.
  public var text: String {
    if !conflict.isEmpty {
      let names = conflict.map(\.rawValue).joined(separator: " or ")
      return size.map { "\(names) \($0)" } ?? names
    }
    if roles.isEmpty { return "1" }
    if role == .features || (role == nil && roles.allSatisfy { $0 == nil }) {
      return size.map { "\($0)" } ?? (role == .features ? "features" : "any")
    }
    let names =
      role?.rawValue ?? roles.map { $0?.rawValue ?? "any" }.joined(separator: " × ")
    return size.map { "\(names) \($0)" } ?? names
  }
}

/// What the user says of the axes of an input or output; it goes before what the graph says.
public struct DeclaredAxes: Equatable, Sendable {
  /// The axis of time, from the end when negative.
  public var time: Int?
  /// The axis of sequences, from the end when negative.
  public var batch: Int?

  /// Creates a declaration.
  public init(time: Int? = nil, batch: Int? = nil) {
    self.time = time
    self.batch = batch
  }
}
