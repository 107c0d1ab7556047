import LSTMPackKit

/// A member of a zip archive that is stored without compression, as Keras stores all of them.
public struct StoredMember {
  /// Its bytes in the archive.
  public let range: Range<Int>
  private let header: Int
  private let entry: Int

  /// Finds the stored members of an archive by its central directory.
  public static func all(in archive: [UInt8]) -> [StoredMember] {
    guard let end = offsetOfEnd(in: archive),
      var entry = archive.number(at: end + 16, as: UInt32.self).map(Int.init)
    else { return [] }
    var members: [StoredMember] = []
    while archive.number(at: entry, as: UInt32.self) == 0x0201_4B50, members.count < 1000 {
      guard let nameSize = archive.number(at: entry + 28, as: UInt16.self),
        let extraSize = archive.number(at: entry + 30, as: UInt16.self),
        let commentSize = archive.number(at: entry + 32, as: UInt16.self)
      else { break }
      if let member = StoredMember(entry: entry, in: archive) { members.append(member) }
      entry += 46 + Int(nameSize) + Int(extraSize) + Int(commentSize)
    }
    return members
  }

  private init?(entry: Int, in archive: [UInt8]) {
    guard archive.number(at: entry + 10, as: UInt16.self) == 0,
      let size = archive.number(at: entry + 20, as: UInt32.self),
      let header = archive.number(at: entry + 42, as: UInt32.self).map(Int.init),
      let nameSize = archive.number(at: header + 26, as: UInt16.self),
      let extraSize = archive.number(at: header + 28, as: UInt16.self)
    else { return nil }
    let start = header + 30 + Int(nameSize) + Int(extraSize)
    guard start <= archive.count, Int(size) <= archive.count - start else { return nil }
    self.header = header
    self.entry = entry
    self.range = start..<start + Int(size)
  }

  /// Puts the member's checksum right, in both places that have it.
  public func seal(_ archive: inout [UInt8]) {
    let checksum = crc32(Array(archive[range]))
    archive.set(checksum, at: header + 14)
    archive.set(checksum, at: entry + 16)
  }

  private static func offsetOfEnd(in archive: [UInt8]) -> Int? {
    stride(from: archive.count - 22, through: max(0, archive.count - 22 - 65535), by: -1)
      .first { archive.number(at: $0, as: UInt32.self) == 0x0605_4B50 }
  }
}
