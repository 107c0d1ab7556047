import Foundation

/// A limit on the memory of this process, so that a library which asks for too much is told no.
enum MemoryLimit {
  /// The bytes of private memory now; 0 where the system does not say.
  static var used: Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
      return 0
    }
    let pages = text.split(separator: " ").compactMap { Int($0) }
    return pages.count > 5 ? pages[5] * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }

  /// Lets the process have so many bytes of private memory, where the system can.
  static func set(_ byteCount: Int) {
    #if os(Linux)
      var limit = rlimit()
      guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0 else { return }
      limit.rlim_cur = min(rlim_t(byteCount), limit.rlim_max)
      _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
    #endif
  }

  /// Lets it have as much as before.
  static func lift() {
    #if os(Linux)
      var limit = rlimit()
      guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0 else { return }
      limit.rlim_cur = limit.rlim_max
      _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
    #endif
  }
}
