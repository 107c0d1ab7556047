import Foundation

/// The continuous cache as its formula says, in double precision.
public enum CacheFormula {
  /// −log p of each token, with p = (1 − lambda) p_model + lambda p_cache, and p_cache(w) ∝ Σ over the
  /// last `window` steps i of 1[w = the token after i] exp(theta · h(t) · h(i)).
  ///
  /// - Parameters:
  ///   - probabilities: What the model gives the token after each step of one stream.
  ///   - hidden: The hidden state of each step.
  ///   - next: The token after each step.
  ///   - window: How many steps back count.
  ///   - theta: What products of hidden states are multiplied by.
  ///   - lambda: The weight of the cache.
  /// - Returns: A loss for each token.
  public static func losses(
    probabilities: [Double], hidden: [[Double]], next: [Int], window: Int, theta: Double,
    lambda: Double
  ) -> [Double] {
    next.indices.map { t in
      let history = max(0, t - window)..<t
      if history.isEmpty { return -log(probabilities[t]) }
      var (all, same) = (0.0, 0.0)
      for i in history {
        let term = exp(theta * zip(hidden[t], hidden[i]).reduce(0) { $0 + $1.0 * $1.1 })
        all += term
        if next[i] == next[t] { same += term }
      }
      return -log((1 - lambda) * probabilities[t] + lambda * same / all)
    }
  }
}
