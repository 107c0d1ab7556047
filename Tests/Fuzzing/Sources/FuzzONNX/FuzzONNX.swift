import FuzzSupport

/// One input of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  unsafe fuzzOnce(data, size, format: "onnx")
}
