internal import LSTMRuntime

/// Memory for numbers: zero at first, released with the object.
///
/// Workers of a ``WorkerTeam`` share it; each writes its own part between two barriers.
@safe package final class NumberBuffer<Element: TrainingNumber>: @unchecked Sendable {
  /// The first number.
  package let start: UnsafeMutablePointer<Element>
  /// How many numbers there are.
  package let count: Int
  private let memory: AlignedMemory<Element>

  package init(_ count: Int) {
    self.count = count
    memory = AlignedMemory(zeros: count, willBeFilled: true)
    unsafe start = memory.start
  }

  package convenience init(_ values: [Element]) {
    self.init(values.count)
    self.values = values
  }

  /// The numbers.
  ///
  /// - Precondition: What is set has as many.
  package var values: [Element] {
    get { unsafe Array(UnsafeBufferPointer(start: start, count: count)) }
    set {
      precondition(newValue.count == count, "A buffer keeps its size")
      unsafe newValue.withUnsafeBufferPointer { from in
        if let from = from.baseAddress { unsafe start.update(from: from, count: count) }
      }
    }
  }

  /// Takes over the numbers of a buffer of the same size.
  package func copy(_ other: NumberBuffer<Element>) {
    precondition(other.count == count, "A buffer keeps its size")
    unsafe start.update(from: other.start, count: count)
  }

  package subscript(index: Int) -> Element {
    get {
      precondition((0..<count).contains(index), "Outside the buffer")
      return unsafe start[index]
    }
    set {
      precondition((0..<count).contains(index), "Outside the buffer")
      unsafe start[index] = newValue
    }
  }
}
