import ArgumentParser
import LSTMPackKit

/// The continuous cache beside a language model.
struct CacheOptions: ParsableArguments {
  private static let standard = CachePointer.Settings()

  @Option(
    help: ArgumentHelp(
      "Score a text with a cache, too, that remembers so many past steps of each stream; AWD-LSTM "
        + "has 500 for the Penn Treebank.", valueName: "steps"))
  var cacheWindow: Int?

  @Option(
    help: ArgumentHelp(
      "How much the likeness of hidden states counts in the cache; 1 without it.", valueName: "x"))
  var cacheTheta: Double?

  @Option(
    help: ArgumentHelp(
      "The weight of the cache beside the model, 0 to 1; 0.1 without it.", valueName: "x"))
  var cacheLambda: Double?

  /// The cache; `nil` without `--cache-window`.
  var settings: CachePointer.Settings? {
    cacheWindow.map {
      CachePointer.Settings(
        window: $0, theta: cacheTheta ?? Self.standard.theta,
        lambda: cacheLambda ?? Self.standard.lambda)
    }
  }

  func validate() throws {
    guard let cacheWindow else {
      guard cacheTheta == nil, cacheLambda == nil else {
        throw ValidationError("--cache-theta and --cache-lambda need --cache-window.")
      }
      return
    }
    guard CachePointer.Settings.windows.contains(cacheWindow) else {
      throw ValidationError("--cache-window takes a number from 1 to 65536, not \(cacheWindow).")
    }
    // It is multiplied with float32.
    if let cacheTheta, !Float(cacheTheta).isFinite {
      throw ValidationError("--cache-theta takes a finite number, not \(cacheTheta).")
    }
    if let cacheLambda, !(0...1).contains(cacheLambda) {
      throw ValidationError("--cache-lambda takes a number from 0 to 1, not \(cacheLambda).")
    }
  }
}
