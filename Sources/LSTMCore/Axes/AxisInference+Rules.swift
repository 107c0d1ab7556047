/// The rule of each kind of operation.
extension AxisInference {
  /// What a node makes; empty for what cannot be followed.
  mutating func apply(
    _ rule: OperationAxes.Rule, _ node: GraphNode, inputs: [Value]
  ) -> [Value] {
    let first = inputs.first ?? Value()
    switch rule {
    case .same:
      var value = first
      value.isData = inputs.contains { $0.isData }
      if node.operation != "identity", node.operation != "onnx.Cast" { value.sizes = nil }
      return [value]
    case .sameMixing(let mixed):
      if let axes = first.axes { mix(mixed, axes, node) }
      return [follow(first, first.axes)]
    case .broadcast: return [broadcast(node, inputs)]
    case .transpose: return [transpose(node, first)]
    case .permute:
      guard let axes = first.axes, let order = AxisInference.list("order", node) else { return [] }
      return [follow(first, permuted(axes, [0] + order))]
    case .reshape: return [reshape(node, inputs)]
    case .kerasReshape:
      guard let axes = first.axes, let batch = axes.first,
        let shape = AxisInference.list("shape", node)
      else { return [] }
      let target = shape.map { SizeTerm.number($0) }
      return [follow(first, reshaped(Array(axes.dropFirst()), target).map { [batch] + $0 })]
    case .flatten:
      guard let axes = first.axes, let given = integer("axis", node, default: 1) else { return [] }
      let place = given < 0 ? given &+ axes.count : given
      guard (0...axes.count).contains(place) else { return [] }
      return [follow(first, [axes[..<place].flatMap { $0 }, axes[place...].flatMap { $0 }])]
    case .kerasFlatten:
      guard let axes = first.axes, let batch = axes.first else { return [] }
      return [follow(first, [batch, axes.dropFirst().flatMap { $0 }])]
    case .squeeze: return [squeeze(node, inputs)]
    case .unsqueeze: return [unsqueeze(node, inputs)]
    case .slice: return [slice(node, inputs)]
    case .split: return split(node, inputs)
    case .gather: return [gather(node, inputs)]
    case .concat:
      return [concat(inputs, axis: integer("axis", node, default: 1))]
    case .kerasConcatenate:
      return [concat(inputs, axis: integer("axis", node, default: -1))]
    case .expand: return [expand(inputs)]
    case .tile: return [tile(inputs)]
    case .repeatVector:
      guard let axes = first.axes, axes.count == 2 else { return [] }
      let steps = groups.atom(size: AxisInference.whole("count", node))
      return [follow(first, [axes[0], [steps], axes[1]])]
    case .pad: return [pad(node, inputs)]
    case .zeroPadding:
      guard let axes = first.axes, axes.count == 3 else { return [] }
      return [follow(first, [axes[0], part(of: axes[1], size: nil), axes[2]])]
    case .dense:
      guard let axes = first.axes, let last = axes.last else { return [] }
      groups.mix(last)
      return [follow(first, axes.dropLast() + [features(denseSize(node))])]
    case .embedding(let tokens):
      guard inputs.indices.contains(tokens), let axes = inputs[tokens].axes else { return [] }
      return [follow(inputs[tokens], axes + [features(embeddingSize(node))])]
    case .matMul: return [matMul(inputs)]
    case .gemm: return [gemm(node, inputs)]
    case .convolution(let channelsLast):
      return [convolution(node, inputs, channelsLast: channelsLast)]
    case .pooling(let channelsLast): return [pooling(node, first, channelsLast: channelsLast)]
    case .globalPooling(let channelsLast):
      return [globalPooling(node, first, channelsLast: channelsLast)]
    case .reduction(let isOfOneAxis):
      return [reduction(node, inputs, isOfOneAxis: isOfOneAxis)]
    case .shape: return [shape(node, first)]
    case .range: return [Value(axes: [[groups.atom(size: nil)]])]
    case .constantOfShape: return [constantOfShape(node, first)]
    case .onnxLSTM: return onnxLSTM(node, inputs)
    case .kerasLSTM: return kerasLSTM(node, inputs)
    case .cell: return cell(node, inputs)
    }
  }

  /// A value that comes from another one, with other axes.
  func follow(_ value: Value, _ axes: Axes?, sizes: [SizeTerm]? = nil) -> Value {
    var value = value
    value.axes = axes
    value.sizes = sizes
    return value
  }

  /// A new axis of features.
  mutating func features(_ size: Int?) -> [Int] {
    let atom = groups.atom(size: size)
    groups.note(.features, [atom])
    return [atom]
  }

  /// A part of an axis, or another length of it.
  mutating func part(of axis: [Int], size: Int?) -> [Int] {
    groups.mix(axis)
    guard axis.count == 1 else { return size == 1 ? [] : [groups.atom(size: size)] }
    return [groups.atom(like: axis[0], size: size)]
  }

  private mutating func mix(_ mixed: OperationAxes.MixedAxes, _ axes: Axes, _ node: GraphNode) {
    guard let given = integer("axis", node, default: -1),
      let place = OperationAxes.place(given, of: axes.count)
    else {
      for axis in axes { groups.mix(axis) }
      return
    }
    var isFromOn = AxisInference.whole("flattens", node) == 1
    if case .fromAttribute = mixed { isFromOn = true }
    for axis in axes[place...].prefix(isFromOn ? axes.count : 1) { groups.mix(axis) }
  }

  // MARK: - Elementwise

  private mutating func broadcast(_ node: GraphNode, _ inputs: [Value]) -> Value {
    var made = Value(isData: inputs.contains { $0.isData })
    made.sizes = sizes(of: node, inputs)
    made.picked = inputs.reduce(into: []) { $0.formUnion($1.picked) }
    made.leftOut = inputs.reduce(into: []) { $0.formUnion($1.leftOut) }
    made.cell = inputs.compactMap(\.cell).first
    var all: [(axes: Axes, isData: Bool)] = []
    for input in inputs {
      guard let axes = input.axes else { return made }
      all.append((axes, input.isData))
    }
    made.axes = broadcast(all)
    return made
  }

  /// The axes of several values together, the last ones over each other.
  ///
  /// Constants do not say what axes count: one may stand beside time here and beside features there.
  mutating func broadcast(_ all: [(axes: Axes, isData: Bool)]) -> Axes {
    let rank = all.map(\.axes.count).max() ?? 0
    return (0..<rank).map { place in
      var chosen: [Int] = []
      var constant: [Int] = []
      for (axes, isData) in all {
        let own = place - (rank - axes.count)
        guard own >= 0, !axes[own].isEmpty else { continue }
        guard isData else {
          constant = axes[own]
          continue
        }
        if chosen.isEmpty {
          chosen = axes[own]
        } else {
          groups.unite(chosen, axes[own])
          if groups.size(of: chosen) == 1 { chosen = axes[own] }
        }
      }
      if constant.isEmpty || !(chosen.isEmpty || groups.size(of: chosen) == 1) { return chosen }
      let size = groups.size(of: constant)
      return chosen.count == 1
        ? [groups.atom(like: chosen[0], size: size)] : [groups.atom(size: size)]
    }
  }

  // MARK: - Products

  private mutating func matMul(_ inputs: [Value]) -> Value {
    guard inputs.count >= 2, var a = inputs[0].axes, var b = inputs[1].axes, !a.isEmpty, !b.isEmpty
    else { return Value() }
    let (isRow, isColumn) = (a.count == 1, b.count == 1)
    if isRow { a.insert([], at: 0) }
    if isColumn { b.append([]) }
    let (inner, other) = (a[a.count - 1], b[b.count - 2])
    groups.mix(inner)
    groups.mix(other)
    if inputs[0].isData && inputs[1].isData { groups.unite(inner, other) }
    var axes = broadcast([
      (Array(a.dropLast(2)), inputs[0].isData), (Array(b.dropLast(2)), inputs[1].isData),
    ])
    if !isRow { axes.append(own(a[a.count - 2], inputs[0])) }
    if !isColumn { axes.append(own(b[b.count - 1], inputs[1])) }
    return follow(inputs[0].isData ? inputs[0] : inputs[1], axes)
  }

  /// An axis of a product; that of a constant matrix is one of features.
  private mutating func own(_ axis: [Int], _ value: Value) -> [Int] {
    value.isData || axis.isEmpty ? axis : features(groups.size(of: axis))
  }

  private mutating func gemm(_ node: GraphNode, _ inputs: [Value]) -> Value {
    guard inputs.count >= 2, let a = inputs[0].axes, let b = inputs[1].axes, a.count == 2,
      b.count == 2, let turnsA = integer("transA", node, default: 0),
      let turnsB = integer("transB", node, default: 0)
    else { return Value() }
    groups.mix(a[turnsA == 0 ? 1 : 0])
    groups.mix(b[turnsB == 0 ? 0 : 1])
    return follow(
      inputs[0].isData ? inputs[0] : inputs[1],
      [own(a[turnsA == 0 ? 0 : 1], inputs[0]), own(b[turnsB == 0 ? 1 : 0], inputs[1])])
  }

  // MARK: - Windows

  private mutating func convolution(
    _ node: GraphNode, _ inputs: [Value], channelsLast: Bool
  ) -> Value {
    guard inputs.count >= 2, let axes = inputs[0].axes, axes.count >= 3 else { return Value() }
    groups.note(.batch, axes[0], .weak)
    let channels = channelsLast ? axes.count - 1 : 1
    groups.mix(axes[channels])
    let kernel = inputs[1].axes
    let size = (channelsLast ? kernel?.last : kernel?.first).flatMap { groups.size(of: $0) }
    var made = axes
    let windows = (channelsLast ? kernel?.dropLast(2) : kernel?.dropFirst(2)).map {
      $0.map { $0.isEmpty ? 1 : groups.size(of: $0) }
    }
    windowed(&made, channels, node, kernel: windows)
    made[channels] = features(size)
    return follow(inputs[0], made)
  }

  private mutating func pooling(_ node: GraphNode, _ value: Value, channelsLast: Bool) -> Value {
    guard var axes = value.axes, axes.count >= 3 else { return Value() }
    groups.note(.batch, axes[0], .weak)
    let kernel: [Int?]? =
      channelsLast
      ? [AxisInference.whole("size", node)]
      : AxisInference.list("kernel_shape", node)?.map { $0 }
    windowed(&axes, channelsLast ? axes.count - 1 : 1, node, kernel: kernel)
    return follow(value, axes)
  }

  /// Windows over the axes after the batch that are not channels.
  private mutating func windowed(
    _ axes: inout Axes, _ channels: Int, _ node: GraphNode, kernel: [Int?]?
  ) {
    let places = axes.indices.filter { $0 > 0 && $0 != channels }
    for (index, place) in places.enumerated() {
      let size = kernel.flatMap { $0.count == places.count ? $0[index] : nil }
      if size != 1 {
        // A window mixes what sequences keep apart.
        groups.mix(axes[place])
        groups.deny(.batch, axes[place])
      }
      axes[place] = part(
        of: axes[place],
        size: Self.windowCount(groups.size(of: axes[place]), size, node, index, of: places.count))
    }
  }

  /// How many windows there are along an axis; `nil` when that is not known.
  private static func windowCount(
    _ length: Int?, _ kernel: Int?, _ node: GraphNode, _ index: Int, of count: Int
  ) -> Int? {
    let isPool = !node.operation.hasSuffix("Conv") && !node.operation.hasSuffix("Conv1D")
    let limit = 1 << 31
    func setting(_ names: [String], _ usual: Int?) -> Int? {
      guard let name = names.first(where: { node.attributes[$0] != nil }) else { return usual }
      let own =
        whole(name, node) ?? list(name, node).flatMap { $0.count == count ? $0[index] : nil }
      return own.flatMap { (0..<limit).contains($0) ? $0 : nil }
    }
    let isKeras = node.operation.hasPrefix("keras.")
    guard let length, let kernel, (1..<limit).contains(length), (1..<limit).contains(kernel),
      let stride = setting(["strides", "stride"], isPool && isKeras ? kernel : 1), stride > 0,
      let dilation = setting(["dilations", "dilation"], 1), node.attributes["ceil_mode"] == nil,
      (AxisInference.word("auto_pad", node) ?? "NOTSET") == "NOTSET"
    else { return nil }
    if let padding = AxisInference.word("padding", node), padding != "valid" {
      return (length - 1) / stride + 1
    }
    var padded = length
    if node.attributes["pads"] != nil {
      guard let values = list("pads", node), values.count == 2 * count,
        values.allSatisfy({ (0..<limit).contains($0) })
      else { return nil }
      padded += values[index] + values[index + count]
    }
    let window = dilation * (kernel - 1) + 1
    return padded < window ? nil : (padded - window) / stride + 1
  }

  private mutating func globalPooling(
    _ node: GraphNode, _ value: Value, channelsLast: Bool
  ) -> Value {
    guard var axes = value.axes, axes.count >= 3 else { return Value() }
    groups.note(.batch, axes[0], .weak)
    let channels = channelsLast ? axes.count - 1 : 1
    for place in axes.indices where place > 0 && place != channels {
      groups.mix(axes[place])
      axes[place] = []
    }
    if channelsLast, AxisInference.whole("keepsTime", node) ?? 0 == 0 {
      axes = [axes[0], axes[channels]]
    }
    return follow(value, axes)
  }

  private mutating func reduction(
    _ node: GraphNode, _ inputs: [Value], isOfOneAxis: Bool
  ) -> Value {
    guard let value = inputs.first, let axes = value.axes,
      let keeps = integer("keepdims", node, default: 1)
    else { return Value() }
    var places = Set(axes.indices)
    if isOfOneAxis {
      guard let given = integer("axis", node, default: 0),
        let place = OperationAxes.place(given, of: axes.count)
      else { return Value() }
      places = [place]
    } else if has("axes", 1, node) {
      guard let given = integers("axes", 1, node, inputs) else { return Value() }
      let found = given.compactMap { OperationAxes.place($0, of: axes.count) }
      guard found.count == given.count else { return Value() }
      if !found.isEmpty { places = Set(found) }
    }
    if places.count == axes.count, AxisInference.whole("noop_with_empty_axes", node) == 1,
      !has("axes", 1, node)
    {
      return value
    }
    for place in places { groups.mix(axes[place]) }
    let made = axes.indices.compactMap { place -> [Int]? in
      places.contains(place) ? (keeps == 0 ? nil : []) : axes[place]
    }
    var result = follow(value, made)
    if node.operation == "onnx.ReduceProd", let terms = value.sizes {
      result.sizes = [terms.reduce(.number(1), *)]
    }
    return result
  }

  // MARK: - LSTMs

  private mutating func onnxLSTM(_ node: GraphNode, _ inputs: [Value]) -> [Value] {
    guard let found = lstm(node), let layout = integer("layout", node, default: 0) else {
      return []
    }
    let isBatchFirst = layout == 1
    let x = inputs.first ?? Value()
    var time: [Int] = []
    var batch: [Int] = []
    if let axes = x.axes, axes.count == 3 {
      (time, batch) = isBatchFirst ? (axes[1], axes[0]) : (axes[0], axes[1])
      // One step whose axis was made for the LSTM is told from its one direction.
      if time.isEmpty { time = [groups.atom(size: 1)] }
      note(time: time, batch: batch, features: axes[2])
    }
    if inputs.indices.contains(4), let lengths = inputs[4].axes, lengths.count == 1 {
      batch = joined(batch, lengths[0], inputs[4])
    }
    for position in [5, 6] where inputs.indices.contains(position) {
      guard let axes = inputs[position].axes, axes.count == 3 else { continue }
      let own = isBatchFirst ? axes[0] : axes[1]
      groups.note(.directions, isBatchFirst ? axes[1] : axes[0])
      groups.note(.features, axes[2])
      batch = joined(batch, own, inputs[position])
    }
    groups.note(.batch, batch)
    let direction = [groups.atom(size: found.layer.directions.count)]
    groups.note(.directions, direction)
    let y = features(found.outputSize)
    let last = isBatchFirst ? [batch, direction, y] : [direction, batch, y]
    var cell = last
    cell[2] = features(found.hiddenSize)
    return [
      isBatchFirst ? [batch, time, direction, y] : [time, direction, batch, y], last, cell,
    ].map { follow(Value(), $0) }
  }

  private mutating func note(time: [Int], batch: [Int], features: [Int]) {
    groups.note(.time, time)
    groups.note(.batch, batch)
    groups.note(.features, features)
    groups.mix(time)
    groups.mix(features)
  }

  /// The sequences of an LSTM, which its states have as well; those of constants say nothing.
  private mutating func joined(_ batch: [Int], _ other: [Int], _ value: Value) -> [Int] {
    guard value.isData, !other.isEmpty else { return batch }
    guard !batch.isEmpty else { return other }
    groups.unite(batch, other)
    return batch
  }

  private mutating func kerasLSTM(_ node: GraphNode, _ inputs: [Value]) -> [Value] {
    guard let found = lstm(node), let axes = inputs.first?.axes, axes.count == 3 else { return [] }
    note(time: axes[1], batch: axes[0], features: axes[2])
    for input in inputs.dropFirst() {
      guard let own = input.axes, own.count == 2 else { continue }
      groups.note(.features, own[1])
      _ = joined(axes[0], own[0], input)
    }
    let returnsSequences = AxisInference.whole("returnSequences", node) == 1
    let count = found.layer.directions.count
    let isJoined = count == 2 && found.layer.merge == .concatenate
    let width =
      isJoined ? SizeTerm.number(found.outputSize) * .number(2) : .number(found.outputSize)
    var made: [Axes] = []
    for _ in 0..<(count == 2 && found.layer.merge == .separate ? 2 : 1) {
      let own = features(number(width))
      made.append(returnsSequences ? [axes[0], axes[1], own] : [axes[0], own])
    }
    for _ in 0..<count {
      made.append([axes[0], features(found.outputSize)])
      made.append([axes[0], features(found.hiddenSize)])
    }
    return made.map { follow(Value(), $0) }
  }

  private mutating func cell(_ node: GraphNode, _ inputs: [Value]) -> [Value] {
    guard inputs.count == 3, let found = lstm(node), let x = inputs[0].axes, !x.isEmpty else {
      return []
    }
    // What one element was picked of for each step is time.
    for atom in inputs[0].picked { groups.note(.time, [atom], .weak) }
    groups.mix(x[x.count - 1])
    groups.note(.features, x[x.count - 1])
    for axis in x.dropLast() { groups.note(.batch, axis) }
    let sizes = [found.outputSize, found.hiddenSize]
    return (0..<2).map { index in
      var made = Value()
      made.cell = node.layer
      // The new states have the shapes of the old ones.
      guard let own = inputs[index + 1].axes, !own.isEmpty else { return made }
      groups.note(.features, own[own.count - 1])
      let isAlike = own.count == x.count
      let leading = isAlike ? x.dropLast() : own.dropLast()
      if isAlike, inputs[index + 1].isData {
        for (a, b) in zip(x.dropLast(), own.dropLast()) where !a.isEmpty && !b.isEmpty {
          groups.unite(a, b)
        }
      }
      made.axes = leading + [features(sizes[index])]
      return made
    }
  }
}
