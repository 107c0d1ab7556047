import Foundation
import LSTMRuntime
import TestSupport
import Testing

/// The functions of rows in C against the reference, bit for bit, on every instruction set.
@Suite struct VectorKernelsTests {
  private static let lengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000]
  /// What follows a row, and must stay.
  private static let guardValue: Float = 12345

  /// Numbers over the whole range, with the special ones.
  private static func row(_ count: Int, seed: Int) -> [Float] {
    let special: [Float] = [
      .nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude, 3e38, -3e38, 88.3, -87.3,
    ]
    return (0..<count).map { index in
      let place = (index &* 7 &+ seed) % 97
      return place < special.count ? special[place] : Float(place - 50) * 0.37 + Float(index) * 1e-4
    }
  }

  /// Rounds a count up to what the reference takes.
  private static func padded(_ row: [Float]) -> [Float] {
    row + [Float](repeating: 0, count: (8 - row.count % 8) % 8)
  }

  private static func expectSame(_ found: [Float], _ expected: [Float], _ what: String) {
    for (index, (a, b)) in zip(found, expected).enumerated() {
      #expect(
        a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN), "\(what) at \(index): \(a), \(b)")
    }
  }

  /// Runs a kernel on rows that begin at an odd place and end before guard elements.
  private static func run(
    _ rows: [[Float]], offset: Int, _ kernel: (RowStarts) -> Void
  ) -> [[Float]] {
    let guards = [Float](repeating: guardValue, count: 4)
    let starts = RowStarts(
      rows.map { [Float](repeating: guardValue, count: offset) + $0 + guards }, offset: offset)
    kernel(starts)
    var results: [[Float]] = []
    for (index, row) in rows.enumerated() {
      let all = starts.all(index, count: offset + row.count + guards.count)
      #expect(all.prefix(offset).allSatisfy { $0 == guardValue })
      #expect(all.suffix(guards.count).allSatisfy { $0 == guardValue })
      results.append(Array(all[offset..<offset + row.count]))
    }
    return results
  }

  @Test(arguments: InstructionSet.available, [0, 1, 3])
  func rowsAreThoseOfTheReference(instructions: InstructionSet, offset: Int) {
    let kernels = VectorKernels(instructions)
    for count in Self.lengths {
      let (a, b) = (Self.row(count, seed: 3), Self.row(count, seed: 50))
      let what = "\(instructions), \(count) elements"
      for isLogistic in [true, false] {
        var expected = a
        unsafe expected.withUnsafeMutableBufferPointer {
          guard let start = $0.baseAddress else { return }
          if isLogistic {
            unsafe VectorMath.map(start, count: count, VectorMath.logistic)
          } else {
            unsafe VectorMath.map(start, count: count, VectorMath.tanh)
          }
        }
        let found = Self.run([a], offset: offset) {
          if isLogistic {
            unsafe kernels.logistic($0[0], count: count)
          } else {
            unsafe kernels.tanh($0[0], count: count)
          }
        }
        Self.expectSame(found[0], expected, what)
      }
      let scaled = Self.run([a, b], offset: offset) {
        unsafe kernels.scale($0[0], by: $0[1], count: count)
      }
      Self.expectSame(scaled[0], zip(a, b).map { $0 * $1 }, "scale, \(what)")
    }
  }

  @Test(arguments: InstructionSet.available, [0, 1, 3])
  func softmaxIsThatOfTheReference(instructions: InstructionSet, offset: Int) {
    let kernels = VectorKernels(instructions)
    for count in Self.lengths {
      let (a, b) = (Self.row(count, seed: 3), Self.row(count, seed: 50))
      // Without special numbers sums say more.
      let (p, q) = (
        (0..<count).map { Float($0 * 31 % 17) * 0.3 }, (0..<count).map { Float($0 * 13 % 19) * 0.2 }
      )
      let what = "\(instructions), \(count) elements"
      var sums: [Float] = []
      _ = Self.run([a, p, q], offset: offset) { rows in
        unsafe sums = [
          kernels.largest(rows[0], count: count), kernels.largest(rows[1], count: count),
          kernels.sumOfPowers(rows[0], minus: 3, count: count),
          kernels.sumOfPowers(rows[1], minus: 3, count: count),
          kernels.divergenceSum(rows[1], rows[2], minus: 3, shift: 0.3, count: count),
        ]
      }
      Self.expectSame(
        sums,
        [
          VectorMath.largest(a), VectorMath.largest(p), VectorMath.sumOfPowers(a, minus: 3),
          VectorMath.sumOfPowers(p, minus: 3),
          VectorMath.divergenceSum(p, q, minus: 3, shift: 0.3),
        ], "sums, \(what)")
      let terms = Self.run([b], offset: offset) {
        unsafe kernels.softmaxTerms($0[0], minus: 2.5, times: 0.7, count: count)
      }
      Self.expectSame(
        terms[0], VectorMath.softmaxTerms(b, minus: 2.5, times: 0.7), "terms, \(what)")
    }
  }

  @Test func softmaxAndDivergenceAreThoseOfDoublePrecision() {
    let (p, q) = (
      (0..<1003).map { Float($0 * 31 % 17) * 0.3 }, (0..<1003).map { Float($0 * 13 % 19) * 0.2 }
    )
    func softmax(_ row: [Float]) -> [Double] {
      let powers = row.map { Foundation.exp(Double($0)) }
      let sum = powers.reduce(0, +)
      return powers.map { $0 / sum }
    }
    let (shareP, shareQ) = (softmax(p), softmax(q))
    var divergence = 0.0
    for (a, b) in zip(shareP, shareQ) { divergence += a * Foundation.log(a / b) }
    let found = unsafe p.withUnsafeBufferPointer { p in
      unsafe q.withUnsafeBufferPointer { q in
        unsafe p.baseAddress.flatMap { p in
          unsafe q.baseAddress.map { q in
            unsafe VectorKernels.best.divergence(p, q, count: 1003)
          }
        }
      }
    }
    #expect(found.map { abs($0 - divergence) < 1e-5 } ?? false)
    var row = p
    unsafe row.withUnsafeMutableBufferPointer {
      if let start = $0.baseAddress { unsafe VectorKernels.best.softmax(start, count: 1003) }
    }
    for (share, exact) in zip(row, shareP) { #expect(abs(Double(share) - exact) < 1e-6 * exact) }
  }

  @Test(arguments: InstructionSet.available)
  func stepsOfGridsAreThoseOfTheReference(instructions: InstructionSet) {
    let kernels = VectorKernels(instructions)
    var numbers = SeededNumbers(seed: 9)
    let random = (0..<5000).map { _ in
      (Float.random(in: 0...1, using: &numbers), Float.random(in: 0...1, using: &numbers))
    }
    // Of several n that fit as well the largest counts.
    let exact: [(Float, Float)] = [
      (0, 0), (0, 1), (1, 1), (0.5, 0.5), (0.25, 0.75), (1.0 / 3, 2.0 / 3),
    ]
    for (second, third) in exact + random {
      #expect(kernels.gridSteps(second, third) == LevelGrid.steps(second, third))
    }
  }

  @Test(arguments: InstructionSet.available, [0, 1, 3])
  func columnsAreThoseOfTheReference(instructions: InstructionSet, offset: Int) {
    let kernels = VectorKernels(instructions)
    for count in Self.lengths {
      let (a, b, c) = (
        Self.row(count, seed: 3), Self.row(count, seed: 50), Self.row(count, seed: 71)
      )
      let what = "\(instructions), \(count) elements"
      let raised = Self.run([a, b], offset: offset) {
        unsafe kernels.raise($0[0], to: $0[1], plus: 0.7, count: count)
      }
      var largest = Self.padded(a)
      let padded = Self.padded(b)
      unsafe largest.withUnsafeMutableBufferPointer { largest in
        unsafe padded.withUnsafeBufferPointer { row in
          if let to = largest.baseAddress, let from = row.baseAddress {
            unsafe VectorMath.raise(to, to: from, plus: 0.7, count: largest.count)
          }
        }
      }
      Self.expectSame(raised[0], largest, "raise, \(what)")
      let powers = Self.run([a, b, c], offset: offset) {
        unsafe kernels.exponentiate(
          $0[0], plus: 0.7, minus: $0[1], addingTo: $0[2], count: count)
      }
      var (row, sums) = (Self.padded(a), Self.padded(c))
      unsafe row.withUnsafeMutableBufferPointer { row in
        unsafe padded.withUnsafeBufferPointer { limits in
          unsafe sums.withUnsafeMutableBufferPointer { sums in
            if let row = row.baseAddress, let limit = limits.baseAddress, let to = sums.baseAddress
            {
              unsafe VectorMath.exponentiate(
                row, plus: 0.7, minus: limit, addingTo: to, count: limits.count)
            }
          }
        }
      }
      Self.expectSame(powers[0], row, "exponentiate, \(what)")
      Self.expectSame(powers[2], sums, "sums, \(what)")
    }
  }

  @Test func scalarIsAlwaysThere() {
    #expect(InstructionSet.available.contains(.scalar))
    #expect(InstructionSet.available.contains(.best))
  }
}

/// Rows in memory of their own, so that their places can be chosen.
@safe private final class RowStarts {
  private let starts: [UnsafeMutablePointer<Float>]
  private let offset: Int

  init(_ rows: [[Float]], offset: Int) {
    unsafe starts = rows.map { row in
      let start = UnsafeMutablePointer<Float>.allocate(capacity: row.count)
      unsafe start.initialize(from: row, count: row.count)
      return unsafe start
    }
    self.offset = offset
  }

  deinit { unsafe starts.forEach { unsafe $0.deallocate() } }

  /// Where a row begins.
  subscript(index: Int) -> UnsafeMutablePointer<Float> { unsafe starts[index] + offset }

  /// A row with what is around it.
  func all(_ index: Int, count: Int) -> [Float] {
    (0..<count).map { unsafe starts[index][$0] }
  }
}
