import Foundation

/// The processors that this process may use.
enum ProcessorCount {
  /// At least 1.
  static var available: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }
}
