import LSTMCore

/// A generator with a fixed sequence for each seed (SplitMix64).
struct SampleGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<1.
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// About normal: the sum of twelve uniforms.
  mutating func normal() -> Double { (0..<12).reduce(-6) { sum, _ in sum + uniform() } }
}

/// The shapes of distributions that weights come in.
enum Distribution: String, CaseIterable, Sendable {
  case gaussian, laplace, uniform, sparse, shifted, outliers

  func matrix(_ rows: Int, _ columns: Int, seed: UInt64, scale: Double = 0.1) -> Matrix {
    var generator = SampleGenerator(seed: seed)
    let elements = (0..<rows * columns).map { _ in
      let magnitude: Double
      switch self {
      case .gaussian: magnitude = generator.normal()
      case .laplace:
        magnitude = cubed(generator.normal()) * 0.5
      case .uniform: magnitude = generator.uniform() * 2 - 1
      case .sparse: magnitude = generator.uniform() < 0.8 ? 0 : generator.normal()
      case .shifted: magnitude = generator.normal() + 5
      case .outliers:
        magnitude = generator.normal() * (generator.uniform() < 0.01 ? 40 : 1)
      }
      return Float(magnitude * scale)
    }
    return Matrix(rows: rows, columns: columns, elements: elements)
  }

  private func cubed(_ x: Double) -> Double { x * x * x }
}

/// Σ (a − b)² in double precision.
func squaredError(_ a: Matrix, _ b: Matrix) -> Double {
  zip(a.elements, b.elements).reduce(0) {
    $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
  }
}

/// Σ a² in double precision.
func squares(_ a: Matrix) -> Double { a.elements.reduce(0) { $0 + Double($1) * Double($1) } }
