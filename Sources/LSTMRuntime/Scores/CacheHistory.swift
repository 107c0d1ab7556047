/// The last hidden states of one stream, and the tokens that followed them.
struct CacheHistory: Sendable {
  /// How many steps back are remembered.
  private let window: Int
  private let size: Int
  /// The columns that there is room for.
  private let capacity: Int
  /// `[size, capacity]`, a column for each step: the layout that `FloatProduct` wants.
  private var columns: [Float]
  /// The token after each step; the columns that are in use.
  private var next: [Int] = []

  /// Creates an empty history.
  ///
  /// - Parameters:
  ///   - window: How many steps back are remembered.
  ///   - size: The elements of a hidden state.
  ///   - stepsPerCall: The most steps that are added at once.
  init(window: Int, size: Int, stepsPerCall: Int) {
    self.window = window
    self.size = size
    capacity = Self.capacity(window: window, stepsPerCall: stepsPerCall)
    columns = [Float](repeating: 0, count: size * capacity)
  }

  /// The columns that are allotted: half of them free, so that moving costs little for each step.
  static func capacity(window: Int, stepsPerCall: Int) -> Int {
    wholeGroups(window + max(window, stepsPerCall))
  }

  /// Products are made of whole groups of columns: with AVX2 oneDNN sums the last few in another order.
  private static let groupColumns = 16

  private static func wholeGroups(_ columns: Int) -> Int {
    (columns + groupColumns - 1) / groupColumns * groupColumns
  }

  /// Adds steps, and forgets those that no later one looks back at.
  ///
  /// - Parameters:
  ///   - hidden: `[steps, size]`.
  ///   - tokens: The token after each step.
  mutating func append(_ hidden: ArraySlice<Float>, next tokens: ArraySlice<Int>) {
    precondition(hidden.count == tokens.count * size, "A hidden state belongs to each token")
    if next.count + tokens.count > capacity {
      let forgotten = max(0, next.count - window)
      for start in stride(from: 0, to: columns.count, by: capacity) {
        for index in start..<start + next.count - forgotten {
          columns[index] = columns[index + forgotten]
        }
      }
      next.removeFirst(forgotten)
    }
    var place = next.count
    var source = hidden.startIndex
    for _ in tokens {
      for row in 0..<size { columns[row * capacity + place] = hidden[source + row] }
      place += 1
      source += size
    }
    next += tokens
  }

  /// The share of the token after each of some steps in the softmax over the window before it.
  ///
  /// - Parameters:
  ///   - hidden: The hidden states of the steps.
  ///   - back: How many steps before the end of the history the first of them is.
  ///   - theta: What products of hidden states are multiplied by.
  ///   - body: Takes the number of the step, and its share; `nil` where nothing is before it.
  func forEachShare(
    of hidden: Rows, back: Int, theta: Float, _ body: (_ step: Int, _ share: Double?) -> Void
  ) {
    let begin = next.count - back
    let first = max(0, begin - window) / Self.groupColumns * Self.groupColumns
    let steps = unsafe hidden.count
    let width = min(capacity - first, Self.wholeGroups(begin + steps - 1 - first))
    unsafe withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, steps * width)) {
      guard let products = $0.baseAddress else { return }
      unsafe columns.withUnsafeBufferPointer {
        guard let columns = $0.baseAddress else { return }
        unsafe FloatProduct.run(
          x: hidden.start, xStride: hidden.stride, rows: steps, inputs: size,
          w: columns + first, wStride: capacity, outputs: width, y: products, yStride: width,
          accumulate: false)
      }
      if theta < 0 {
        // Unlikeness counts then.
        unsafe VectorMath.map(products, count: steps * width) { -$0 }
      }
      for step in 0..<steps {
        let end = begin + step
        let start = max(0, end - window)
        guard start < end else {
          body(step, nil)
          continue
        }
        let terms = unsafe products + step * width + start - first
        let kernels = VectorKernels.best
        let largest = unsafe kernels.largest(terms, count: end - start)
        unsafe kernels.softmaxTerms(
          terms, minus: largest, times: abs(theta), count: end - start)
        var (sum, share) = (0.0, 0.0)
        for index in 0..<end - start { sum += unsafe Double(terms[index]) }
        for index in start..<end where next[index] == next[end] {
          share += unsafe Double(terms[index - start])
        }
        body(step, share / sum)
      }
    }
  }
}
