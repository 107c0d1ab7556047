internal import CHDF5
public import Diagnostics
import Foundation

extension DiagnosticError.Code {
  /// libhdf5 cannot read the file or an object in it.
  public static let malformedHDF5 = Self("hdf5.malformed", .malformedInput)
  /// The file uses a feature of HDF5 that lstmpack refuses: links out of the file, external data.
  public static let unsupportedHDF5 = Self("hdf5.unsupported", .malformedInput)
}

/// The one door to libhdf5, which is not safe for threads.
enum HDF5Library {
  private static let lock = NSRecursiveLock()
  /// How many calls of ``use(_:)`` are under way; a signal handler may read it.
  private nonisolated(unsafe) static let depth = {
    let depth = unsafe UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    unsafe depth.initialize(to: 0)
    return unsafe depth
  }()

  /// Runs a body with the library to itself and its printing of errors switched off.
  static func use<Result>(
    _ body: () throws(DiagnosticError) -> Result
  ) throws(DiagnosticError) -> Result {
    lock.lock()
    unsafe depth.pointee += 1
    defer {
      unsafe depth.pointee -= 1
      lock.unlock()
    }
    // The error stack, and with it the printing, belongs to a thread: set on each entry.
    H5Eset_auto2(lp_h5_default_stack(), nil, nil)
    // No file makes us load code: filters are those that libhdf5 was built with.
    H5PLset_loading_state(0)
    return try body()
  }

  /// Whether a call is under way; for signal handlers, too.
  static var isInUse: Bool { unsafe depth.pointee > 0 }

  /// An error with the innermost reason that libhdf5 gives.
  ///
  /// The stack is read and cleared on the thread of the failure; left alone it makes the library
  /// complain when the program ends.
  static func failure(_ problem: String, object: String? = nil) -> DiagnosticError {
    final class Reason { var text = "" }
    let reason = Reason()
    _ = unsafe H5Ewalk2(
      lp_h5_default_stack(), H5E_WALK_DOWNWARD,
      { _, entry, context in
        if let text = unsafe entry?.pointee.desc, let context = unsafe context {
          let reason = unsafe Unmanaged<Reason>.fromOpaque(context).takeUnretainedValue()
          reason.text = unsafe String(cString: text)
        }
        return 0
      }, Unmanaged.passUnretained(reason).toOpaque())
    H5Eclear2(lp_h5_default_stack())
    let detail = reason.text.isEmpty ? "" : " (libhdf5: \(reason.text))"
    return DiagnosticError(.malformedHDF5, object: object, problem + detail)
  }

  /// The identifier that a call returned, or an error.
  static func checked(
    _ identifier: hid_t, _ problem: String, object: String?
  ) throws(DiagnosticError) -> hid_t {
    guard identifier >= 0 else { throw failure(problem, object: object) }
    return identifier
  }
}
