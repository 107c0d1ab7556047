import Foundation

/// The terminal that reports are read on.
enum Terminal {
  /// The columns when there is no terminal.
  private static let usualWidth = 80
  /// Narrower ones would leave no room for words.
  private static let narrowest = 40

  /// The columns of a line: `COLUMNS`, else those of the terminal that standard output or standard error
  /// is, else 80.
  static let width = max(narrowest, variable ?? window ?? usualWidth)

  private static var variable: Int? {
    ProcessInfo.processInfo.environment["COLUMNS"].flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
  }

  private static var window: Int? {
    for descriptor in [STDOUT_FILENO, STDERR_FILENO] where isatty(descriptor) == 1 {
      var size = winsize()
      if unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
        return Int(size.ws_col)
      }
    }
    return nil
  }
}
