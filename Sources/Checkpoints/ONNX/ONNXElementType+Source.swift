import LSTMCore
import ONNXProto

extension ONNXTensor.ElementType {
  /// The type of the same elements in ONNX.
  init(_ type: SourceTensor.ElementType) {
    switch type {
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .float32: self = .float
    case .float64: self = .double
    case .int8: self = .int8
    case .int16: self = .int16
    case .int32: self = .int32
    case .int64: self = .int64
    case .uint8: self = .uint8
    case .uint16: self = .uint16
    case .uint32: self = .uint32
    case .uint64: self = .uint64
    case .bool: self = .bool
    }
  }
}

extension SourceTensor.ElementType {
  /// The type of the elements when they stand one to a byte or more.
  init(_ type: ONNXTensor.ElementType) {
    switch type {
    case .float: self = .float32
    case .double: self = .float64
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .int8: self = .int8
    case .int16: self = .int16
    case .int32: self = .int32
    case .int64: self = .int64
    case .uint8: self = .uint8
    case .uint16: self = .uint16
    case .uint32: self = .uint32
    case .uint64: self = .uint64
    case .bool: self = .bool
    case .uint4, .uint2: self = .uint8
    case .int4, .int2: self = .int8
    }
  }
}
