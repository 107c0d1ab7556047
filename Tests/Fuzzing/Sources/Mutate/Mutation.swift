import FuzzSupport

/// A file to start from.
struct Original {
  let name: String
  let bytes: [UInt8]
  /// Where blocks of 64 bytes begin that look like structure or text rather than like weights.
  let structure: [Int]

  init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
    structure = stride(from: 0, to: bytes.count, by: 64).filter { start in
      let block = bytes[start..<min(start + 64, bytes.count)]
      let zeros = block.count { $0 == 0 }
      let letters = block.count { (0x20..<0x7F).contains($0) }
      // All zeros are free space, more likely than not.
      return zeros < block.count && (zeros * 2 > block.count || letters * 4 > block.count * 3)
    }
  }
}

/// A changed file, and what was done to it.
struct Mutation {
  private(set) var bytes: [UInt8]
  private(set) var about: String
  private var random: Random

  /// Makes the mutation of an index, always the same.
  init(of originals: [Original], format: String, seed: UInt64, index: Int) {
    random = Random(seed: seed, index: index)
    let original = originals[random.below(originals.count)]
    bytes = original.bytes
    about = original.name
    // What checksums protect is reached only by files whose checksums are right.
    let seals = random.below(4) > 0
    if seals, format == "bvq", var parts = BVQParts(bytes) {
      changePart(of: &parts, originals: originals)
    } else if seals, let member = StoredMember.all(in: bytes).randomElement(using: &random) {
      changeMember(member)
    } else {
      change(original, originals: originals)
    }
  }

  private mutating func change(_ original: Original, originals: [Original]) {
    switch random.below(8) {
    case 0: truncate()
    case 1, 2: splice(from: originals[random.below(originals.count)])
    case 3, 4:
      flipBits(in: original.structure)
      overwriteNumber(in: original.structure)
    case 5: overwriteNumber(in: original.structure)
    default: flipBits(in: original.structure)
    }
  }

  private mutating func changePart(of parts: inout BVQParts, originals: [Original]) {
    let all = BVQParts.Part.allCases
    let part = all[random.below(all.count)]
    bytes = parts[part]
    about += ", \(part), resealed"
    change(Original(name: "", bytes: bytes), originals: originals)
    parts[part] = bytes
    bytes = parts.assembled(keepingHeader: part == .header)
  }

  private mutating func changeMember(_ member: StoredMember) {
    let archive = bytes
    bytes = Array(archive[member.range])
    about += ", member at \(member.range.lowerBound), resealed"
    let structure = Original(name: "", bytes: bytes).structure
    if random.below(2) == 0 { flipBits(in: structure) } else { overwriteNumber(in: structure) }
    let content = bytes
    bytes = archive
    bytes.replaceSubrange(member.range, with: content)
    member.seal(&bytes)
  }

  /// Anywhere, or in what looks like structure.
  private mutating func place(in structure: [Int]) -> Int {
    guard !structure.isEmpty, random.below(4) > 0 else { return random.below(bytes.count) }
    return min(structure[random.below(structure.count)] + random.below(64), bytes.count - 1)
  }

  private mutating func flipBits(in structure: [Int]) {
    guard !bytes.isEmpty else { return }
    let count = 1 << random.below(7)
    about += ", \(count) bits at"
    for index in 0..<count {
      let offset = place(in: structure)
      bytes[offset] ^= 1 << UInt8(random.below(8))
      if index < 4 { about += " \(offset)" }
    }
  }

  private mutating func truncate() {
    bytes.removeLast(bytes.count - random.below(bytes.count))
    about += ", cut to \(bytes.count)"
  }

  private mutating func splice(from other: Original) {
    guard !other.bytes.isEmpty else { return }
    let start = other.structure.randomElement(using: &random) ?? random.below(other.bytes.count)
    let longest = min(1 << (3 + random.below(12)), other.bytes.count - start)
    let section = other.bytes[start..<start + 1 + random.below(longest)]
    let offset = random.below(bytes.count)
    let overwrites = random.below(2) == 0
    let end = overwrites ? min(offset + section.count, bytes.count) : offset
    bytes.replaceSubrange(offset..<end, with: section)
    about += ", \(section.count) bytes of \(other.name) from \(start)"
    about += " \(overwrites ? "over" : "into") \(offset)"
  }

  private mutating func overwriteNumber(in structure: [Int]) {
    guard !bytes.isEmpty else { return }
    let offset = place(in: structure)
    let size = min(1 << random.below(4), bytes.count - offset)
    let kind = random.below(4)
    for index in offset..<offset + size {
      switch kind {
      case 0: bytes[index] = 0
      case 1: bytes[index] = 0xFF
      // The largest number with a sign.
      case 2: bytes[index] = index == offset + size - 1 ? 0x7F : 0xFF
      default: bytes[index] = UInt8(random.below(256))
      }
    }
    about += ", \(size) bytes at \(offset)"
  }
}
