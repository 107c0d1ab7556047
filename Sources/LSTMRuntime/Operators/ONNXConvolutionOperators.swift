internal import Diagnostics
internal import LSTMCore

/// ONNX' convolutions and pools over one axis, channels first.
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
    return { call in
      let x = try channelsLast(call)
      let kernel = try call.tensor(1)
      guard kernel.dims.count == 3 else {
        throw OperationCall.error(
          "has a kernel of shape \(kernel.dims); lstmpack runs convolutions over one axis")
      }
      let window = try settings.window(size: kernel.dims[2], length: x.dims[1])
      let y = try Convolution1D.convolve(
        x, kernel: try kernel.transposed([2, 1, 0]), bias: call.optional(2)?.tensor.floats,
        window: window, groups: groups, threads: call.threads)
      return [GraphValue(try y.transposed([0, 2, 1]))]
    }
  }

  private static func pool(_ node: NodeContext, isAverage: Bool) throws -> Operation {
    guard let sizes = try node.integers("kernel_shape"), sizes.count == 1,
      (1...1 << 24).contains(sizes[0])
    else { throw node.error("needs a window over one axis") }
    let roundsUp = try node.flag("ceil_mode")
    let settings = try WindowSettings(node)
    let countsPadding = try node.flag("count_include_pad")
    return { call in
      let x = try channelsLast(call)
      var window = try settings.window(size: sizes[0], length: x.dims[1])
      window.roundsUp = roundsUp
      let y = try Convolution1D.pool(
        x, !isAverage ? .maximum : countsPadding ? .averageWithPadding : .average,
        window: window)
      return [GraphValue(try y.transposed([0, 2, 1]))]
    }
  }

  private static func globalPool(_ call: OperationCall, isAverage: Bool) throws -> GraphValue {
    let x = try channelsLast(call)
    let window = Window1D(size: max(1, x.dims[1]))
    let y = try Convolution1D.pool(x, isAverage ? .average : .maximum, window: window)
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

  private struct WindowSettings: Sendable {
    var stride: Int
    var dilation: Int
    var pads: [Int]
    var automatic: String

    init(_ node: NodeContext) throws {
      stride = try node.integers("strides")?.first ?? 1
      dilation = try node.integers("dilations")?.first ?? 1
      pads = try node.integers("pads") ?? [0, 0]
      automatic = node.text("auto_pad") ?? "NOTSET"
      guard (1...1 << 24).contains(stride), (1...1 << 24).contains(dilation), pads.count == 2,
        pads.allSatisfy({ (0...1 << 24).contains($0) })
      else { throw node.error("has strides, dilations or pads for more than one axis") }
    }

    func window(size: Int, length: Int) throws -> Window1D {
      guard size >= 1 else { throw OperationCall.error("has an empty kernel") }
      var window = Window1D(size: size, stride: stride, dilation: dilation)
      switch automatic {
      case "NOTSET": window.padding = (pads[0], pads[1])
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
