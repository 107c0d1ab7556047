import FuzzSupport
import LSTMPackKit
import ZipArchive

/// Changes the tensor table, the metadata or the elements of a `.bvq`; its checksums are right again.
enum BVQMutation {
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard var parts = BVQParts(bytes) else { return bytes }
    let count = 1 + min(random.below(3), random.below(3))
    for _ in 0..<count {
      switch random.below(10) {
      case 0..<6: parts[.metadata] = JSONMutation.changed(parts[.metadata], random: &random)
      case 6, 7: changeTable(of: &parts, &random)
      case 8: changeElements(of: &parts, &random)
      default: exchangeRecords(of: &parts, &random)
      }
    }
    var file = parts.assembled(keepingHeader: random.oneIn(20))
    // The trailer is the digest of all before it.
    if file.count > 32, random.below(20) > 0 {
      file.replaceSubrange(
        file.count - 32..<file.count, with: SHA256.digest(of: Array(file.dropLast(32))))
    }
    return file
  }

  /// Overwrites a number of a record, or trades its rows for its columns.
  private static func changeTable(of parts: inout BVQParts, _ random: inout Random) {
    var table = parts[.table]
    guard table.count >= 64 else { return }
    let record = random.below(table.count / 64) * 64
    let rows: UInt64 = table.number(at: record + 24) ?? 0
    let columns: UInt64 = table.number(at: record + 32) ?? 0
    switch random.below(7) {
    case 0:
      table.set(columns, at: record + 24)
      table.set(rows, at: record + 32)
    case 1:
      table.set(UInt64(1), at: record + 24)
      table.set(rows &* columns, at: record + 32)
    case 2: table.set(UInt16(truncatingIfNeeded: random.below(8)), at: record + 6)
    case 3: table.set(UInt16(truncatingIfNeeded: random.below(11)), at: record + 8)
    case 4: table.set(UInt16(truncatingIfNeeded: random.below(15)), at: record + 10)
    case 5:
      let size: UInt32 = table.number(at: record + 12) ?? 0
      table.set(
        UInt32(truncatingIfNeeded: random.integer(near: Int(size))),
        at: record + random.pick([12, 16]))
    default:
      let offset = record + random.pick([24, 32, 40, 48, 56])
      let old: UInt64 = table.number(at: offset) ?? 0
      table.set(
        UInt64(bitPattern: Int64(random.integer(near: Int(truncatingIfNeeded: old)))), at: offset)
    }
    parts[.table] = table
  }

  private static func changeElements(of parts: inout BVQParts, _ random: inout Random) {
    var payload = parts[.payload]
    guard payload.count > 40 else { return }
    for _ in 0..<1 + random.below(3) {
      let offset = random.below((payload.count - 40) / 8) * 8
      switch random.below(4) {
      case 0: payload.set(UInt64(bitPattern: Int64(random.integer())), at: offset)
      case 1: payload.set(random.pick(Extremes.numbers).bitPattern, at: offset)
      case 2: payload.set(UInt16(truncatingIfNeeded: random.next()), at: offset)
      default: payload.set(Float(random.pick(Extremes.numbers)).bitPattern, at: offset)
      }
    }
    parts[.payload] = payload
  }

  /// Gives a tensor the kind, storage and shape of another.
  private static func exchangeRecords(of parts: inout BVQParts, _ random: inout Random) {
    var table = parts[.table]
    guard table.count >= 64 else { return }
    let (first, second) = (random.below(table.count / 64) * 64, random.below(table.count / 64) * 64)
    table.replaceSubrange(first + 6..<first + 20, with: Array(table[second + 6..<second + 20]))
    table.replaceSubrange(first + 24..<first + 40, with: Array(table[second + 24..<second + 40]))
    parts[.table] = table
  }
}

/// Changes the header of a `.safetensors` file, or elements.
enum SafetensorsMutation {
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard let size: UInt64 = bytes.number(at: 0), size < UInt64(max(bytes.count - 8, 0)) else {
      return bytes
    }
    var header = Array(bytes[8..<8 + Int(size)])
    var data = Array(bytes[(8 + Int(size))...])
    if random.below(8) > 0 { header = JSONMutation.changed(header, random: &random) }
    switch random.below(12) {
    case 0 where data.count >= 4:
      data.set(
        Float(random.pick(Extremes.numbers)).bitPattern, at: random.below(data.count / 4) * 4)
    case 1: data.removeLast(random.below(data.count))
    case 2: data += [0, 0, 0, 0]
    default: break
    }
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    var file = [UInt8](repeating: 0, count: 8)
    file.set(
      random.oneIn(40) ? UInt64(bitPattern: Int64(random.integer())) : UInt64(header.count), at: 0)
    return file + header + data
  }
}

/// Changes members of a zip archive: an `.npz`, or a `.keras`.
enum ZipMutation {
  /// Changes one member, by a function that gets its name and bytes, or which members there are.
  static func changed(
    _ bytes: [UInt8], random: inout Random,
    change: (String, [UInt8], inout Random) -> [UInt8]
  ) -> [UInt8] {
    guard var members = try? members(of: bytes), !members.isEmpty else { return bytes }
    let index = random.below(members.count)
    switch random.below(20) {
    case 0: members.remove(at: index)
    case 1: members[index].name = random.pick(["", "x", "../x", "config.json", "y.npy", "é"])
    case 2 where members.count > 1:
      let (bytes, next) = (members[index].bytes, (index + 1) % members.count)
      members[index].bytes = members[next].bytes
      members[next].bytes = bytes
    default:
      // The configuration is where most of the meaning is.
      let chosen = members.firstIndex { $0.name == "config.json" }
      let place = random.oneIn(3) ? index : chosen ?? index
      members[place].bytes = change(members[place].name, members[place].bytes, &random)
    }
    return (try? ZipWriter.bytes(of: members.map { ZipMember(name: $0.name, bytes: $0.bytes) }))
      ?? bytes
  }

  private static func members(of bytes: [UInt8]) throws -> [(name: String, bytes: [UInt8])] {
    let archive = try ZipArchive(bytes: bytes)
    return try archive.memberNames().compactMap { name in
      try archive.bytes(ofMember: name).map { (name, $0) }
    }
  }
}

/// Changes the header of an `.npy` file, or its elements.
enum NPYMutation {
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard bytes.count > 10, let size: UInt16 = bytes.number(at: 8), 10 + Int(size) <= bytes.count
    else { return bytes }
    var header = String(decoding: bytes[10..<10 + Int(size)], as: UTF8.self)
    var data = Array(bytes[(10 + Int(size))...])
    for _ in 0..<1 + random.below(2) {
      switch random.below(8) {
      case 0: changeType(&header, &random)
      case 1...3: changeShape(&header, &random)
      case 4: header.replace("False", with: random.pick(["True", "1", "None", ""]))
      case 5: data.removeLast(random.below(data.count))
      case 6: data += data.prefix(8)
      default:
        guard data.count >= 8 else { break }
        let offset = random.below(data.count / 4) * 4
        if random.oneIn(2) {
          data.set(Float(random.pick(Extremes.numbers)).bitPattern, at: offset)
        } else {
          data.set(UInt64(bitPattern: Int64(random.integer())), at: offset)
        }
      }
    }
    if random.oneIn(2) { fit(&data, to: header) }
    var text = Array(header.utf8)
    text += [UInt8](repeating: 0x20, count: (64 - (10 + text.count) % 64) % 64)
    var file = Array(bytes[..<10])
    file.set(UInt16(truncatingIfNeeded: random.oneIn(30) ? random.integer() : text.count), at: 8)
    return file + text + data
  }

  /// Makes as many bytes as a header asks for, if they are few.
  private static func fit(_ data: inout [UInt8], to header: String) {
    guard let shape = header.firstRange(of: /\([^)]*\)/),
      let type = header.firstMatch(of: /'[<>|=][a-zA-Z](\d{1,2})'/), let size = Int(type.1)
    else { return }
    let sizes = header[shape].split { !$0.isNumber && $0 != "-" }.compactMap { Int($0) }
    let count = sizes.reduce(size) { $1 < 0 || $0 > 1 << 18 ? .max : $0 &* min($1, 1 << 18) }
    guard count >= 0, count <= 1 << 18 else { return }
    let old = data
    data = (0..<count).map { old.isEmpty ? 0 : old[$0 % old.count] }
  }

  private static func changeType(_ header: inout String, _ random: inout Random) {
    guard let range = header.firstRange(of: /'[<>|=][a-zA-Z]\d+'/) else { return }
    let types = [
      "<f4", "<f8", "<f2", ">f4", "<i8", "<i4", "|i1", "|u1", "<u8", "|b1", "<c8", "|O", "<U3",
      "|S5",
      "<f16", "<f0", "<i99999999999999999999", "",
    ]
    header.replaceSubrange(range, with: "'\(random.pick(types))'")
  }

  private static func changeShape(_ header: inout String, _ random: inout Random) {
    guard let range = header.firstRange(of: /\([^)]*\)/) else { return }
    var sizes = header[range].split { !$0.isNumber }.compactMap { Int($0) }
    let axis = random.below(sizes.count)
    switch random.below(7) {
    case 0: sizes.append(1)
    case 1: sizes = sizes.reversed()
    case 2 where !sizes.isEmpty: sizes.remove(at: axis)
    case 3: sizes = []
    case 4: sizes += [Int](repeating: 1, count: 70)
    default: if !sizes.isEmpty { sizes[axis] = random.integer(near: sizes[axis]) }
    }
    header.replaceSubrange(
      range, with: "(" + sizes.map { "\($0)," }.joined(separator: " ") + ")")
  }
}

/// Changes a training checkpoint: its header or its numbers; its digest is right again.
enum CheckpointMutation {
  private static let magic = Array("lstmpack training\n".utf8)

  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    let start = magic.count
    guard let size: UInt64 = bytes.number(at: start), size < UInt64(bytes.count) else {
      return bytes
    }
    let end = start + 8 + Int(size)
    guard end + 32 <= bytes.count else { return bytes }
    var header = Array(bytes[start + 8..<end])
    var data = Array(bytes[end..<bytes.count - 32])
    if random.below(8) > 0 { header = JSONMutation.changed(header, random: &random) }
    switch random.below(12) {
    case 0:
      data.set(
        Float(random.pick(Extremes.numbers)).bitPattern, at: random.below(data.count / 4) * 4)
    case 1: data.removeLast(random.below(data.count))
    case 2: data += data.prefix(16)
    default: break
    }
    var length = [UInt8](repeating: 0, count: 8)
    length.set(UInt64(header.count), at: 0)
    let file = magic + length + header + data
    return file + SHA256.digest(of: file)
  }
}

/// Changes lines and cells of text: tables, vocabularies, texts to train on.
enum TextMutation {
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    if bytes.first == 0x7B || bytes.first == 0x5B {
      return JSONMutation.changed(bytes, random: &random)
    }
    var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
    for _ in 0..<1 + random.below(3) {
      let index = random.below(lines.count)
      switch random.below(7) {
      case 0: lines.remove(at: index)
      case 1: lines.insert(lines[index], at: random.below(lines.count))
      case 2: lines[index] = Array(random.pick(Extremes.texts).utf8)
      case 3: lines[index] += [0x2C] + Array("\(random.integer())".utf8)
      case 4: lines[index] = [0x22] + lines[index]
      default:
        var cells = lines[index].split(separator: 0x2C, omittingEmptySubsequences: false).map {
          Array($0)
        }
        cells[random.below(cells.count)] = Array(
          random.pick(
            Extremes.literals + ["\(random.integer())", "\(random.pick(Extremes.numbers))"]
          ).utf8)
        lines[index] = Array(cells.joined(separator: [0x2C]))
      }
      if lines.isEmpty { return [] }
    }
    return Array(lines.joined(separator: [0x0A]))
  }
}
