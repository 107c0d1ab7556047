/// What a search is for.
public enum SearchGoal: Equatable, Sendable {
  /// The best score with at most so many bytes of LSTM matrices.
  case byteCount(Int)
  /// The fewest bytes with a score that is worse by at most this share of the original's.
  case drop(Double)
}
