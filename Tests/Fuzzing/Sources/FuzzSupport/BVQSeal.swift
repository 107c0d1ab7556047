import LSTMPackKit

/// A `.bvq` taken apart loosely, to change one part and put the rest right again.
///
/// Checksums would otherwise refuse every changed file before the rules behind them are reached.
public struct BVQParts {
  /// The parts that can be changed.
  public enum Part: Int, CaseIterable {
    /// The header; its sizes and offsets are kept as changed.
    case header
    /// The JSON.
    case metadata
    /// The tensor table.
    case table
    /// The names of the tensors.
    case names
    /// Everything behind the names, the trailer included.
    case payload
  }

  private var parts: [[UInt8]]
  private var oldPayloadOffset: UInt64

  /// Takes a file apart; nil when its header does not say where the parts are.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count >= 64, let tensors = bytes.number(at: 20, as: UInt32.self),
      let metadataSize = bytes.number(at: 24, as: UInt64.self),
      let table = bytes.number(at: 32, as: UInt64.self),
      let payload = bytes.number(at: 40, as: UInt64.self),
      let nameSize = bytes.number(at: 56, as: UInt32.self)
    else { return nil }
    let limit = UInt64(bytes.count)
    guard metadataSize <= limit, table <= limit, payload <= limit else { return nil }
    let metadataEnd = 64 + Int(metadataSize)
    let tableEnd = Int(table) + Int(tensors) * 64
    let namesEnd = tableEnd + Int(nameSize)
    guard metadataEnd <= table, namesEnd <= payload else { return nil }
    parts = [
      Array(bytes[..<64]), Array(bytes[64..<metadataEnd]), Array(bytes[Int(table)..<tableEnd]),
      Array(bytes[tableEnd..<namesEnd]), Array(bytes[Int(payload)...]),
    ]
    oldPayloadOffset = payload
  }

  /// One part.
  public subscript(part: Part) -> [UInt8] {
    get { parts[part.rawValue] }
    set { parts[part.rawValue] = newValue }
  }

  /// Puts the parts together, with offsets and checksums that fit.
  ///
  /// - Parameter keepingHeader: Whether the header's sizes and offsets stay as they are.
  /// - Returns: The file; its SHA-256 at the end is not made anew, because no import checks it.
  public func assembled(keepingHeader: Bool) -> [UInt8] {
    func padding(_ count: Int, to multiple: Int) -> [UInt8] {
      [UInt8](repeating: 0, count: (multiple - count % multiple) % multiple)
    }
    var table = self[.table]
    table.removeLast(table.count % 64)
    var directory = self[.metadata]
    directory += padding(directory.count, to: 8)
    let tableOffset = 64 + directory.count
    let namesEnd = tableOffset + table.count + self[.names].count + 4
    let payloadOffset = namesEnd + padding(namesEnd, to: 64).count
    let moved = UInt64(payloadOffset) &- oldPayloadOffset
    for record in stride(from: 0, to: table.count, by: 64) {
      seal(&table, record: record, moved: moved, payloadOffset: payloadOffset)
    }
    directory += table + self[.names]
    var file = self[.header]
    file += [UInt8](repeating: 0, count: max(0, 64 - file.count))
    file.removeLast(file.count - 64)
    let payload = self[.payload]
    if !keepingHeader {
      file.set(UInt32(table.count / 64), at: 20)
      file.set(UInt64(self[.metadata].count), at: 24)
      file.set(UInt64(tableOffset), at: 32)
      file.set(UInt64(payloadOffset), at: 40)
      file.set(UInt64(payloadOffset + payload.count), at: 48)
      file.set(UInt32(self[.names].count), at: 56)
    }
    file.set(crc32(Array(file[..<60])), at: 60)
    let checksum = crc32(directory)
    directory += [0, 0, 0, 0]
    directory.set(checksum, at: directory.count - 4)
    file += directory
    file += padding(file.count, to: 64)
    return file + payload
  }

  private func seal(
    _ table: inout [UInt8], record: Int, moved: UInt64, payloadOffset: Int
  ) {
    let offset = (table.number(at: record + 40, as: UInt64.self) ?? 0) &+ moved
    let size = table.number(at: record + 48, as: UInt64.self) ?? 0
    table.set(offset, at: record + 40)
    let payload = self[.payload]
    let (start, underflow) = offset.subtractingReportingOverflow(UInt64(payloadOffset))
    let (end, overflow) = start.addingReportingOverflow(size)
    guard !underflow, !overflow, end <= UInt64(payload.count) else { return }
    table.set(crc32(Array(payload[Int(start)..<Int(end)])), at: record + 20)
  }
}
