/// Parameters, their gradients, and what the optimizer remembers of them.
@safe package final class ParameterUpdate: Sendable {
  package let parameters: NumberBuffer<Float>
  package let gradients: NumberBuffer<Float>
  /// Adam's averages of g and g²; `nil` for others.
  package let moments: (first: NumberBuffer<Float>, second: NumberBuffer<Float>)?
  /// The average of the parameters; used since `averaged` is not 0.
  package let average: NumberBuffer<Float>?
  private let options: OptimizerOptions
  private let team: WorkerTeam
  /// The rows of an embedding whose gradients alone are not zero, and their size; `nil` when every row
  /// has gradients.
  private let sparse: (range: Range<Int>, rowSize: Int)?
  private let squares: NumberBuffer<Double>

  package init(
    _ layout: ParameterLayout, _ options: OptimizerOptions, tiesWeights: Bool, team: WorkerTeam
  ) {
    self.options = options
    self.team = team
    parameters = NumberBuffer(layout.count)
    gradients = NumberBuffer(layout.count)
    moments =
      options.kind == .adam ? (NumberBuffer(layout.count), NumberBuffer(layout.count)) : nil
    average = options.kind == .asgd ? NumberBuffer(layout.count) : nil
    sparse =
      tiesWeights ? nil : layout.embedding.map { ($0.range, max(1, $0.shape[1])) }
    squares = NumberBuffer(team.count)
  }

  /// How far the optimizer is.
  package struct Progress: Codable, Equatable, Sendable {
    /// The updates so far.
    package var updates = 0
    /// The updates in the average; 0 while there is none.
    package var averaged = 0
    /// Whether each update goes into the average.
    package var isAveraging = false

    package init() {}
  }

  /// Changes the parameters by the gradients of a segment.
  ///
  /// - Parameters:
  ///   - tokens: The tokens of the segment: the rows of the embedding that have gradients.
  ///   - rate: The learning rate.
  ///   - progress: How far the optimizer is; counted on.
  /// - Returns: The norm of the gradients before they were clipped.
  package func apply(
    tokens: [Int32]?, rate: Double, progress: inout Progress
  ) -> Double {
    progress.updates += 1
    if progress.isAveraging { progress.averaged += 1 }
    let touched = rows(of: tokens)
    // Everything changes with decay, moments or averages; else only what has gradients.
    let isDense = options.weightDecay > 0 || moments != nil || progress.isAveraging
    let now = progress
    team.run { [self] worker in
      var sum = 0.0
      forEachRange(worker, touched) { sum += unsafe Self.square(gradients.start, $0) }
      squares[worker.index] = sum
      worker.wait()
      var scale = 1.0
      let norm = squares.values.reduce(0, +).squareRoot()
      if let clip = options.clip, norm > clip { scale = clip / (norm + 1e-6) }
      if isDense {
        update(
          worker.part(of: parameters.count, multiple: 64), scale: Float(scale), rate: rate, now)
      } else {
        forEachRange(worker, touched) {
          update($0, scale: Float(scale), rate: rate, now)
        }
      }
      worker.wait()
      // The next segment reads other rows; these are zero again.
      guard let sparse, let touched else { return }
      for row in touched[worker.part(of: touched.count)] {
        unsafe (gradients.start + sparse.range.lowerBound + row * sparse.rowSize).update(
          repeating: 0, count: sparse.rowSize)
      }
    }
    return squares.values.reduce(0, +).squareRoot()
  }

  /// Starts the average with the parameters as they are.
  package func startAverage(_ progress: inout Progress) {
    average?.copy(parameters)
    progress.isAveraging = true
    progress.averaged = 1
  }

  private func rows(of tokens: [Int32]?) -> [Int]? {
    sparse == nil ? nil : tokens.map { Set($0).map(Int.init).sorted() }
  }

  /// This worker's part of the parameters that have gradients.
  private func forEachRange(_ worker: Worker, _ rows: [Int]?, _ body: (Range<Int>) -> Void) {
    guard let sparse, let rows else {
      body(worker.part(of: parameters.count, multiple: 64))
      return
    }
    for row in rows[worker.part(of: rows.count)] {
      let first = sparse.range.lowerBound + row * sparse.rowSize
      body(first..<first + sparse.rowSize)
    }
    let end = sparse.range.upperBound
    let own = worker.part(of: parameters.count - end, multiple: 64)
    body(end + own.lowerBound..<end + own.upperBound)
  }

  private static func square(_ values: UnsafePointer<Float>, _ range: Range<Int>) -> Double {
    var total = 0.0
    // Blocks keep float32 sums short.
    for block in stride(from: range.lowerBound, to: range.upperBound, by: 1024) {
      var sum = SIMD8<Float>.zero
      var index = block
      let end = min(block + 1024, range.upperBound)
      while index < end {
        let value = unsafe Lanes.load(values + index, min(8, end - index))
        sum += value * value
        index += 8
      }
      total += Double(sum.sum())
    }
    return total
  }

  private func update(_ range: Range<Int>, scale: Float, rate: Double, _ progress: Progress) {
    let (w, g) = unsafe (parameters.start, gradients.start)
    let decay = Float(options.weightDecay)
    let step = Float(rate)
    let averageShare = progress.averaged > 0 ? 1 / Float(progress.averaged) : 0
    let corrected = Self.adamRate(rate, progress.updates)
    var index = range.lowerBound
    while index < range.upperBound {
      let count = min(8, range.upperBound - index)
      var value = unsafe Lanes.load(w + index, count)
      let gradient = unsafe Lanes.load(g + index, count) * scale + value * decay
      if let moments {
        let (m, v) = unsafe (moments.first.start + index, moments.second.start + index)
        let first = unsafe Lanes.load(m, count) * 0.9 + gradient * 0.1
        let second = unsafe Lanes.load(v, count) * 0.999 + gradient * gradient * 0.001
        unsafe Lanes.store(first, m, count)
        unsafe Lanes.store(second, v, count)
        value -= first * corrected.rate / (second.squareRoot() * corrected.root + 1e-8)
      } else {
        value -= gradient * step
      }
      unsafe Lanes.store(value, w + index, count)
      if progress.isAveraging, let average {
        let before = unsafe Lanes.load(average.start + index, count)
        unsafe Lanes.store(
          before + (value - before) * averageShare, average.start + index, count)
      }
      index += 8
    }
  }

  /// The corrections of the moments for starting at zero: times the rate, and times √v.
  private static func adamRate(_ rate: Double, _ updates: Int) -> (rate: Float, root: Float) {
    let first = 1 - power(0.9, updates)
    let second = 1 - power(0.999, updates)
    return (Float(rate / first), Float(1 / second.squareRoot()))
  }
}
