import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Float32 products against the reference, bit for bit: every instruction set, number of rows and part of
/// the outputs.
@Suite struct DenseMapTests {
  @Test(arguments: InstructionSet.available)
  func productsAreThoseOfTheReference(instructions: InstructionSet) {
    var numbers = SeededNumbers(seed: 21)
    #if arch(x86_64)
      let isFused = instructions != .scalar
    #else
      let isFused = true
    #endif
    for inputs in [1, 2, 15, 16, 17, 33, 100, 650] {
      let rows = [5, 16, 130].map { count in
        Matrix(
          rows: count, columns: inputs,
          elements: (0..<count * inputs).map { _ in Float.random(in: -1...1, using: &numbers) })
      }
      let product = DenseProduct(rows, instructions)
      let x = (0..<13).map { _ in
        (0..<inputs).map { _ in Float.random(in: -2...2, using: &numbers) }
      }
      let expected = x.map { x in
        rows.flatMap { ReferenceFloatProduct.apply($0, to: x, isFused: isFused) }
      }
      for count in 1...13 {
        for outputs in [0..<151, 0..<16, 3..<16, 7..<131, 17..<40, 20..<21, 150..<151] {
          let y = (0..<count).map { _ in
            outputs.map { _ in Float.random(in: -1...1, using: &numbers) }
          }
          let found = product.add(x: Array(x.prefix(count)), outputs: outputs, to: y)
          let sums = zip(y, expected).map { zip($0, $1[outputs]).map { $0 + $1 } }
          #expect(
            found.map { $0.map(\.bitPattern) } == sums.map { $0.map(\.bitPattern) },
            "\(inputs) inputs, \(count) rows, outputs \(outputs)")
        }
      }
    }
  }
}
