/// What a network reads and should answer in one segment of time.
package enum TrainingSegment<Number: TrainingNumber>: Sendable {
  /// Tokens `[steps · batch]`, time first, and those that should come next.
  case tokens([Int32], next: [Int32])
  /// Tokens `[steps · batch]`, time first, and the class of each row that the dense layer reads.
  case tokenSequences([Int32], TargetValues<Number>)
  /// Numbers `[steps · batch, features]`, time first, and what should come out.
  case numbers([Number], TargetValues<Number>)
}

/// What should come out of a network.
package enum TargetValues<Number: TrainingNumber>: Sendable {
  /// One class for each row that the dense layer reads.
  case classes([Int32])
  /// `[rows, outputs]`.
  case values([Number])
}
