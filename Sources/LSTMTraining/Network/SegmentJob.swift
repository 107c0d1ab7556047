/// The pointers of one segment.
@safe struct SegmentJob<Number: TrainingNumber>: @unchecked Sendable {
  let tokens: UnsafePointer<Int32>?
  let numbers: UnsafePointer<Number>?
  let targets: DenseHead<Number>.Targets
  let steps: Int
  let parameters: UnsafeMutablePointer<Number>
  let gradients: UnsafeMutablePointer<Number>?

  var isTraining: Bool { unsafe gradients != nil }

  func parameter(_ part: ParameterLayout.Part) -> UnsafePointer<Number> {
    unsafe UnsafePointer(parameters + part.range.lowerBound)
  }

  func gradient(_ part: ParameterLayout.Part) -> UnsafeMutablePointer<Number>? {
    unsafe gradients.map { unsafe $0 + part.range.lowerBound }
  }
}
