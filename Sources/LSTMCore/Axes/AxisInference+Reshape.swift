/// Reshape: elements keep their order, so axes of the result are runs of those of the input.
extension AxisInference {
  mutating func reshape(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard let value = inputs.first else { return Value() }
    var target: [SizeTerm]?
    if node.attributes["shape"] != nil {
      target = AxisInference.list("shape", node)?.map { .number($0) }
    } else if inputs.count > 1 {
      target = inputs[1].sizes
    }
    guard let target, target.count <= Self.rankLimit else { return Value() }
    var made = value
    made.sizes = target.count <= 1 ? value.sizes : nil
    let keeps = AxisInference.whole("allowzero", node) ?? 0 == 0
    made.axes = value.axes.flatMap { reshaped($0, target, zeroKeeps: keeps) }
    if let before = value.axes, let after = made.axes {
      leaveOut(from: before, in: &made)
      bringBack(after.indices.filter { after[$0].isEmpty }, in: &made)
    }
    return made
  }

  /// The axes of a reshaped value: matched from both ends with what remains for the open one (-1).
  ///
  /// - Parameters:
  ///   - axes: Those before.
  ///   - target: The sizes after.
  ///   - zeroKeeps: Whether 0 is the size at the same position before.
  /// - Returns: The axes after; those that cannot be matched count something of their own. `nil` when
  ///   a size has no meaning.
  mutating func reshaped(_ axes: Axes, _ target: [SizeTerm], zeroKeeps: Bool = true) -> Axes? {
    let open = target.indices.filter { target[$0] == .number(-1) }
    guard open.count <= 1 else { return nil }
    var wanted: [Wanted] = []
    for (place, term) in target.enumerated() {
      if term == .number(0), zeroKeeps {
        guard axes.indices.contains(place) else { return nil }
        wanted.append(.atoms(axes[place]))
      } else if case .axes(let list) = term {
        wanted.append(.atoms(list))
      } else if case .number(let size) = term {
        wanted.append(.size(size))
      } else {
        wanted.append(.unknown)
      }
    }
    var rest = axes.flatMap { $0 }[...]
    var made = [[Int]?](repeating: nil, count: target.count)
    // One axis that is not known is as good as an open one.
    let unknown = wanted.indices.filter { if case .unknown = wanted[$0] { true } else { false } }
    let gap = open.first ?? (unknown.count == 1 ? unknown[0] : nil)
    var left = 0
    while left < (gap ?? target.count), let axis = take(wanted[left], from: &rest, left: true) {
      made[left] = axis
      left += 1
    }
    var right = target.count - 1
    while right >= left, right != gap, let axis = take(wanted[right], from: &rest, left: false) {
      made[right] = axis
      right -= 1
    }
    if left == right {
      made[left] = Array(rest)
      rest = []
    } else if left > right {
      // What is left over has one element: it goes along with the last axis before it.
      if let leftOver = rest.first, groups.size(of: leftOver) != 1 { groups.mix(Array(rest)) }
      rest = []
    }
    // What could not be matched may come from any of the rest.
    groups.mix(Array(rest))
    placeOnes(&made, target, axes.flatMap { $0 })
    return made.enumerated().map { place, axis in
      if let axis { return axis }
      if case .size(let size) = wanted[place], size >= 0 { return [groups.atom(size: size)] }
      return [groups.atom(size: nil)]
    }
  }

  /// Axes of one element that were passed over become those of one element in the result, where there are
  /// as many: exporters move a batch of one by reshaping.
  private func placeOnes(_ made: inout [[Int]?], _ target: [SizeTerm], _ before: [Int]) {
    let places = made.indices.filter { made[$0] == [] && number(target[$0]) == 1 }
    guard !places.isEmpty else { return }
    // The only atom of an axis stays there.
    let kept = Set(made.compactMap { $0?.count == 1 ? $0?[0] : nil })
    var ones = before.filter { groups.size(of: $0) == 1 && !kept.contains($0) }
    if ones.count > places.count { ones.removeAll { groups.roles(of: $0) == [.directions] } }
    guard ones.count == places.count else { return }
    for index in made.indices { made[index]?.removeAll { ones.contains($0) } }
    for (place, atom) in zip(places, ones) { made[place] = [atom] }
  }

  private enum Wanted {
    case atoms([Int])
    case size(Int)
    case unknown
  }

  /// Takes the atoms of one axis from the start or end of a row of atoms; `nil` when none fit.
  private mutating func take(
    _ wanted: Wanted, from rest: inout ArraySlice<Int>, left: Bool
  ) -> [Int]? {
    switch wanted {
    case .unknown: return nil
    case .atoms(let atoms):
      if atoms.isEmpty { return take(.size(1), from: &rest, left: left) }
      // Axes of one element may stand between.
      var tried = rest
      while true {
        let part = left ? tried.prefix(atoms.count) : tried.suffix(atoms.count)
        if part.count == atoms.count, zip(part, atoms).allSatisfy({ isSame($0, $1) }) {
          rest = left ? tried.dropFirst(atoms.count) : tried.dropLast(atoms.count)
          return Array(part)
        }
        guard let next = left ? tried.first : tried.last, groups.size(of: next) == 1 else { break }
        tried = left ? tried.dropFirst() : tried.dropLast()
      }
      return groups.size(of: atoms).flatMap { take(.size($0), from: &rest, left: left) }
    case .size(let size): return take(size, from: &rest, left: left)
    }
  }

  private func isSame(_ a: Int, _ b: Int) -> Bool {
    // Two parts of an axis may differ in length.
    a == b
      || (groups.group(of: a) == groups.group(of: b) && groups.size(of: a) == groups.size(of: b))
  }

  private mutating func take(
    _ size: Int, from rest: inout ArraySlice<Int>, left: Bool
  ) -> [Int]? {
    if size == 1 {
      guard let next = left ? rest.first : rest.last, groups.size(of: next) == 1 else { return [] }
      // The one direction of an LSTM is what goes first.
      let other = left ? rest.dropFirst().first : rest.dropLast().last
      if groups.roles(of: next) == [.directions], let other, groups.size(of: other) == 1 {
        rest = left ? rest.dropFirst(2) : rest.dropLast(2)
        return [other]
      }
      rest = left ? rest.dropFirst() : rest.dropLast()
      return [next]
    }
    guard size > 1 else { return nil }
    var taken: [Int] = []
    var product = 1
    var tried = rest
    while product < size, let next = left ? tried.first : tried.last,
      let own = groups.size(of: next), own > 0
    {
      let missing = size / product
      if own > missing {
        // A part of an axis, which is split.
        guard size % product == 0, own % missing == 0 else { return nil }
        groups.mix([next])
        let part = groups.atom(like: next, size: missing)
        let remaining = groups.atom(like: next, size: own / missing)
        taken = left ? taken + [part] : [part] + taken
        rest = left ? [remaining] + tried.dropFirst() : tried.dropLast() + [remaining]
        return taken
      }
      let (total, overflow) = product.multipliedReportingOverflow(by: own)
      guard !overflow else { return nil }
      product = total
      taken = left ? taken + [next] : [next] + taken
      tried = left ? tried.dropFirst() : tried.dropLast()
    }
    guard product == size else { return nil }
    rest = tried
    // Axes of one element within are no part of what counts.
    let whole = taken.filter { groups.size(of: $0) != 1 }
    return whole.isEmpty ? taken : whole
  }
}
