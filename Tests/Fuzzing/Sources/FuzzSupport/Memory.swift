import Foundation

#if os(Linux)
  // The Glibc module leaves it out.
  @_silgen_name("malloc_trim")
  private func mallocTrim(_ padding: Int) -> CInt
#endif

/// The peak of memory that an import reaches, on Linux; elsewhere nothing is measured.
public enum Memory {
  /// Forgets the peak so far; returns what is held now, in bytes.
  public static func start() -> Int? {
    #if os(Linux)
      // Without this an import would use what the one before it gave back.
      _ = mallocTrim(0)
      guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return nil }
      try? file.write(contentsOf: Data("5".utf8))
      return status("VmRSS:")
    #else
      return nil
    #endif
  }

  /// The peak since ``start()``, in bytes.
  public static func peak() -> Int? { status("VmHWM:") }

  /// Lets allocations of more than this fail, to protect the machine.
  public static func limit(to bytes: UInt64) {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    #if os(Linux)
      _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    #else
      _ = unsafe setrlimit(RLIMIT_AS, &limit)
    #endif
  }

  private static func status(_ key: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else {
      return nil
    }
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    return line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
      .flatMap { Int($0) }.map { $0 << 10 }
  }
}
