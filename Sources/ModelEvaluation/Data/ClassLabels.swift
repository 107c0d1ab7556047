public import LSTMCore

/// The forms in which files have numbers of classes.
extension Tensor {
  /// The same numbers as integers; `nil` when one is not whole.
  public var asWholeNumbers: Tensor? {
    guard let floats else { return self }
    let whole = floats.compactMap { Int64(exactly: $0) }
    return whole.count == floats.count ? Tensor(dims: dims, elements: .integers(whole)) : nil
  }

  /// The place of the one in each row of `[…, classes]`, `[…]`; `nil` when a row is not a one among
  /// zeros.
  public var placesOfOnes: Tensor? {
    guard dims.count >= 2, let classes = dims.last, classes >= 2, count > 0 else { return nil }
    let values = floats ?? integers?.map { Float($0) } ?? []
    var places: [Int64] = []
    places.reserveCapacity(count / classes)
    for start in stride(from: 0, to: values.count, by: classes) {
      let row = values[start..<start + classes]
      guard row.allSatisfy({ $0 == 0 || $0 == 1 }), let place = row.firstIndex(of: 1),
        row.lastIndex(of: 1) == place
      else { return nil }
      places.append(Int64(place - start))
    }
    return Tensor(dims: Array(dims.dropLast()), elements: .integers(places))
  }
}
