import LSTMCore

/// What is known of an input of numbers.
struct InputFeatures: Sendable {
  /// The steps of a sequence, 1 for an input that has none.
  private let steps: Int
  private let features: [Feature]

  /// Whether copies differ.
  var varies: Bool { features.contains(where: \.isMixed) }

  /// - Returns: `nil` for an input of integers.
  init?(_ tensor: Tensor, hasSteps: Bool) {
    guard let values = tensor.floats, let count = tensor.dims.first, count > 0, !values.isEmpty
    else { return nil }
    steps = hasSteps && tensor.dims.count > 1 ? max(1, tensor.dims[1]) : 1
    let width = values.count / count / steps
    features = (0..<width).map { Feature(values, first: $0, width: width) }
  }

  /// A copy of one sequence that is mixed with another.
  ///
  /// It stays within the range of the data. What has two values only, and what fills a large part of the data, such as a
  /// padding, stays as it is.
  func mixed(_ first: [Float], _ second: [Float], _ mixture: SequenceMixture) -> [Float] {
    let width = features.count
    let shift = Int(mixture.shift * Double(steps)) * width
    var made = first
    for index in made.indices {
      var from = index + shift
      if from >= second.count { from -= second.count }
      made[index] = features[index % width].mixed(first[index], second[from], mixture.factors)
    }
    return made
  }
}

/// What is known of one number of each step.
private struct Feature {
  /// Whether it has more than two values.
  let isMixed: Bool
  /// The value of a large part of the steps.
  private let filling: Float?
  /// The mean of the others, and their range.
  private let mean: Float
  private let range: ClosedRange<Float>

  /// The share of the steps from which on a value is no chance.
  private static let fillingShare = 0.1
  /// The steps that tell whether a value is that often, at most.
  private static let lookedAt = 1000

  init(_ values: [Float], first: Int, width: Int) {
    let count = values.count / width
    var often: [Float: Int] = [:]
    let looked = Array(Swift.stride(from: 0, to: count, by: max(1, count / Self.lookedAt)))
    for step in looked { often[values[first + step * width], default: 0] += 1 }
    let limit = max(1, Int(Self.fillingShare * Double(looked.count)))
    let filling = often.filter { $0.value > limit }
      .max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    self.filling = filling
    var (low, high): (Float, Float) = (.infinity, -.infinity)
    var sum = 0.0
    var others = 0
    for step in 0..<count {
      let value = values[first + step * width]
      guard value != filling else { continue }
      low = min(low, value)
      high = max(high, value)
      sum += Double(value)
      others += 1
    }
    isMixed = low < high && Self.isBetween(values, first, width, low, high, filling)
    mean = others > 0 ? Float(sum / Double(others)) : 0
    range = low <= high ? low...high : 0...0
  }

  /// Whether a value is neither of two, nor the filling.
  private static func isBetween(
    _ values: [Float], _ first: Int, _ width: Int, _ low: Float, _ high: Float, _ filling: Float?
  ) -> Bool {
    stride(from: first, to: values.count, by: width).contains {
      values[$0] != low && values[$0] != high && values[$0] != filling
    }
  }

  func mixed(_ own: Float, _ other: Float, _ factors: (own: Float, other: Float)) -> Float {
    guard isMixed, own != filling else { return own }
    let value =
      mean + factors.own * (own - mean) + factors.other * (other == filling ? 0 : other - mean)
    return min(max(value, range.lowerBound), range.upperBound)
  }
}
