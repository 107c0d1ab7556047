// The functions of include/lstmpack.h.

internal import BVQ
internal import Diagnostics
internal import FileSupport
internal import LSTMRuntime

extension DiagnosticError.Code {
  /// A call that the interface does not allow.
  static let badCall = Self("c.badCall", .usage)
}

/// What a handle of a stream stands for: one that takes steps one by one, and holds the state.
private final class StreamHandle {
  let stream: StreamState
  init(_ stream: StreamState) { self.stream = stream }
}

/// Runs a body; 0 when it worked, −1 with the error kept when not.
private func status(_ body: () throws(DiagnosticError) -> Void) -> Int32 {
  do throws(DiagnosticError) {
    try body()
    return 0
  } catch {
    LastError.set("\(error)")
    return -1
  }
}

private func model(_ handle: OpaquePointer) -> StreamedModel {
  unsafe Unmanaged<StreamedModel>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

private func stream(_ handle: OpaquePointer) -> StreamState {
  unsafe Unmanaged<StreamHandle>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue().stream
}

private func handle(_ object: AnyObject) -> OpaquePointer {
  unsafe OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// `lstmpack_open`.
@_cdecl("lstmpack_open")
public func openModel(_ path: UnsafePointer<CChar>, _ activations: Int32) -> OpaquePointer? {
  var result: OpaquePointer?
  _ = status { () throws(DiagnosticError) in
    guard activations == 0 || activations == 1 else {
      throw DiagnosticError(.badCall, "activations are 0 or 1, not \(activations)")
    }
    let source = try unsafe ByteSource(cPath: path)
    let loaded = try BVQReader.read(source).model
    do throws(DiagnosticError) {
      let model = try StreamedModel(
        consume loaded,
        options: KernelOptions(activations: activations == 0 ? .int8 : .float32))
      unsafe result = handle(model)
    } catch { throw error.inFile(source.name) }
  }
  return unsafe result
}

/// `lstmpack_describe`; the description is four numbers.
@_cdecl("lstmpack_describe")
public func describeModel(
  _ handle: OpaquePointer, _ description: UnsafeMutablePointer<Int64>
) -> Int32 {
  let model = unsafe model(handle)
  let numbers = [model.inputSize, model.tokenCount ?? 0, model.outputSize, model.byteCount]
  for (index, number) in numbers.enumerated() { unsafe description[index] = Int64(number) }
  return 0
}

/// `lstmpack_close`.
@_cdecl("lstmpack_close")
public func closeModel(_ handle: OpaquePointer?) {
  guard let handle = unsafe handle else { return }
  unsafe Unmanaged<StreamedModel>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// `lstmpack_stream_open`.
@_cdecl("lstmpack_stream_open")
public func openStream(_ modelHandle: OpaquePointer, _ threads: Int32) -> OpaquePointer? {
  var result: OpaquePointer?
  _ = status { () throws(DiagnosticError) in
    guard (1...256).contains(threads) else {
      throw DiagnosticError(.badCall, "threads are 1 to 256, not \(threads)")
    }
    unsafe result = handle(
      StreamHandle(StreamState(model(modelHandle), threads: Int(threads), stepsAtOnce: 64)))
  }
  return unsafe result
}

/// `lstmpack_stream_clone`.
@_cdecl("lstmpack_stream_clone")
public func cloneStream(_ streamHandle: OpaquePointer) -> OpaquePointer? {
  unsafe handle(StreamHandle(stream(streamHandle).clone()))
}

/// `lstmpack_stream_reset`.
@_cdecl("lstmpack_stream_reset")
public func resetStream(_ handle: OpaquePointer) -> Int32 {
  unsafe stream(handle).reset()
  return 0
}

/// `lstmpack_stream_close`.
@_cdecl("lstmpack_stream_close")
public func closeStream(_ handle: OpaquePointer?) {
  guard let handle = unsafe handle else { return }
  unsafe Unmanaged<StreamHandle>.fromOpaque(UnsafeRawPointer(handle)).release()
}

/// `lstmpack_run`.
@_cdecl("lstmpack_run")
public func runVectors(
  _ handle: OpaquePointer, _ x: UnsafePointer<Float>, _ steps: Int64,
  _ y: UnsafeMutablePointer<Float>
) -> Int32 {
  status { () throws(DiagnosticError) in
    let stream = unsafe stream(handle)
    let count = Int(steps).multipliedReportingOverflow(by: stream.model.inputSize)
    guard steps >= 0, !count.overflow else {
      throw DiagnosticError(.badCall, "\(steps) steps are not possible")
    }
    var next = unsafe y
    unsafe try stream.run(x: UnsafeBufferPointer(start: x, count: count.partialValue)) { results in
      unsafe copy(results, to: &next)
    }
  }
}

/// `lstmpack_run_tokens`.
@_cdecl("lstmpack_run_tokens")
public func runTokens(
  _ handle: OpaquePointer, _ tokens: UnsafePointer<Int64>, _ steps: Int64,
  _ y: UnsafeMutablePointer<Float>
) -> Int32 {
  status { () throws(DiagnosticError) in
    guard steps >= 0 else { throw DiagnosticError(.badCall, "\(steps) steps are not possible") }
    var next = unsafe y
    // Int is 64 bits wide on the platforms of lstmpack.
    let count = Int(steps)
    let start = unsafe UnsafeRawPointer(tokens).assumingMemoryBound(to: Int.self)
    unsafe try stream(handle).run(tokens: UnsafeBufferPointer(start: start, count: count)) {
      results in
      unsafe copy(results, to: &next)
    }
  }
}

/// `lstmpack_step`.
@_cdecl("lstmpack_step")
public func stepVector(
  _ handle: OpaquePointer, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
) -> Int32 {
  unsafe runVectors(handle, x, 1, y)
}

/// `lstmpack_step_token`.
@_cdecl("lstmpack_step_token")
public func stepToken(
  _ handle: OpaquePointer, _ token: Int64, _ y: UnsafeMutablePointer<Float>
) -> Int32 {
  var token = token
  return unsafe runTokens(handle, &token, 1, y)
}

/// `lstmpack_last_error`.
@_cdecl("lstmpack_last_error")
public func lastError() -> UnsafePointer<CChar> { unsafe LastError.text }

private func copy(
  _ results: UnsafeBufferPointer<Float>, to next: inout UnsafeMutablePointer<Float>
) {
  guard let start = results.baseAddress else { return }
  unsafe next.update(from: start, count: results.count)
  unsafe next += results.count
}
