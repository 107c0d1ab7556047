/// Which gate matrices of an LSTM are factored together.
///
/// At equal bytes, factors that gates share keep more than a pair for each gate: the gates read the same vector, and
/// much of what they take from it is the same.
public enum FactorLayout: String, CaseIterable, Sendable {
  /// Each gate of each matrix alone: L `[H, r]`, V `[r, n]`.
  case gate
  /// The gates of a matrix one below the other, `[4H, n]` = L · V: an L of each gate, and one V.
  case stacked
  /// The gates one below the other and both matrices side by side, [W R] = L · [V_x V_h]: an L of each gate for both
  /// matrices, and a V of each matrix for all gates.
  case joint
}
