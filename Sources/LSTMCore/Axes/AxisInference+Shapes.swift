/// Operations that move elements, and the sizes that they are given.
extension AxisInference {
  func permuted(_ axes: Axes, _ order: [Int]) -> Axes? {
    guard order.sorted() == Array(axes.indices) else { return nil }
    return order.map { axes[$0] }
  }

  func transpose(_ node: GraphNode, _ value: Value) -> Value {
    guard let axes = value.axes else { return Value() }
    guard node.attributes["perm"] == nil else {
      return follow(value, Self.list("perm", node).flatMap { permuted(axes, $0) })
    }
    return follow(value, axes.reversed())
  }

  mutating func squeeze(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard let value = inputs.first, let axes = value.axes else { return Value() }
    var places: Set<Int> = []
    if has("axes", 1, node) {
      guard let given = integers("axes", 1, node, inputs) else { return Value() }
      for axis in given {
        guard let place = OperationAxes.place(axis, of: axes.count) else { return Value() }
        places.insert(place)
      }
    } else {
      places = Set(axes.indices.filter { groups.size(of: axes[$0]) == 1 })
    }
    var made = follow(
      value, axes.indices.filter { !places.contains($0) }.map { axes[$0] }, sizes: value.sizes)
    for place in places { made.picked.formUnion(axes[place]) }
    leaveOut(from: axes, in: &made)
    return made
  }

  func unsqueeze(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard let value = inputs.first, let axes = value.axes,
      let given = integers("axes", 1, node, inputs), given.count <= Self.rankLimit
    else { return Value() }
    let count = axes.count + given.count
    let places = Set(given.compactMap { OperationAxes.place($0, of: count) })
    guard places.count == given.count else { return Value() }
    var rest = axes.makeIterator()
    var made = follow(
      value, (0..<count).map { places.contains($0) ? [] : rest.next() ?? [] }, sizes: value.sizes)
    bringBack(places, in: &made)
    return made
  }

  // MARK: - Axes of one element

  /// Remembers the axes of one element that a value no longer has.
  func leaveOut(from before: Axes, in made: inout Value) {
    let kept = Set((made.axes ?? []).flatMap { $0 })
    made.leftOut.formUnion(before.joined().filter { groups.isWholeOne($0) && !kept.contains($0) })
  }

  /// Takes an axis of one element that is made anew for the one that was left out, where only one was.
  ///
  /// Exporters drop a batch of one for a product and put it back, at any place.
  func bringBack(_ places: some Collection<Int>, in made: inout Value) {
    let kept = Set((made.axes ?? []).flatMap { $0 })
    let found = made.leftOut.filter { atom in
      // What an LSTM or a layer has of its own is not what comes back elsewhere.
      !kept.contains(atom)
        && Set(groups.roles(of: atom)).isDisjoint(with: [.directions, .features])
    }
    guard places.count == 1, let place = places.first, found.count == 1, let atom = found.first
    else {
      return
    }
    made.axes?[place] = [atom]
    made.leftOut.remove(atom)
  }

  // MARK: - Parts

  mutating func slice(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard let value = inputs.first, let axes = value.axes else { return Value() }
    let starts = integers("starts", 1, node, inputs)
    let ends = integers("ends", 2, node, inputs)
    let steps = has("steps", 4, node) ? integers("steps", 4, node, inputs) : nil
    var given = starts.map { Array($0.indices) }
    if has("axes", 3, node) { given = integers("axes", 3, node, inputs) }
    guard let given, !has("steps", 4, node) || steps?.count == given.count else { return Value() }
    var made = axes
    for (index, axis) in given.enumerated() {
      guard let place = OperationAxes.place(axis, of: axes.count) else { return Value() }
      let step = steps?[index] ?? 1
      let start = starts.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      let end = ends.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      // All of an axis, as it is or from its end, is no part.
      if step == 1, start == 0, let end, end >= OperationAxes.openEnd { continue }
      if step == -1, let start, let end, start == -1, end <= -OperationAxes.openEnd { continue }
      let whole = groups.size(of: axes[place])
      let size = sliceSize(whole, start, end, step)
      if whole != nil, size == whole { continue }
      made[place] = part(of: axes[place], size: size)
    }
    var result = follow(value, made)
    if let terms = value.sizes, given == [0] || given == [-1], let start = starts?.first,
      let end = ends?.first
    {
      result.sizes = Self.sliced(terms, start, end, step: steps?.first ?? 1)
    }
    return result
  }

  private func sliceSize(_ size: Int?, _ start: Int?, _ end: Int?, _ step: Int) -> Int? {
    guard let start, let end, step == 1 else { return nil }
    // The last one, and any other that is one by its ends, whatever the size.
    guard let size else {
      if start == -1, end >= OperationAxes.openEnd { return 1 }
      return (start >= 0) == (end >= 0) && end &- start == 1 ? 1 : nil
    }
    let from = min(max(start < 0 ? start &+ size : start, 0), size)
    let to = min(max(end < 0 ? end &+ size : end, 0), size)
    return max(0, to - from)
  }

  private static func sliced(
    _ terms: [SizeTerm], _ start: Int, _ end: Int, step: Int
  ) -> [SizeTerm]? {
    guard step == 1 else { return nil }
    let count = terms.count
    let from = min(max(start < 0 ? start &+ count : start, 0), count)
    let to = min(max(end < 0 ? end &+ count : end, 0), count)
    return from <= to ? Array(terms[from..<to]) : []
  }

  mutating func split(_ node: GraphNode, _ inputs: [Value]) -> [Value] {
    guard let value = inputs.first, let axes = value.axes,
      let given = integer("axis", node, default: 0),
      let place = OperationAxes.place(given, of: axes.count)
    else { return [] }
    let sizes = has("split", 1, node) ? integers("split", 1, node, inputs) : nil
    let count = node.outputs.count
    return (0..<count).map { index in
      var size = sizes.flatMap { $0.indices.contains(index) ? $0[index] : nil }
      if !has("split", 1, node), let whole = groups.size(of: axes[place]), whole % count == 0 {
        size = whole / count
      }
      var made = axes
      made[place] = count == 1 ? axes[place] : part(of: axes[place], size: size)
      return follow(value, made)
    }
  }

  mutating func gather(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard inputs.count >= 2, let axes = inputs[0].axes, let indices = inputs[1].axes,
      let given = integer("axis", node, default: 0),
      let place = OperationAxes.place(given, of: axes.count)
    else { return Value() }
    let value = inputs[0].isData ? inputs[0] : inputs[1]
    groups.mix(axes[place])
    var made = Array(axes[..<place])
    if inputs[1].isData {
      made += indices
    } else {
      // Constant indices take a part of the axis.
      for axis in indices {
        made.append(
          axis.isEmpty || axes[place].count != 1
            ? axis : [groups.atom(like: axes[place][0], size: groups.size(of: axis))])
      }
    }
    for axis in axes[(place + 1)...] {
      // Rows of a constant table are features.
      made.append(inputs[0].isData || axis.isEmpty ? axis : features(groups.size(of: axis)))
    }
    var result = follow(value, made)
    if indices.count < 2, inputs[0].isData, !inputs[1].isData {
      result.picked.formUnion(axes[place])
      leaveOut(from: axes, in: &result)
    }
    if let terms = inputs[0].sizes, let wanted = inputs[1].sizes {
      result.sizes = wanted.map { term in
        guard let number = number(term), let own = OperationAxes.place(number, of: terms.count)
        else {
          return .unknown
        }
        return terms[own]
      }
    }
    return result
  }

  // MARK: - Joining and repeating

  mutating func concat(_ inputs: [Value], axis given: Int?) -> Value {
    var made = Value(isData: inputs.contains { $0.isData })
    if inputs.allSatisfy({ $0.sizes != nil }) {
      let terms = inputs.flatMap { $0.sizes ?? [] }
      made.sizes = terms.count <= SizeTerm.lengthLimit ? terms : nil
    }
    made.picked = inputs.reduce(into: []) { $0.formUnion($1.picked) }
    made.leftOut = inputs.reduce(into: []) { $0.formUnion($1.leftOut) }
    var all: [(axes: Axes, isData: Bool)] = []
    for input in inputs {
      guard let axes = input.axes, axes.count == inputs[0].axes?.count else { return made }
      all.append((axes, input.isData))
    }
    guard let given, let rank = all.first?.axes.count,
      let place = OperationAxes.place(given, of: rank)
    else {
      return made
    }
    if all.count == 1 {
      made.axes = all[0].axes
      return made
    }
    var others = all
    for index in others.indices { others[index].axes[place] = [] }
    var axes = broadcast(others)
    // The axis that grows.
    var size: Int? = 0
    var like: Int?
    for (own, isData) in all {
      let axis = own[place]
      if let sum = size, let next = axis.isEmpty ? 1 : groups.size(of: axis) {
        let (total, overflow) = sum.addingReportingOverflow(next)
        size = overflow ? nil : total
      } else {
        size = nil
      }
      groups.mix(axis)
      guard isData, axis.count == 1 else { continue }
      if let like { groups.unite(like, axis[0]) } else { like = axis[0] }
    }
    if let like {
      axes[place] = [groups.atom(like: like, size: size)]
    } else {
      let atom = groups.atom(size: size)
      // Outputs of one cell after the other are steps; those of several layers their states.
      let cells = inputs.map(\.cell)
      if let first = cells.first ?? nil {
        groups.note(cells.allSatisfy { $0 == first } ? .time : .directions, [atom], .weak)
      }
      axes[place] = [atom]
    }
    made.axes = axes
    return made
  }

  mutating func expand(_ inputs: [Value]) -> Value {
    guard inputs.count >= 2, let axes = inputs[0].axes, let target = inputs[1].sizes else {
      return Value()
    }
    let rank = max(axes.count, target.count)
    guard rank <= Self.rankLimit else { return Value() }
    let made = (0..<rank).map { place -> [Int] in
      let own = place - (rank - axes.count)
      let wanted = place - (rank - target.count)
      let axis = own >= 0 ? axes[own] : []
      guard wanted >= 0 else { return axis }
      let isOne = axis.isEmpty || groups.size(of: axis) == 1
      return isOne ? repeated(axis, target[wanted]) : axis
    }
    return follow(inputs[0], made)
  }

  mutating func tile(_ inputs: [Value]) -> Value {
    guard inputs.count >= 2, let axes = inputs[0].axes, let counts = inputs[1].sizes,
      counts.count == axes.count
    else { return Value() }
    let made = axes.indices.map { place -> [Int] in
      if number(counts[place]) == 1 { return axes[place] }
      if axes[place].isEmpty || groups.size(of: axes[place]) == 1 {
        return repeated(axes[place], counts[place])
      }
      return part(of: axes[place], size: nil)
    }
    return follow(inputs[0], made)
  }

  /// One element repeated to a size.
  private mutating func repeated(_ axis: [Int], _ term: SizeTerm) -> [Int] {
    switch term {
    case .axes(let axes): axes
    case .number(1): axis
    case .number(let size): [groups.atom(size: size)]
    case .unknown: [groups.atom(size: nil)]
    }
  }

  mutating func pad(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard let value = inputs.first, let axes = value.axes else { return Value() }
    let pads = integers("pads", 1, node, inputs)
    var made = axes
    for place in axes.indices {
      var size: Int?
      if let pads, !has("axes", 3, node), pads.count == 2 * axes.count {
        let (before, after) = (pads[place], pads[place + axes.count])
        if before == 0, after == 0 { continue }
        size = padded(axes[place].isEmpty ? 1 : groups.size(of: axes[place]), before, after)
      }
      made[place] =
        axes[place].isEmpty ? [groups.atom(size: size)] : part(of: axes[place], size: size)
    }
    return follow(value, made)
  }

  /// A size with what is added, or taken away where it is negative; `nil` when it is not known, or none.
  private func padded(_ size: Int?, _ before: Int, _ after: Int) -> Int? {
    guard let size else { return nil }
    let (first, overflow) = size.addingReportingOverflow(before)
    let (whole, overflows) = first.addingReportingOverflow(after)
    return overflow || overflows || whole < 0 ? nil : whole
  }

  // MARK: - Sizes

  func shape(_ node: GraphNode, _ value: Value) -> Value {
    var made = Value(axes: nil)
    guard let axes = value.axes, axes.count <= SizeTerm.lengthLimit else { return made }
    let terms = axes.map { $0.isEmpty ? SizeTerm.number(1) : .axes($0) }
    let start = AxisInference.whole("start", node) ?? 0
    let end = AxisInference.whole("end", node) ?? Int(Int32.max)
    made.sizes = Self.sliced(terms, start, end, step: 1)
    made.axes = [[]]
    made.isData = false
    return made
  }

  mutating func constantOfShape(_ node: GraphNode, _ value: Value) -> Value {
    guard let terms = value.sizes, terms.count <= Self.rankLimit else { return Value() }
    var made = Value(isData: false)
    made.axes = terms.map { repeated([], $0) }
    if terms.count == 1, let count = number(terms[0]), (0...SizeTerm.lengthLimit).contains(count),
      let integer = AxisInference.whole("integer", node)
    {
      made.sizes = [SizeTerm](repeating: .number(integer), count: count)
    }
    return made
  }

  /// What arithmetic makes of sizes; `nil` for operations on other values.
  func sizes(of node: GraphNode, _ inputs: [Value]) -> [SizeTerm]? {
    let terms = inputs.compactMap(\.sizes)
    guard terms.count == inputs.count, let count = terms.map(\.count).max(),
      count <= SizeTerm.lengthLimit, terms.allSatisfy({ $0.count == count || $0.count == 1 })
    else { return nil }
    return (0..<count).map { index in
      let own = terms.map { $0[$0.count == 1 ? 0 : index] }
      switch node.operation {
      case "onnx.Mul": return own.reduce(.number(1), *)
      case "onnx.Where" where own.count == 3:
        if own[1] == own[2] { return own[1] }
        return number(own[0]).map { $0 != 0 ? own[1] : own[2] } ?? .unknown
      case "onnx.Equal" where own.count == 2:
        // No size is negative.
        for (a, b) in [(own[0], own[1]), (own[1], own[0])] {
          if case .axes = a, let b = number(b), b < 0 { return .number(0) }
        }
        if let a = number(own[0]), let b = number(own[1]) { return .number(a == b ? 1 : 0) }
        return own[0] == own[1] && own[0] != .unknown ? .number(1) : .unknown
      default: return arithmetic(node.operation, own)
      }
    }
  }

  private func arithmetic(_ operation: String, _ terms: [SizeTerm]) -> SizeTerm {
    guard terms.count == 2, let a = number(terms[0]), let b = number(terms[1]) else {
      if operation == "onnx.Div", terms.count == 2, terms[1] == .number(1) { return terms[0] }
      if ["onnx.Add", "onnx.Sub"].contains(operation), terms.count == 2, terms[1] == .number(0) {
        return terms[0]
      }
      return .unknown
    }
    let (value, overflow): (Int, Bool)
    switch operation {
    case "onnx.Add": (value, overflow) = a.addingReportingOverflow(b)
    case "onnx.Sub": (value, overflow) = a.subtractingReportingOverflow(b)
    case "onnx.Div": (value, overflow) = a.dividedReportingOverflow(by: b)
    case "onnx.Max": (value, overflow) = (max(a, b), false)
    case "onnx.Min": (value, overflow) = (min(a, b), false)
    default: return .unknown
    }
    return overflow ? .unknown : .number(value)
  }
}
