import Foundation
import Synchronization

/// A hook and all processes that it has started, which end with it.
///
/// They are known by their group, by a mark in their environment, and by their ancestors. In a program
/// that takes orphans (``adoptOrphans()``) also those go that have lost all three. What runs as another
/// user cannot be ended. Without `/proc` only the group of processes ends.
final class HookFamily {
  /// The environment variable with the mark.
  static let variable = "LSTMPACK_HOOK"
  /// New processes may come while others are ended; so many times they are looked for.
  private static let rounds = 100

  private struct Running {
    /// How many hooks run.
    var count = 0
    /// The children that this process had before.
    var earlierChildren: Set<pid_t> = []
    var takesOrphans = false
  }

  private static let running = Mutex(Running())

  /// The mark, as it stands in the environment.
  let mark = "\(variable)=\(UUID().uuidString)"

  /// Begins a family.
  init() {
    Self.running.withLock { running in
      if running.count == 0 {
        running.earlierChildren = Set(
          ProcessEntry.all.filter { $0.parent == getpid() }.map(\.id))
      }
      running.count += 1
    }
  }

  /// Ends all of them.
  ///
  /// - Parameter leader: The process that the hook began with, which the caller waits for; `nil` when it
  ///   was not started.
  func end(leader: pid_t?) {
    let earlierChildren: Set<pid_t>? = Self.running.withLock { running in
      running.count -= 1
      // While another hook runs, an orphan may be that one's.
      return running.count == 0 && running.takesOrphans ? running.earlierChildren : nil
    }
    guard let leader else { return }
    kill(-leader, SIGKILL)
    var ended: Set<pid_t> = []
    for _ in 0..<Self.rounds {
      let members = members(leader: leader, earlierChildren: earlierChildren)
      if members.isEmpty { break }
      for member in members { kill(member, SIGKILL) }
      ended.formUnion(members)
      usleep(1000)
    }
    // Orphans that have ended wait for their new parent.
    for member in ended { _ = waitpid(member, nil, WNOHANG) }
  }

  /// The processes of the family that run.
  private func members(leader: pid_t, earlierChildren: Set<pid_t>?) -> Set<pid_t> {
    let own = getpid()
    let entries = ProcessEntry.all.filter { $0.id != own && $0.id != leader }
    var found: Set<pid_t> = []
    for entry in entries {
      let isOrphan =
        earlierChildren.map { entry.parent == own && !$0.contains(entry.id) } ?? false
      if isOrphan || entry.hasInEnvironment(mark) { found.insert(entry.id) }
    }
    var count = -1
    while count < found.count {
      count = found.count
      for entry in entries where entry.parent == leader || found.contains(entry.parent) {
        found.insert(entry.id)
      }
    }
    return found
  }

  /// Has processes whose parents have ended become children of this process from now on, and end with
  /// the hooks: for programs whose children are none but hooks while these run.
  static func adoptOrphans() {
    #if os(Linux)
      // prctl takes any number of arguments, and so is not imported.
      typealias Control =
        @convention(c) (
          CInt, CUnsignedLong, CUnsignedLong, CUnsignedLong, CUnsignedLong
        ) -> CInt
      let setChildSubreaper: CInt = 36
      guard let symbol = unsafe dlsym(dlopen(nil, RTLD_NOW), "prctl"),
        unsafe unsafeBitCast(symbol, to: Control.self)(setChildSubreaper, 1, 0, 0, 0) == 0
      else { return }
      running.withLock { $0.takesOrphans = true }
    #endif
  }
}

/// A process that runs, as `/proc` has it.
private struct ProcessEntry {
  let id: pid_t
  let parent: pid_t

  /// Those that run now; none where there is no `/proc`.
  static var all: [ProcessEntry] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.compactMap(ProcessEntry.init)
  }

  /// Reads what `/proc` says; `nil` for one that has ended.
  private init?(_ id: pid_t) {
    // The name in parentheses may hold anything.
    guard let stat = FileManager.default.contents(atPath: "/proc/\(id)/stat"),
      let end = stat.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = String(decoding: stat[(end + 1)...], as: UTF8.self).split(separator: " ")
    guard fields.count > 1, let parent = pid_t(fields[1]), fields[0] != "Z", fields[0] != "X"
    else { return nil }
    self.id = id
    self.parent = parent
  }

  func hasInEnvironment(_ mark: String) -> Bool {
    // That of others cannot be read.
    guard let environment = FileManager.default.contents(atPath: "/proc/\(id)/environ") else {
      return false
    }
    return environment.split(separator: 0).contains { $0.elementsEqual(mark.utf8) }
  }
}
