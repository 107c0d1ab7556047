internal import Diagnostics
internal import LSTMCore

/// ONNX' convolutions over one or two axes and pools over one, channels first.
enum ONNXConvolutionOperators {
  static let table: [String: Operators.Prepare] = [
    "onnx.Conv": convolution,
    "onnx.MaxPool": { try pool($0, isAverage: false) },
    "onnx.AveragePool": { try pool($0, isAverage: true) },
    "onnx.GlobalMaxPool": { _ in { [try globalPool($0, isAverage: false)] } },
    "onnx.GlobalAveragePool": { _ in { [try globalPool($0, isAverage: true)] } },
  ]

  private static let convolution: Operators.Prepare = { node in
    let groups = try node.size("group", default: 1)
    let settings = try WindowSettings(node)
    let cache = FilterCache()
    return { call in
      let x = try call.tensor(0)
      let kernel = try call.tensor(1)
      let axes = x.dims.count - 2
      guard axes == 1 || axes == 2, kernel.dims.count == x.dims.count else {
        throw OperationCall.error(
          "has an input of shape \(x.dims) and a kernel of shape \(kernel.dims); lstmpack runs "
            + "convolutions over one axis or two")
      }
      let moved = try x.transposed([0] + (2..<axes + 2) + [1])
      guard let values = moved.floats else {
        throw OperationCall.error("needs floating-point numbers, found integers")
      }
      let windows = try (0..<axes).map { axis in
        try settings.window(
          axis, of: axes, size: kernel.dims[axis + 2], length: moved.dims[axis + 1])
      }
      let filters = try cache.filters(of: kernel) {
        try Convolution.filters(
          kernel.transposed(Array(2..<axes + 2) + [1, 0]), groups: groups)
      }
      let bias = call.optional(2)?.tensor.floats
      let y =
        axes == 1
        ? try Convolution.convolve(
          (moved.dims, values), filters: filters, bias: bias, window: windows[0], groups: groups,
          call)
        : try Convolution.convolve(
          (moved.dims, values), filters: filters, bias: bias, windows: (windows[0], windows[1]),
          groups: groups, call)
      return [GraphValue(try y.transposed([0, axes + 1] + (1..<axes + 1)))]
    }
  }

  private static func pool(_ node: NodeContext, isAverage: Bool) throws -> Operation {
    guard let sizes = try node.integers("kernel_shape", in: .sizes), sizes.count == 1
    else { throw node.error("needs a window over one axis") }
    let roundsUp = try node.flag("ceil_mode")
    let settings = try WindowSettings(node)
    let countsPadding = try node.flag("count_include_pad")
    return { call in
      let x = try channelsLast(call)
      var window = try settings.window(0, of: 1, size: sizes[0], length: x.dims[1])
      window.roundsUp = roundsUp
      // ONNX Runtime refuses them, too: such a window reads nothing.
      guard window.padding.before < sizes[0], window.padding.after < sizes[0] else {
        throw OperationCall.error(
          "has pads of \(window.padding.before) and \(window.padding.after); those of a window of "
            + "\(sizes[0]) are smaller than it")
      }
      let y = try Convolution.pool(
        x, !isAverage ? .maximum : countsPadding ? .averageWithPadding : .average,
        window: window, call)
      return [GraphValue(try y.transposed([0, 2, 1]))]
    }
  }

  private static func globalPool(_ call: OperationCall, isAverage: Bool) throws -> GraphValue {
    let x = try channelsLast(call)
    let window = Window1D(size: max(1, x.dims[1]))
    let y = try Convolution.pool(x, isAverage ? .average : .maximum, window: window, call)
    return GraphValue(try y.transposed([0, 2, 1]))
  }

  private static func channelsLast(
    _ call: OperationCall
  ) throws -> (dims: [Int], values: [Float]) {
    let x = try call.floats(0)
    guard x.dims.count == 3 else {
      throw OperationCall.error(
        "has an input of shape \(x.dims); lstmpack runs convolutions and pools over one axis")
    }
    let moved = try Tensor(x.dims, x.values).transposed([0, 2, 1])
    return (moved.dims, moved.floats ?? [])
  }

  /// How windows slide; what is not given is 1, and 0 for pads.
  private struct WindowSettings: Sendable {
    var strides: [Int]?
    var dilations: [Int]?
    /// Those before the axes, then those after them.
    var pads: [Int]?
    var automatic: String

    init(_ node: NodeContext) throws {
      strides = try node.integers("strides", in: .sizes)
      dilations = try node.integers("dilations", in: .sizes)
      pads = try node.integers("pads", in: .positions)
      automatic = try node.text("auto_pad") ?? "NOTSET"
    }

    /// The window along one of so many axes.
    func window(_ axis: Int, of axes: Int, size: Int, length: Int) throws -> Window1D {
      guard size >= 1 else { throw OperationCall.error("has an empty kernel") }
      guard strides?.count ?? axes == axes, dilations?.count ?? axes == axes,
        pads?.count ?? (2 * axes) == 2 * axes
      else {
        throw OperationCall.error("has strides, dilations or pads for another number of axes")
      }
      var window = Window1D(
        size: size, stride: strides?[axis] ?? 1, dilation: dilations?[axis] ?? 1)
      switch automatic {
      case "NOTSET": window.padding = (pads?[axis] ?? 0, pads?[axis + axes] ?? 0)
      case "VALID": break
      case "SAME_UPPER": window = try window.padded("same", length: length)
      case "SAME_LOWER":
        window = try window.padded("same", length: length)
        window.padding = (window.padding.after, window.padding.before)
      default: throw OperationCall.error("does not know the padding '\(automatic)'")
      }
      return window
    }
  }
}
