internal import Diagnostics
internal import LSTMCore

/// Windows that slide along one axis.
struct Window1D: Sendable {
  var size: Int
  var stride = 1
  var dilation = 1
  /// Zeros before and after the input.
  var padding = (before: 0, after: 0)

  /// Whether a last window may reach beyond the padding (ONNX `ceil_mode`).
  var roundsUp = false

  /// The elements that a window spans.
  var span: Int { (size - 1) * dilation + 1 }

  /// How many windows fit; at least none.
  func count(length: Int) -> Int {
    let rest = length + padding.before + padding.after - span
    guard rest >= 0 else { return 0 }
    let count = rest / stride + 1
    // A window that would begin in the padding at the end does not count.
    let fitsOneMore =
      roundsUp && rest % stride != 0 && count * stride < length + padding.before
    return count + (fitsOneMore ? 1 : 0)
  }

  /// The place in the input of an element of a window; it may lie in the padding.
  func place(window: Int, element: Int) -> Int {
    window * stride + element * dilation - padding.before
  }

  /// The places of the elements of a window that lie in an input of so many.
  func places(window: Int, length: Int) -> [Int] {
    let start = place(window: window, element: 0)
    let first = start < 0 ? (-start).dividedRoundingUp(by: dilation) : 0
    let end = start < length ? min(size, (length - start).dividedRoundingUp(by: dilation)) : 0
    return (first..<max(first, end)).map { start + $0 * dilation }
  }

  /// The same window with the padding that TensorFlow calls `same` or `causal`.
  func padded(_ name: String?, length: Int) throws -> Window1D {
    var copy = self
    switch name {
    case nil, "valid": break
    case "same":
      let outputs = length.dividedRoundingUp(by: stride)
      let total = max(0, (outputs - 1) * stride + span - length)
      copy.padding = (total / 2, total - total / 2)
    case "causal": copy.padding = (span - 1, 0)
    case .some(let other): throw OperationCall.error("does not know the padding '\(other)'")
    }
    return copy
  }
}

/// Convolution over two axes or one, and pooling over one, channels last.
enum Convolution {
  /// No more numbers are copied into windows at once.
  private static var patchLimit: Int { 1 << 22 }

  /// y[b, l, f] = Σ x[b, l·stride + k·dilation − padding, c] · kernel[k, c, f] + bias[f].
  ///
  /// - Parameters:
  ///   - x: `[batch, length, channels]`.
  ///   - filters: Of a kernel `[size, channels / groups, filters]`.
  ///   - bias: `[filters]`, or `nil`.
  ///   - window: Stride, dilation and padding.
  ///   - groups: The groups into which channels and filters are cut.
  ///   - call: How many threads may work, and what the run may use.
  /// - Returns: `[batch, windows, filters]`.
  /// - Throws: `DiagnosticError` when kernel and input do not fit, or the result is too large.
  static func convolve(
    _ x: (dims: [Int], values: [Float]), filters: FilterCache.Filters, bias: [Float]?,
    window: Window1D, groups: Int, _ call: OperationCall
  ) throws -> Tensor {
    let y = try convolve(
      ([x.dims[0], 1] + x.dims[1...], x.values), filters: filters, bias: bias,
      windows: (Window1D(size: 1), window), groups: groups, call)
    return try y.squeezed([1])
  }

  /// The same over two axes.
  ///
  /// - Parameters:
  ///   - x: `[batch, height, width, channels]`.
  ///   - prepared: The filters of a kernel `[rows, columns, channels / groups, filters]`, or one axis less.
  ///   - bias: `[filters]`, or `nil`.
  ///   - windows: Stride, dilation and padding of both axes.
  ///   - groups: The groups into which channels and filters are cut.
  ///   - call: How many threads may work, and what the run may use.
  /// - Returns: `[batch, windows down, windows across, filters]`.
  /// - Throws: `DiagnosticError` when kernel and input do not fit, or the result is too large.
  static func convolve(
    _ x: (dims: [Int], values: [Float]), filters prepared: FilterCache.Filters, bias: [Float]?,
    windows: (Window1D, Window1D), groups: Int, _ call: OperationCall
  ) throws -> Tensor {
    let (batch, height, width, channels) = (x.dims[0], x.dims[1], x.dims[2], x.dims[3])
    var kernel = prepared.kernel.dims
    if kernel.count == 3 { kernel.insert(1, at: 0) }
    guard kernel.count == 4, prepared.maps.count == groups, kernel[2] * groups == channels,
      kernel[3] % groups == 0, bias?.count ?? kernel[3] == kernel[3]
    else {
      throw OperationCall.error("has a kernel of shape \(kernel) for an input of \(x.dims)")
    }
    let (down, across) = (windows.0.count(length: height), windows.1.count(length: width))
    let (inputs, filters) = (channels / groups, kernel[3] / groups)
    let size = windows.0.size * windows.1.size * inputs
    try call.allow([batch, down, across, kernel[3]])
    try call.meter.spend(batch, down, across, size, kernel[3])
    var y = [Float](repeating: 0, count: batch * down * across * filters * groups)
    let count = down * across
    // Blocks depend on the shapes alone.
    let block = min(max(1, count), max(64, patchLimit / max(1, size)))
    try call.allow([block, size])
    for row in 0..<batch {
      for first in stride(from: 0, to: count, by: block) {
        let places = first..<min(count, first + block)
        for group in 0..<groups {
          let patches = patches(
            of: x, row: row, channels: group * inputs..<(group + 1) * inputs,
            places.map { ($0 / across, $0 % across) }, windows)
          let part = prepared.maps[group].applied(
            to: patches, rows: places.count,
            bias: bias.map { Array($0[group * filters..<(group + 1) * filters]) },
            activation: .linear, threads: call.threads)
          for (index, place) in places.enumerated() {
            let to = (row * count + place) * filters * groups + group * filters
            y.replaceSubrange(
              to..<to + filters, with: part[index * filters..<(index + 1) * filters])
          }
        }
      }
    }
    return Tensor([batch, down, across, filters * groups], y)
  }

  /// Makes filters ready.
  ///
  /// - Parameters:
  ///   - kernel: `[…, channels / groups, filters]`.
  ///   - groups: The groups into which channels and filters are cut.
  /// - Returns: The filters.
  /// - Throws: `DiagnosticError` when the kernel has no such shape.
  static func filters(_ kernel: Tensor, groups: Int) throws -> FilterCache.Filters {
    guard let weights = kernel.floats, let all = kernel.dims.last, groups > 0, all > 0,
      all % groups == 0
    else {
      throw OperationCall.error("has a kernel of shape \(kernel.dims) for \(groups) groups")
    }
    let (count, size) = (all / groups, weights.count / all)
    let maps = (0..<groups).map { group in
      // A matrix of this group's filters, `[filters, rows · columns · inputs]`.
      var rows = Matrix(zeros: count, size)
      for position in 0..<size {
        for filter in 0..<count {
          rows[filter, position] = weights[position * all + group * count + filter]
        }
      }
      return LinearMaps.map(.dense(rows), KernelOptions())
    }
    return FilterCache.Filters(kernel: kernel, maps: maps)
  }

  /// What some windows see of some channels, `[windows, rows · columns · channels]`.
  private static func patches(
    of x: (dims: [Int], values: [Float]), row: Int, channels: Range<Int>,
    _ places: [(down: Int, across: Int)], _ windows: (Window1D, Window1D)
  ) -> [Float] {
    let (height, width) = (x.dims[1], x.dims[2])
    let size = windows.0.size * windows.1.size * channels.count
    var patches = [Float](repeating: 0, count: places.count * size)
    for (index, place) in places.enumerated() {
      for down in 0..<windows.0.size {
        let line = windows.0.place(window: place.down, element: down)
        guard (0..<height).contains(line) else { continue }
        for across in 0..<windows.1.size {
          let column = windows.1.place(window: place.across, element: across)
          guard (0..<width).contains(column) else { continue }
          let from = ((row * height + line) * width + column) * x.dims[3] + channels.lowerBound
          let to = index * size + (down * windows.1.size + across) * channels.count
          for channel in 0..<channels.count { patches[to + channel] = x.values[from + channel] }
        }
      }
    }
    return patches
  }

  /// What a pool makes of the elements of a window.
  enum Pool: Sendable {
    case maximum
    /// The mean of those elements that lie in the input.
    case average
    /// The mean with the zeros of the padding counted.
    case averageWithPadding
  }

  /// Pools windows of `[batch, length, channels]`.
  ///
  /// - Throws: `DiagnosticError` when the result, or the work for it, is more than the run may use.
  static func pool(
    _ x: (dims: [Int], values: [Float]), _ pool: Pool, window: Window1D, _ call: OperationCall
  ) throws -> Tensor {
    let (batch, length, channels) = (x.dims[0], x.dims[1], x.dims[2])
    let windows = window.count(length: length)
    try call.allow([batch, windows, channels])
    try call.meter.spend(
      batch, windows, window.size, max(1, channels), RunBudget.operationsPerElement)
    var y: [Float] = []
    y.reserveCapacity(batch * windows * channels)
    for row in 0..<batch {
      for index in 0..<windows {
        let places = window.places(window: index, length: length)
        for channel in 0..<channels {
          let values = places.map { x.values[(row * length + $0) * channels + channel] }
          switch pool {
          case .maximum: y.append(values.max() ?? -.infinity)
          case .average: y.append(values.reduce(0, +) / Float(max(1, values.count)))
          case .averageWithPadding: y.append(values.reduce(0, +) / Float(window.size))
          }
        }
      }
    }
    return Tensor([batch, windows, channels], y)
  }
}
