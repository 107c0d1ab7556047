public import Diagnostics
internal import LSTMCore

/// The continuous cache pointer: what followed similar hidden states lately is likely to follow again.
///
/// With h(i) the hidden state that a model has after reading x(i), the last `window` steps i before
/// step t give p_cache(w) ∝ Σ 1[w = x(i + 1)] exp(theta · h(t) · h(i)), and the model's own
/// probabilities become (1 − lambda) p(w) + lambda p_cache(w). The first step of a stream has
/// nothing to look back at and stays as it is.
///
/// Source: Grave, Joulin, Usunier, "Improving Neural Language Models with a Continuous Cache", 2016,
/// arXiv:1612.04426. `pointer.py` of AWD-LSTM differs at the beginning of a stream: there the cache
/// counts for nothing until more than `window` steps are behind it.
public struct CachePointer: Sendable {
  /// What a cache is like.
  public struct Settings: Equatable, Sendable {
    /// How many steps back it looks.
    public var window: Int
    /// How much likeness counts; 0 for all steps alike.
    public var theta: Double
    /// The weight of the cache beside the model.
    public var lambda: Double

    /// The windows that there can be.
    public static let windows = 1...65536

    /// Creates settings; the standard ones are those of AWD-LSTM for the Penn Treebank.
    public init(window: Int = 500, theta: Double = 1, lambda: Double = 0.1) {
      self.window = window
      self.theta = theta
      self.lambda = lambda
    }
  }

  /// Blocks of steps are cut by this, not by the number of threads.
  private static let stepsPerBlock = 32
  /// The most numbers that are remembered: 1 GiB.
  private static let elementLimit = 1 << 28

  private let settings: Settings
  private let size: Int
  private let threads: Int
  private var histories: [CacheHistory]

  /// Creates an empty cache for each of some streams.
  ///
  /// - Parameters:
  ///   - settings: What it is like.
  ///   - streams: How many streams are read side by side.
  ///   - length: How many steps they have.
  ///   - stepsPerCall: The most steps of a stream that are added at once.
  ///   - size: The elements of a hidden state.
  ///   - threads: How many threads may work; results do not depend on it.
  /// - Throws: ``DiagnosticError`` with code `limitExceeded` for settings beyond their limits, and
  ///   when the cache would be too large.
  public init(
    _ settings: Settings, streams: Int, length: Int, stepsPerCall: Int, size: Int, threads: Int
  ) throws(DiagnosticError) {
    guard Settings.windows.contains(settings.window), Float(settings.theta).isFinite,
      (0...1).contains(settings.lambda)
    else {
      throw DiagnosticError(
        .limitExceeded,
        "a cache has a window of 1 to 65536 steps, a finite theta and a lambda of 0 to 1, found "
          + "\(settings.window), \(settings.theta) and \(settings.lambda)")
    }
    let window = min(settings.window, length)
    let capacity = CacheHistory.capacity(window: window, stepsPerCall: stepsPerCall)
    _ = try checkedProduct(
      [streams, capacity, size], limit: Self.elementLimit, of: "the cache of hidden states")
    self.settings = settings
    self.size = size
    self.threads = threads
    histories = [CacheHistory](
      repeating: CacheHistory(window: window, size: size, stepsPerCall: stepsPerCall),
      count: streams)
  }

  /// The losses of the next steps of all streams with the cache, which then remembers them.
  ///
  /// - Parameters:
  ///   - losses: Those of the model alone, `[streams, steps]`, in nats.
  ///   - hidden: `[streams, steps, size]`.
  ///   - tokens: The tokens after the steps, those that the losses are about, `[streams, steps]`.
  /// - Returns: As many losses, in nats.
  public mutating func losses(_ losses: [Double], hidden: [Float], next tokens: [Int]) -> [Double] {
    precondition(
      hidden.count == tokens.count * size && losses.count == tokens.count
        && tokens.count % histories.count == 0, "Each step has a hidden state and a token")
    let steps = tokens.count / histories.count
    for stream in histories.indices {
      let range = stream * steps..<(stream + 1) * steps
      histories[stream].append(
        hidden[range.lowerBound * size..<range.upperBound * size], next: tokens[range])
    }
    let (settings, histories, size) = (settings, histories, size)
    let blocks = (steps + Self.stepsPerBlock - 1) / Self.stepsPerBlock
    var results = losses
    unsafe results.withUnsafeMutableBufferPointer { results in
      guard let start = results.baseAddress else { return }
      let memory = unsafe LossMemory(losses: start)
      forEachTask(histories.count * blocks, threads: threads) { task in
        let (stream, first) = (task / blocks, task % blocks * Self.stepsPerBlock)
        let row = stream * steps + first
        unsafe hidden.withUnsafeBufferPointer { hidden in
          guard let source = hidden.baseAddress else { return }
          let rows = unsafe Rows(
            start: source + row * size, stride: size, count: min(Self.stepsPerBlock, steps - first))
          unsafe histories[stream].forEachShare(
            of: rows, back: steps - first, theta: Float(settings.theta)
          ) { step, share in
            guard let share else { return }
            let place = unsafe memory.losses + row + step
            unsafe place.pointee = settings.loss(model: place.pointee, share: share)
          }
        }
      }
    }
    return results
  }
}

extension CachePointer.Settings {
  /// −log((1 − lambda) exp(−loss) + lambda · share), without leaving the range of numbers.
  fileprivate func loss(model loss: Double, share: Double) -> Double {
    guard lambda > 0 else { return loss }
    let own = Activation.logarithm(1 - lambda) - loss
    let cached = Activation.logarithm(lambda * share)
    let (larger, smaller) = own >= cached ? (own, cached) : (cached, own)
    // The token is impossible: neither the model nor the cache has it.
    guard larger > -.infinity else { return -larger }
    return -(larger + Activation.logarithm(1 + Activation.exponential(smaller - larger)))
  }
}

/// Shared by the threads; each writes losses of its own.
@unsafe private struct LossMemory: @unchecked Sendable {
  let losses: UnsafeMutablePointer<Double>
}
