#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The memory that this process may have.
public enum SystemMemory {
  /// The bytes that the machine, the container and the shell's limits allow, whichever is least.
  public static var byteLimit: Int {
    var limit = Int(sysconf(Int32(_SC_PHYS_PAGES))).multipliedReportingOverflow(
      by: Int(sysconf(Int32(_SC_PAGESIZE)))
    ).partialValue
    if limit <= 0 { limit = .max }
    #if os(Linux)
      for path in [
        "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
      ] {
        if let bytes = number(in: path) { limit = min(limit, bytes) }
      }
      for resource in [RLIMIT_AS, RLIMIT_DATA] {
        var found = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &found) == 0,
          let bytes = Int(exactly: found.rlim_cur)
        {
          limit = min(limit, bytes)
        }
      }
    #endif
    return limit
  }

  /// The number that a file of the system holds; `nil` for none, as for `max`.
  private static func number(in path: String) -> Int? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return Int(
      String(decoding: bytes[..<count].filter { $0 > UInt8(ascii: " ") }, as: UTF8.self))
  }
}
