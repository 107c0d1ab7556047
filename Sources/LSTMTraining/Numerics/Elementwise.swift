/// Products of runs of numbers.
enum Elementwise {
  /// y = x ⊙ factors.
  static func multiply<Number: TrainingNumber>(
    _ x: UnsafePointer<Number>, _ factors: UnsafePointer<Number>,
    into y: UnsafeMutablePointer<Number>, count: Int
  ) {
    var index = 0
    while index < count {
      let lanes = min(8, count - index)
      unsafe Lanes.store(
        Lanes.load(x + index, lanes) * Lanes.load(factors + index, lanes), y + index, lanes)
      index += 8
    }
  }

  /// x = factor · x.
  static func scale<Number: TrainingNumber>(
    _ x: UnsafeMutablePointer<Number>, by factor: Number, count: Int
  ) {
    for index in 0..<count { unsafe x[index] *= factor }
  }
}
