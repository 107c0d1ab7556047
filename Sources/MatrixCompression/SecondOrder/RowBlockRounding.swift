import LSTMCore
import OneDNN

/// Second-order rounding of some rows, side by side: each array holds, for every element of z, one value for each of
/// the rows (its lanes).
@safe final class RowBlockRounding {
  /// The elements of z whose gradients are computed by one product.
  private static let columnsPerProduct = 64
  /// Rounds of least squares and descent, and sweeps of descent in each.
  private static let rounds = 3
  private static let sweeps = 2
  /// The most unknowns of one system of least squares.
  private static let unknownLimit = 32
  /// The ridge of least squares, of the mean of the diagonal: levels that no code has stay where they are.
  private static let ridge = 1e-7

  private let layout: RoundingLayout
  private let metric: SecondOrderMetric
  private let lanes: Int
  private let size: Int
  private let packed: [PackedMatrix?]
  private let tables: [LevelTable]
  /// The group of each element of z; −1 for the constant and for what stays as it is.
  private let groupOfColumn: [Int]
  /// W, `[size, lanes]`.
  private let target: ScratchBuffer<Float>
  /// W − Ŵ, `[size, lanes]`.
  private let error: ScratchBuffer<Float>
  /// The ranks of the levels, `[size, lanes]`.
  private let ranks: ScratchBuffer<UInt8>
  /// (W − Ŵ)·H for some elements of z.
  private let gradient: ScratchBuffer<Float>

  /// What became of the rows.
  struct Result: Sendable {
    /// For each part its codes and parameters; empty for parts that stay as they are.
    var parts: [(codes: [UInt8], parameters: [Float16])]
    /// `[lanes]`; empty without a constant.
    var bias: [Float]
    /// The sums over rows of what errors cost at first and now, and of what W itself would.
    var before = 0.0
    var after = 0.0
    var norm = 0.0
  }

  init(
    parts: [SecondOrderRounding.Part], bias: [Float]?, rows: Range<Int>, layout: RoundingLayout,
    metric: SecondOrderMetric
  ) {
    let (lanes, size) = (rows.count, metric.size)
    self.layout = layout
    self.metric = metric
    self.lanes = lanes
    self.size = size
    packed = parts.map { part in
      if part.isRounded, case .packed(let packed) = part.start { packed } else { nil }
    }
    tables = layout.groups.map { LevelTable($0.basis, lanes: lanes) }
    var groupOfColumn = [Int](repeating: -1, count: size)
    for (number, group) in layout.groups.enumerated() {
      for column in group.columns { groupOfColumn[column] = number }
    }
    self.groupOfColumn = groupOfColumn
    target = ScratchBuffer(count: size * lanes, zero: 0)
    error = ScratchBuffer(count: size * lanes, zero: 0)
    ranks = ScratchBuffer(count: size * lanes, zero: 0)
    gradient = ScratchBuffer(count: Self.columnsPerProduct * lanes, zero: 0)
    for (number, part) in parts.enumerated() {
      let first = layout.columns[number].lowerBound
      for (lane, row) in rows.enumerated() {
        for column in 0..<part.target.columns {
          unsafe target.base[(first + column) * lanes + lane] = part.target[row, column]
        }
      }
      guard let packed = packed[number] else {
        let fixed = part.start.dequantized
        for (lane, row) in rows.enumerated() {
          for column in 0..<fixed.columns {
            let index = (first + column) * lanes + lane
            unsafe error.base[index] = unsafe target.base[index] - fixed[row, column]
          }
        }
        continue
      }
      load(packed, part: number, rows: rows)
    }
    if let bias {
      for (lane, row) in rows.enumerated() {
        unsafe target.base[(size - 1) * lanes + lane] = bias[row]
      }
    }
  }

  /// Takes over codes and parameters.
  private func load(_ packed: PackedMatrix, part: Int, rows: Range<Int>) {
    let encoding = packed.encoding
    let perGroup = encoding.parametersPerGroup
    let factor = Float(sign: .plus, exponent: packed.scaleExponent, significand: 1)
    let rowBytes = encoding.rowByteCount(columns: packed.columns)
    let groups = layout.groups.enumerated().filter { $0.element.part == part }
    guard let basis = groups.first?.element.basis else { return }
    var rankOfCode = [UInt8](repeating: 0, count: basis.levelCount)
    for (rank, code) in basis.codes.enumerated() { rankOfCode[Int(code)] = UInt8(rank) }
    for (lane, row) in rows.enumerated() {
      let codes = encoding.unpack(
        packed.codes[row * rowBytes..<(row + 1) * rowBytes], columns: packed.columns)
      for (number, group) in groups {
        let start = (row * packed.groupsPerRow + group.index) * perGroup
        _ = tables[number].set(lane) { Float(packed.parameters[start + $0]) * factor }
        for column in group.columns {
          let code = codes?[column - layout.columns[part].lowerBound] ?? 0
          unsafe ranks.base[column * lanes + lane] = rankOfCode[Int(code)]
        }
      }
    }
  }

  /// Rounds.
  func run(_ order: SecondOrderMetric.Order) -> Result {
    setErrors()
    let before = cost(of: error)
    if metric.hasConstant { settleBias() }
    let start = Snapshot(self)
    compensate(order)
    for _ in 0..<Self.rounds {
      refit()
      for _ in 0..<Self.sweeps { descend() }
    }
    refit()
    for (number, group) in layout.groups.enumerated() { storeParameters(number, group) }
    setErrors()
    if metric.hasConstant { settleBias() }
    keepBetter(than: start)
    return result(before: before)
  }

  // MARK: - Errors and what they cost

  /// Errors from ranks and levels; those of the constant and of what stays as it is remain.
  private func setErrors() {
    for (number, group) in layout.groups.enumerated() { setErrors(number, group) }
  }

  private func setErrors(_ number: Int, _ group: RoundingLayout.Group) {
    let table = tables[number]
    for column in group.columns {
      for lane in 0..<lanes {
        let index = column * lanes + lane
        unsafe error.base[index] =
          unsafe target.base[index] - table.level(ranks.base[index], lane: lane)
      }
    }
  }

  /// Calls `body` for blocks of elements of z, with what a matrix `[size, lanes]` gives for them: H · matrix.
  @unsafe private func forEachGradient(
    of matrix: ScratchBuffer<Float>, columns: Range<Int>,
    _ body: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    for first in stride(
      from: columns.lowerBound, to: columns.upperBound, by: Self.columnsPerProduct)
    {
      let block = first..<min(first + Self.columnsPerProduct, columns.upperBound)
      unsafe metric.matrix.elements.withUnsafeBufferPointer { elements in
        guard let start = elements.baseAddress else { return }
        unsafe OneDNN.multiply(
          x: start + block.lowerBound * size, xStride: size, rows: block.count, inputs: size,
          w: matrix.base, wStride: lanes, outputs: lanes, y: gradient.base, yStride: lanes,
          accumulate: false)
      }
      unsafe body(block, gradient.base)
    }
  }

  /// What each lane costs: x H xᵀ without the ridge.
  private func cost(of matrix: ScratchBuffer<Float>) -> [Double] {
    var sums = [Double](repeating: 0, count: lanes)
    unsafe forEachGradient(of: matrix, columns: 0..<size) { block, gradient in
      for column in block {
        let own = unsafe matrix.base + column * lanes
        let slope = unsafe gradient + (column - block.lowerBound) * lanes
        let ridge = metric.ridge[column]
        for lane in 0..<lanes {
          sums[lane] += unsafe Double(own[lane] * (slope[lane] - ridge * own[lane]))
        }
      }
    }
    return sums
  }

  /// Gives the bias the value that leaves the least error.
  private func settleBias() {
    let last = size - 1
    unsafe forEachGradient(of: error, columns: last..<size) { _, gradient in
      let own = unsafe error.base + last * lanes
      let scale = 1 / metric.matrix[last, last]
      for lane in 0..<lanes { unsafe own[lane] -= gradient[lane] * scale }
    }
  }

  // MARK: - Rounding column by column

  /// Rounds one column after the other; errors are compensated by those to come.
  private func compensate(_ order: SecondOrderMetric.Order) {
    let made = ScratchBuffer<Float>(count: size * lanes, zero: 0)
    let values = ScratchBuffer<Float>(count: lanes, zero: 0)
    unsafe order.lower.elements.withUnsafeBufferPointer { lower in
      guard let lower = lower.baseAddress else { return }
      let starts = Array(stride(from: 0, to: size, by: Self.columnsPerProduct))
      for start in starts.reversed() {
        let block = start..<min(start + Self.columnsPerProduct, size)
        let slopes = unsafe gradient.base
        unsafe slopes.update(repeating: 0, count: block.count * lanes)
        if block.upperBound < size {
          unsafe OneDNN.multiply(
            x: lower + block.upperBound * size + block.lowerBound, xStride: size,
            isXTransposed: true, rows: block.count, inputs: size - block.upperBound,
            w: made.base + block.upperBound * lanes, wStride: lanes, outputs: lanes, y: slopes,
            yStride: lanes, accumulate: false)
        }
        for position in block.reversed() {
          let column = order.elements[position]
          let row = unsafe lower + position * size
          let slope = unsafe slopes + (position - block.lowerBound) * lanes
          let own = unsafe made.base + position * lanes
          let wanted = unsafe target.base + column * lanes
          let scale = unsafe 1 / row[position]
          if groupOfColumn[column] >= 0 {
            for lane in 0..<lanes {
              unsafe values.base[lane] = unsafe wanted[lane] + slope[lane] * scale
            }
            unsafe tables[groupOfColumn[column]].round(
              values.base, ranks: ranks.base + column * lanes)
            for lane in 0..<lanes { unsafe own[lane] = wanted[lane] - values.base[lane] }
          } else if metric.hasConstant, column == size - 1 {
            for lane in 0..<lanes { unsafe own[lane] = -slope[lane] * scale }
          } else {
            unsafe own.update(from: error.base + column * lanes, count: lanes)
          }
          for other in block.lowerBound..<position {
            let factor = unsafe row[other]
            let slope = unsafe slopes + (other - block.lowerBound) * lanes
            for lane in 0..<lanes { unsafe slope[lane] += own[lane] * factor }
          }
        }
      }
    }
    for (position, column) in order.elements.enumerated() {
      unsafe (error.base + column * lanes).update(from: made.base + position * lanes, count: lanes)
    }
  }

  // MARK: - Coordinate descent

  /// Gives each weight in turn the level that leaves the least error, then the bias its value.
  private func descend() {
    let values = ScratchBuffer<Float>(count: lanes, zero: 0)
    unsafe metric.matrix.elements.withUnsafeBufferPointer { elements in
      guard let metricStart = elements.baseAddress else { return }
      unsafe forEachGradient(of: error, columns: 0..<size) { block, gradient in
        for column in block where groupOfColumn[column] >= 0 {
          let row = unsafe metricStart + column * size
          let slope = unsafe gradient + (column - block.lowerBound) * lanes
          let own = unsafe error.base + column * lanes
          let wanted = unsafe target.base + column * lanes
          let scale = unsafe 1 / row[column]
          for lane in 0..<lanes {
            unsafe values.base[lane] = unsafe wanted[lane] - own[lane] + slope[lane] * scale
          }
          unsafe tables[groupOfColumn[column]].round(
            values.base, ranks: ranks.base + column * lanes)
          // From here the change of the error.
          for lane in 0..<lanes {
            let new = unsafe wanted[lane] - values.base[lane]
            unsafe values.base[lane] = unsafe new - own[lane]
            unsafe own[lane] = new
          }
          for other in column + 1..<max(column + 1, block.upperBound) {
            let factor = unsafe row[other]
            let slope = unsafe gradient + (other - block.lowerBound) * lanes
            for lane in 0..<lanes { unsafe slope[lane] += values.base[lane] * factor }
          }
        }
      }
    }
    if metric.hasConstant { settleBias() }
  }

  // MARK: - Least squares

  /// Fits parameters and bias with codes fixed, some groups at a time.
  private func refit() {
    var first = 0
    while first < layout.groups.count {
      var unknowns = 0
      var end = first
      while end < layout.groups.count {
        let more = layout.groups[end].basis.parameterCount
        if end > first, unknowns + more > Self.unknownLimit { break }
        unknowns += more
        end += 1
      }
      refit(first..<end)
      first = end
    }
  }

  private func refit(_ groups: Range<Int>) {
    // The unknowns: a parameter of a group each, and last the bias.
    let unknowns = groups.flatMap { group in
      (0..<layout.groups[group].basis.parameterCount).map { (group: group, parameter: $0) }
    }
    let count = unknowns.count + (metric.hasConstant ? 1 : 0)
    let normal = ScratchBuffer<Double>(count: count * count * lanes, zero: 0)
    let right = ScratchBuffer<Double>(count: count * lanes, zero: 0)
    let factors = groups.map { self.factors(ofGroup: $0) }
    let product = ScratchBuffer<Float>(count: Self.columnsPerProduct * lanes, zero: 0)
    /// Adds Σ over columns of factors times values to one element for each lane.
    func add(
      _ unknown: Int, _ columns: Range<Int>, _ values: UnsafePointer<Float>,
      to sums: UnsafeMutablePointer<Double>
    ) {
      let (group, parameter) = unknowns[unknown]
      let own = layout.groups[group].columns
      let common =
        max(
          columns.lowerBound, own.lowerBound)..<max(
          max(columns.lowerBound, own.lowerBound), min(columns.upperBound, own.upperBound))
      let start = unsafe factors[group - groups.lowerBound].base + parameter * own.count * lanes
      for column in common {
        let factor = unsafe start + (column - own.lowerBound) * lanes
        let value = unsafe values + (column - columns.lowerBound) * lanes
        for lane in 0..<lanes { unsafe sums[lane] += Double(factor[lane] * value[lane]) }
      }
    }
    let columns =
      layout.groups[groups.lowerBound].columns
      .lowerBound..<layout.groups[groups.upperBound - 1]
      .columns.upperBound
    unsafe forEachGradient(of: error, columns: columns) { block, gradient in
      for unknown in unknowns.indices {
        unsafe add(unknown, block, gradient, to: right.base + unknown * lanes)
      }
    }
    unsafe metric.matrix.elements.withUnsafeBufferPointer { elements in
      guard let metricStart = elements.baseAddress else { return }
      for (index, unknown) in unknowns.enumerated() {
        let own = layout.groups[unknown.group].columns
        let factor =
          unsafe factors[unknown.group - groups.lowerBound].base
          + unknown.parameter * own.count * lanes
        // H times the factors of this unknown, for the columns of those up to it.
        for first in stride(
          from: columns.lowerBound, to: own.upperBound, by: Self.columnsPerProduct)
        {
          let block = first..<min(first + Self.columnsPerProduct, own.upperBound)
          unsafe OneDNN.multiply(
            x: metricStart + first * size + own.lowerBound, xStride: size, rows: block.count,
            inputs: own.count, w: factor, wStride: lanes, outputs: lanes, y: product.base,
            yStride: lanes, accumulate: false)
          for other in 0...index {
            unsafe add(
              other, block, product.base, to: normal.base + (index * count + other) * lanes)
          }
        }
        guard metric.hasConstant else { continue }
        unsafe OneDNN.multiply(
          x: metricStart + (size - 1) * size + own.lowerBound, xStride: size, rows: 1,
          inputs: own.count, w: factor, wStride: lanes, outputs: lanes, y: product.base,
          yStride: lanes, accumulate: false)
        for lane in 0..<lanes {
          unsafe normal.base[((count - 1) * count + index) * lanes + lane] = Double(
            product.base[lane])
        }
      }
    }
    if metric.hasConstant {
      unsafe forEachGradient(of: error, columns: size - 1..<size) { _, gradient in
        for lane in 0..<lanes {
          unsafe right.base[(count - 1) * lanes + lane] = Double(gradient[lane])
          unsafe normal.base[(count * count - 1) * lanes + lane] = Double(
            metric.matrix[size - 1, size - 1])
        }
      }
    }
    for lane in 0..<lanes {
      var system = SmallSystem(count: count)
      for row in 0..<count {
        system.right[row] = unsafe right.base[row * lanes + lane]
        for column in 0...row {
          system.matrix[row * count + column] =
            unsafe normal.base[(row * count + column) * lanes + lane]
        }
      }
      guard let change = system.solution(ridge: Self.ridge) else { continue }
      var isApplied = true
      for group in groups where isApplied {
        let first = unknowns.firstIndex { $0.group == group } ?? 0
        let table = tables[group]
        isApplied = table.set(lane) {
          table.parameter($0, lane: lane) + Float(change[first + $0])
        }
      }
      if metric.hasConstant, isApplied {
        unsafe error.base[(size - 1) * lanes + lane] -= Float(change[count - 1])
      }
    }
    for group in groups { setErrors(group, layout.groups[group]) }
    if metric.hasConstant { settleBias() }
  }

  /// For each parameter of a group its factor in each weight, `[parameters, columns, lanes]`.
  private func factors(ofGroup number: Int) -> ScratchBuffer<Float> {
    let group = layout.groups[number]
    let count = group.basis.parameterCount
    let factors = ScratchBuffer<Float>(count: count * group.columns.count * lanes, zero: 0)
    unsafe group.basis.factors.withUnsafeBufferPointer { table in
      for parameter in 0..<count {
        for (place, column) in group.columns.enumerated() {
          let to = unsafe factors.base + (parameter * group.columns.count + place) * lanes
          let rank = unsafe ranks.base + column * lanes
          for lane in 0..<lanes { unsafe to[lane] = table[Int(rank[lane]) * count + parameter] }
        }
      }
    }
    return factors
  }

  // MARK: - Results

  /// Rounds parameters to what is stored.
  private func storeParameters(_ number: Int, _ group: RoundingLayout.Group) {
    guard let packed = packed[group.part] else { return }
    let table = tables[number]
    for lane in 0..<lanes {
      _ = table.set(lane) { index in
        Float(Self.stored(table.parameter(index, lane: lane), packed.scaleExponent))
          * Float(sign: .plus, exponent: packed.scaleExponent, significand: 1)
      }
    }
  }

  private static func stored(_ parameter: Float, _ exponent: Int) -> Float16 {
    let limit = Float(Float16.greatestFiniteMagnitude)
    let scaled = parameter * Float(sign: .plus, exponent: -exponent, significand: 1)
    return Float16(min(max(scaled, -limit), limit))
  }

  /// Rows with their codes, levels and errors.
  private struct Snapshot {
    let ranks: [UInt8]
    let errors: [Float]
    /// By group, `[parameters, lanes]`.
    let parameters: [[Float]]
    let costs: [Double]

    init(_ block: RowBlockRounding) {
      let count = block.size * block.lanes
      ranks = (0..<count).map { unsafe block.ranks.base[$0] }
      errors = (0..<count).map { unsafe block.error.base[$0] }
      parameters = block.tables.map { table in
        (0..<table.basis.parameterCount * block.lanes).map { unsafe table.parameters.base[$0] }
      }
      costs = block.cost(of: block.error)
    }
  }

  /// Goes back to what rows were where that costs less.
  private func keepBetter(than start: Snapshot) {
    let costs = cost(of: error)
    for lane in 0..<lanes where !(costs[lane] < start.costs[lane]) {
      for (table, parameters) in zip(tables, start.parameters) {
        _ = table.set(lane) { parameters[$0 * lanes + lane] }
      }
      for column in 0..<size {
        let index = column * lanes + lane
        unsafe ranks.base[index] = start.ranks[index]
        unsafe error.base[index] = start.errors[index]
      }
    }
  }

  private func result(before: [Double]) -> Result {
    var result = Result(
      parts: packed.map { _ in ([], []) }, bias: [], before: before.reduce(0, +),
      after: cost(of: error).reduce(0, +), norm: cost(of: target).reduce(0, +))
    for (part, packed) in packed.enumerated() {
      guard let packed else { continue }
      let groups = layout.groups.enumerated().filter { $0.element.part == part }
      guard let basis = groups.first?.element.basis else { continue }
      for lane in 0..<lanes {
        result.parts[part].codes += packed.encoding.pack(
          layout.columns[part].map { column in
            basis.codes[unsafe Int(ranks.base[column * lanes + lane])]
          })
        for (number, _) in groups {
          for index in 0..<basis.parameterCount {
            result.parts[part].parameters.append(
              Self.stored(tables[number].parameter(index, lane: lane), packed.scaleExponent))
          }
        }
      }
    }
    if metric.hasConstant {
      let start = (size - 1) * lanes
      result.bias = (0..<lanes).map { lane in
        unsafe target.base[start + lane] - error.base[start + lane]
      }
    }
    return result
  }
}
