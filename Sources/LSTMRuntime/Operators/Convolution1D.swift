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

  /// The same window with the padding that TensorFlow calls `same` or `causal`.
  func padded(_ name: String?, length: Int) throws -> Window1D {
    var copy = self
    switch name {
    case nil, "valid": break
    case "same":
      let outputs = (length + stride - 1) / stride
      let total = max(0, (outputs - 1) * stride + span - length)
      copy.padding = (total / 2, total - total / 2)
    case "causal": copy.padding = (span - 1, 0)
    case .some(let other): throw OperationCall.error("does not know the padding '\(other)'")
    }
    return copy
  }
}

/// Convolution and pooling of `[batch, length, channels]`.
enum Convolution1D {
  /// y[b, l, f] = Σ x[b, l·stride + k·dilation − padding, c] · kernel[k, c, f] + bias[f].
  ///
  /// - Parameters:
  ///   - x: `[batch, length, channels]`.
  ///   - kernel: `[size, channels / groups, filters]`.
  ///   - bias: `[filters]`, or `nil`.
  ///   - window: Stride, dilation and padding.
  ///   - groups: The groups into which channels and filters are cut.
  ///   - threads: How many threads may work.
  /// - Returns: `[batch, windows, filters]`.
  /// - Throws: `DiagnosticError` when kernel and input do not fit, or the result is too large.
  static func convolve(
    _ x: (dims: [Int], values: [Float]), kernel: Tensor, bias: [Float]?, window: Window1D,
    groups: Int, threads: Int
  ) throws -> Tensor {
    let (batch, length, channels) = (x.dims[0], x.dims[1], x.dims[2])
    guard kernel.dims.count == 3, let weights = kernel.floats, groups > 0,
      kernel.dims[1] * groups == channels, kernel.dims[2] % groups == 0,
      bias?.count ?? kernel.dims[2] == kernel.dims[2]
    else {
      throw OperationCall.error("has a kernel of shape \(kernel.dims) for an input of \(x.dims)")
    }
    let windows = window.count(length: length)
    let (inputs, filters) = (channels / groups, kernel.dims[2] / groups)
    try OperationCall.allow([batch, windows, kernel.dims[2]])
    try OperationCall.allow([windows, window.size, inputs])
    let maps = (0..<groups).map { group in
      // A matrix of this group's filters, `[filters, size · inputs]`.
      var rows = Matrix(zeros: filters, window.size * inputs)
      for position in 0..<window.size * inputs {
        for filter in 0..<filters {
          rows[filter, position] = weights[position * filters * groups + group * filters + filter]
        }
      }
      return LinearMaps.map(.dense(rows), KernelOptions())
    }
    var y = [Float](repeating: 0, count: batch * windows * filters * groups)
    for row in 0..<batch {
      for group in 0..<groups {
        var patches = [Float](repeating: 0, count: windows * window.size * inputs)
        for index in 0..<windows {
          for element in 0..<window.size {
            let place = window.place(window: index, element: element)
            guard (0..<length).contains(place) else { continue }
            let from = (row * length + place) * channels + group * inputs
            let to = (index * window.size + element) * inputs
            for input in 0..<inputs { patches[to + input] = x.values[from + input] }
          }
        }
        let part = maps[group].applied(
          to: patches, rows: windows,
          bias: bias.map { Array($0[group * filters..<(group + 1) * filters]) },
          activation: .linear, threads: threads)
        for index in 0..<windows {
          let to = (row * windows + index) * filters * groups + group * filters
          y.replaceSubrange(to..<to + filters, with: part[index * filters..<(index + 1) * filters])
        }
      }
    }
    return Tensor([batch, windows, filters * groups], y)
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
  static func pool(
    _ x: (dims: [Int], values: [Float]), _ pool: Pool, window: Window1D
  ) throws -> Tensor {
    let (batch, length, channels) = (x.dims[0], x.dims[1], x.dims[2])
    let windows = window.count(length: length)
    var y: [Float] = []
    y.reserveCapacity(batch * windows * channels)
    for row in 0..<batch {
      for index in 0..<windows {
        let places = (0..<window.size).map { window.place(window: index, element: $0) }
          .filter { (0..<length).contains($0) }
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
