import LSTMCore

/// A constant that has been evaluated.
struct ONNXConstant {
  /// The elements: float16, float and double as float32, everything else as integers.
  var tensor: Tensor
  /// Whether results are rounded to float16, as the operators of that type do.
  var isFloat16 = false

  init(_ tensor: Tensor, isFloat16: Bool = false) {
    self.tensor = tensor
    self.isFloat16 = isFloat16
  }

  init(dims: [Int], elements: Tensor.Elements, isFloat16: Bool = false) {
    self.init(Tensor(dims: dims, elements: elements), isFloat16: isFloat16)
  }

  var dims: [Int] { tensor.dims }
  var count: Int { tensor.count }
  var elements: Tensor.Elements {
    get { tensor.elements }
    set { tensor.elements = newValue }
  }
  var integers: [Int]? { tensor.integers }
  var floats: [Float]? { tensor.floats }

  /// The same kind of constant with other contents.
  func with(_ tensor: Tensor) -> ONNXConstant { ONNXConstant(tensor, isFloat16: isFloat16) }
}
