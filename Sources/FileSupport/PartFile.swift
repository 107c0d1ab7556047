import Diagnostics

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A file that is not yet whole, beside the target whose place it takes: `NAME.part-` and 16
/// hexadecimal digits drawn at random, so that neither strays nor processes of the same number meet.
///
/// The writer holds a lock (`flock`) on it, which the system takes away when the process ends, however
/// it ends. So a part file without a lock has no writer, and may go.
struct PartFile: ~Copyable {
  /// How putting a file in place ended.
  enum Placing {
    case done
    /// Something is there.
    case exists
    /// `errno` says why.
    case failed
  }

  private static let marker = ".part-"
  private static let digits = 16
  /// The number of bytes of the target's name that its part file's name takes over: names have a limit.
  private static let nameLimit = 120
  /// Names drawn before the system is taken to be out of order.
  private static let attempts = 100

  private let path: String
  /// Where bytes are written.
  let descriptor: Int32
  private var isInPlace = false

  /// Creates a part file.
  ///
  /// - Parameters:
  ///   - target: The target.
  ///   - existing: The file that is going to be overwritten, whose permissions, owner and group are
  ///     taken over.
  ///   - name: The target as the user named it.
  /// - Throws: `DiagnosticError` with code `fileAccess`.
  init(
    of target: String, replacing existing: stat?, shownAs name: String
  ) throws(DiagnosticError) {
    for _ in 0..<Self.attempts {
      let random = String(UInt64.random(in: .min ... .max), radix: 16)
      let path =
        OutputTarget.folder(of: target) + "/" + Self.prefix(of: target)
        + String(repeating: "0", count: Self.digits - random.count) + random
      // Nobody reads it before it has the permissions of the old file.
      let descriptor = unsafe open(
        path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
        existing == nil ? 0o666 : 0o600)
      if descriptor < 0 {
        if errno == EEXIST || errno == EINTR { continue }
        throw OutputTarget.writeError(name)
      }
      while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {}
      var status = stat()
      // Another writer may have taken it for a stale one before it was locked.
      guard unsafe fstat(descriptor, &status) == 0, status.st_nlink > 0 else {
        close(descriptor)
        continue
      }
      self.path = path
      self.descriptor = descriptor
      if let existing { takeOver(existing, from: status) }
      return
    }
    errno = EEXIST
    throw OutputTarget.writeError(name)
  }

  deinit {
    if !isInPlace { _ = unsafe unlink(path) }
    close(descriptor)
  }

  /// Takes over permissions, owner and group, as far as the system allows it.
  private func takeOver(_ existing: stat, from own: stat) {
    var mode = existing.st_mode & 0o777
    let keepsGroup =
      existing.st_gid == own.st_gid || fchown(descriptor, uid_t.max, existing.st_gid) == 0
    // What the old group might do is not for another one.
    if !keepsGroup { mode = mode & 0o707 | (mode & 0o007) << 3 }
    if existing.st_uid != own.st_uid { _ = fchown(descriptor, existing.st_uid, gid_t.max) }
    _ = fchmod(descriptor, mode)
  }

  // MARK: - Putting in place

  /// Puts the file in the target's place, whatever is there.
  mutating func replace(_ target: String) -> Placing {
    guard unsafe rename(path, target) == 0 else { return .failed }
    isInPlace = true
    return .done
  }

  /// Makes the target, which nobody else may have made.
  mutating func create(_ target: String) -> Placing {
    if unsafe link(path, target) == 0 {
      _ = unsafe unlink(path)
      isInPlace = true
      return .done
    }
    if errno == EEXIST { return .exists }
    // File systems without hard links: whoever creates the name has it.
    let claim = unsafe open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard claim >= 0 else { return errno == EEXIST ? .exists : .failed }
    close(claim)
    let result = replace(target)
    if result != .done {
      let code = errno
      _ = unsafe unlink(target)
      errno = code
    }
    return result
  }

  // MARK: - Stale ones

  /// How the names of a target's part files begin.
  private static func prefix(of target: String) -> String {
    let name = target.utf8.split(separator: UInt8(ascii: "/")).last.map(Array.init) ?? []
    var end = min(name.count, nameLimit)
    // No character is cut in two.
    while end > 0, end < name.count, name[end] & 0xC0 == 0x80 { end -= 1 }
    return String(decoding: name[..<end], as: UTF8.self) + marker
  }

  /// Removes the part files of a target whose writers are gone.
  static func removeStale(of target: String) {
    let folder = OutputTarget.folder(of: target)
    let prefix = Array(prefix(of: target).utf8)
    guard let entries = unsafe opendir(folder) else { return }
    defer { unsafe closedir(entries) }
    while let entry = unsafe readdir(entries) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe Array(bytes.prefix { $0 != 0 })
      }
      guard name.count == prefix.count + digits, name.starts(with: prefix),
        name.dropFirst(prefix.count).allSatisfy({ isDigit($0) })
      else { continue }
      removeIfStale(folder + "/" + String(decoding: name, as: UTF8.self))
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
  }

  private static func removeIfStale(_ path: String) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      flock(descriptor, LOCK_EX | LOCK_NB) == 0
    else { return }
    _ = unsafe unlink(path)
  }
}
