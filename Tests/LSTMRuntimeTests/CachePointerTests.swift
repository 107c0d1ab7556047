import Diagnostics
import Foundation
import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// The cache against its formula in double precision.
@Suite struct CachePointerTests {
  private static let length = 90
  private static let size = 5

  /// Streams of random states, tokens and losses, one after the other.
  private struct Sample {
    let streams: Int
    var hidden: [Float] = []
    var next: [Int] = []
    var losses: [Double] = []

    init(streams: Int) {
      self.streams = streams
      var generator = SeededGenerator(seed: 7)
      for _ in 0..<streams * length {
        hidden += (0..<size).map { _ in generator.normal() }
        next.append(generator.integer(below: 11))
        losses.append(Double(abs(generator.normal())) + 0.1)
      }
    }

    func expected(_ settings: CachePointer.Settings) -> [Double] {
      (0..<streams).flatMap { stream in
        let steps = stream * length..<(stream + 1) * length
        return CacheFormula.losses(
          probabilities: losses[steps].map { exp(-$0) },
          hidden: steps.map { hidden[$0 * size..<($0 + 1) * size].map { Double($0) } },
          next: Array(next[steps]), window: settings.window, theta: settings.theta,
          lambda: settings.lambda)
      }
    }

    /// What the cache gives when the steps come in batches of so many, in the order of the streams.
    func found(
      _ settings: CachePointer.Settings, batches: [Int], threads: Int = 1
    ) throws -> [Double] {
      var cache = try CachePointer(
        settings, streams: streams, length: length, stepsPerCall: batches.max() ?? 1, size: size,
        threads: threads)
      var result = [[Double]](repeating: [], count: streams)
      var start = 0
      var number = 0
      while start < length {
        let count = min(batches[number % batches.count], length - start)
        let rows = (0..<streams).flatMap { stream in
          (start..<start + count).map { stream * length + $0 }
        }
        let part = cache.losses(
          rows.map { losses[$0] }, hidden: rows.flatMap { hidden[$0 * size..<($0 + 1) * size] },
          next: rows.map { next[$0] })
        for stream in 0..<streams { result[stream] += part[stream * count..<(stream + 1) * count] }
        start += count
        number += 1
      }
      return result.flatMap { $0 }
    }
  }

  @Test(arguments: [1, 3], [1, 2, 7, 33, 89, 90, 65536])
  func lossesAreThoseOfTheFormula(streams: Int, window: Int) throws {
    let sample = Sample(streams: streams)
    for (theta, lambda) in [(1, 0.1), (0.3, 0.9), (0, 0.5), (-0.7, 0.25)] {
      let settings = CachePointer.Settings(window: window, theta: theta, lambda: lambda)
      let found = try sample.found(settings, batches: [Self.length])
      for (step, (a, b)) in zip(found, sample.expected(settings)).enumerated() {
        #expect(abs(a - b) < 2e-6, "theta \(theta), step \(step)")
      }
    }
  }

  /// Wherever the text is cut, and however many threads work, the numbers are the same.
  @Test(arguments: [1, 3], [1, 7, 33, 200])
  func cutsAndThreadsDoNotChangeLosses(streams: Int, window: Int) throws {
    let sample = Sample(streams: streams)
    let settings = CachePointer.Settings(window: window, theta: 0.8, lambda: 0.2)
    let whole = try sample.found(settings, batches: [Self.length])
    for batches in [[1], [2], [13], [40, 1, 3], [32, 33], [89, 1]] {
      #expect(try sample.found(settings, batches: batches) == whole, "\(batches)")
    }
    for threads in [2, 3, 8] {
      #expect(try sample.found(settings, batches: [50], threads: threads) == whole)
    }
  }

  @Test func theEndsOfTheRangeOfLambda() throws {
    let sample = Sample(streams: 2)
    let none = try sample.found(.init(window: 9, lambda: 0), batches: [20])
    #expect(none == sample.losses)
    // The cache alone knows only tokens that it holds.
    let alone = try sample.found(.init(window: 9, lambda: 1), batches: [20])
    let expected = sample.expected(.init(window: 9, lambda: 1))
    #expect(expected.contains(.infinity))
    for (a, b) in zip(alone, expected) { #expect(a == b || abs(a - b) < 2e-6) }
  }

  /// Exponentials beyond float32 and double precision, and tokens that the model holds impossible.
  @Test func largeNumbersStayInRange() throws {
    var cache = try CachePointer(
      .init(window: 3, theta: 1e30, lambda: 0.5), streams: 1, length: 4, stepsPerCall: 4, size: 2,
      threads: 1)
    let losses = cache.losses(
      [2000, 2000, 2000, .infinity], hidden: [1e3, 0, 0, 1e3, 1e3, 1, -1, 1e3],
      next: [3, 4, 3, 4])
    // Nothing; another token; step 0, whose state is the same; step 1.
    #expect(losses[0] == 2000)
    #expect(abs(losses[1] - (2000 + log(2))) < 1e-9)
    #expect(abs(losses[2] - log(2)) < 1e-6)
    #expect(abs(losses[3] - log(2)) < 1e-6)
  }

  @Test func limits() {
    func error(_ settings: CachePointer.Settings, streams: Int = 1) -> String {
      do {
        _ = try CachePointer(
          settings, streams: streams, length: 1 << 20, stepsPerCall: 8, size: 200, threads: 1)
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(error(.init()) == "no error")
    #expect(
      error(.init(window: 0))
        == "a cache has a window of 1 to 65536 steps, a finite theta and a lambda of 0 to 1, found "
        + "0, 1.0 and 0.1")
    #expect(error(.init(theta: .infinity)).hasSuffix("found 500, inf and 0.1"))
    #expect(error(.init(lambda: 1.5)).hasSuffix("found 500, 1.0 and 1.5"))
    #expect(
      error(.init(window: 65536), streams: 4096)
        == "the cache of hidden states declares [4096, 131072, 200] elements, above the limit of "
        + "268435456")
  }
}
