import FuzzSupport
import HDF5
import LSTMPackKit

/// An HDF5 file taken apart: groups, datasets of floating-point numbers, attributes of text.
struct HDF5Parts {
  enum Text {
    case one(String)
    case list([String])
  }

  var groups: [String] = []
  var datasets: [(path: String, shape: [Int], values: [Float])] = []
  var attributes: [(object: String, name: String, text: Text)] = []

  /// The attributes that Keras writes.
  private static let names = [
    "model_config", "training_config", "keras_version", "backend", "layer_names", "weight_names",
    "name",
  ]

  /// Takes a file apart; what is not of these kinds is left out.
  init(_ bytes: [UInt8]) throws {
    let file = try HDF5File(bytes: bytes)
    try add("/", of: file)
  }

  private mutating func add(_ group: String, of file: HDF5File) throws {
    for name in Self.names {
      if let text = try? file.string(ofAttribute: name, at: group), name.hasSuffix("names") == false
      {
        attributes.append((group, name, .one(text)))
      } else if let texts = try? file.strings(ofAttribute: name, at: group) {
        attributes.append((group, name, .list(texts)))
      }
    }
    for member in try file.members(of: group) {
      let path = HDF5File.join(group, member.name)
      if member.kind == .group {
        groups.append(path)
        try add(path, of: file)
      } else if let info = try? file.info(ofDataset: path),
        let values = try? file.floats(ofDataset: path)
      {
        datasets.append((path, info.shape, values))
      }
    }
  }

  /// The file; nil when libhdf5 does not want to write it.
  var bytes: [UInt8]? {
    var file = HDF5NewFile()
    var made: Set<String> = []
    for group in groups where made.insert(group).inserted {
      let isInside =
        datasets.contains { $0.path.hasPrefix(group + "/") }
        || groups.contains { $0 != group && $0.hasPrefix(group + "/") }
      if !isInside { file.addGroup(group) }
    }
    for dataset in datasets where dataset.values.count == dataset.shape.reduce(1, &*) {
      file.addDataset(dataset.path, shape: dataset.shape, dataset.values)
    }
    for attribute in attributes {
      switch attribute.text {
      case .one(let text): file.setAttribute(attribute.name, of: attribute.object, to: text)
      case .list(let texts): file.setAttribute(attribute.name, of: attribute.object, to: texts)
      }
    }
    return try? file.bytes()
  }
}

/// Changes what an HDF5 file of Keras or PyTorch says.
struct HDF5Mutation {
  /// The file with some changes; nil when it cannot be written.
  static func changed(_ original: HDF5Parts, random: inout Random) -> [UInt8]? {
    var parts = original
    let count = 1 + min(random.below(3), random.below(3))
    var patches = 0
    for _ in 0..<count {
      switch random.below(10) {
      case 0..<5 where !parts.attributes.isEmpty: changeAttribute(of: &parts, &random)
      case 5, 6: changeShape(of: &parts, &random)
      case 7: changeValues(of: &parts, &random)
      case 8: changeDatasets(of: &parts, &random)
      default: patches += 1
      }
    }
    guard var bytes = parts.bytes else { return nil }
    for _ in 0..<patches {
      if random.oneIn(2) {
        changeType(in: &bytes, &random)
      } else {
        changeDimensions(in: &bytes, &random)
      }
    }
    return bytes
  }

  private static func changeAttribute(of parts: inout HDF5Parts, _ random: inout Random) {
    let configurations = parts.attributes.indices.filter {
      parts.attributes[$0].name.hasSuffix("config")
    }
    let index =
      configurations.isEmpty || random.oneIn(4)
      ? random.below(parts.attributes.count) : random.pick(configurations)
    switch parts.attributes[index].text {
    case _ where random.oneIn(30): parts.attributes.remove(at: index)
    case .one(let text):
      let isJSON = text.hasPrefix("{") || text.hasPrefix("[")
      parts.attributes[index].text = .one(
        isJSON
          ? String(decoding: JSONMutation.changed(Array(text.utf8), random: &random), as: UTF8.self)
          : random.pick(Extremes.texts + ["1.2.2", "2.15.0", "3.5.0", "999999999999999999999.0"]))
    case .list(var texts):
      let other = random.below(texts.count)
      switch random.below(6) {
      case 0: texts = []
      case _ where texts.isEmpty: texts = [random.pick(Extremes.texts)]
      case 1: texts.remove(at: other)
      case 2: texts.append(texts[other])
      case 3: texts.swapAt(0, other)
      case 4: texts[other] = random.pick(parts.datasets.map(\.path) + ["/"])
      default: texts[other] = random.pick(Extremes.texts)
      }
      parts.attributes[index].text = .list(texts)
    }
  }

  private static func changeShape(of parts: inout HDF5Parts, _ random: inout Random) {
    guard let index = parts.datasets.indices.randomElement(using: &random) else { return }
    var shape = parts.datasets[index].shape
    let axis = random.below(shape.count)
    switch random.below(8) {
    case 0: shape = shape.reversed()
    case 1: shape = [shape.reduce(1, *)]
    case 2: shape.insert(1, at: random.below(shape.count + 1))
    case 3: shape += [Int](repeating: 1, count: random.pick([1, 3, 20]))
    case 4 where !shape.isEmpty: shape[axis] = 0
    case 5 where !shape.isEmpty: shape[axis] = random.pick([1, 2, 3, 4, 5, 7, 8, 255])
    case 6 where !shape.isEmpty: shape.remove(at: axis)
    default: shape = random.pick(parts.datasets).shape
    }
    guard shape.count <= 32, shape.allSatisfy({ $0 < 1 << 20 }) else { return }
    let count = shape.reduce(1, *)
    guard count < 1 << 18 else { return }
    let old = parts.datasets[index].values
    parts.datasets[index].shape = shape
    parts.datasets[index].values = (0..<count).map { old.isEmpty ? 0.25 : old[$0 % old.count] }
  }

  private static func changeValues(of parts: inout HDF5Parts, _ random: inout Random) {
    guard let index = parts.datasets.indices.randomElement(using: &random),
      !parts.datasets[index].values.isEmpty
    else { return }
    let number = Float(random.pick(Extremes.numbers))
    if random.oneIn(4) {
      parts.datasets[index].values = parts.datasets[index].values.map { _ in number }
    } else {
      parts.datasets[index].values[random.below(parts.datasets[index].values.count)] = number
    }
  }

  private static func changeDatasets(of parts: inout HDF5Parts, _ random: inout Random) {
    guard let index = parts.datasets.indices.randomElement(using: &random) else { return }
    let dataset = parts.datasets[index]
    let other = random.below(parts.datasets.count)
    switch random.below(5) {
    case 0, 1: parts.datasets.remove(at: index)
    case 2:
      parts.datasets[index].path = parts.datasets[other].path
      parts.datasets[other].path = dataset.path
    case 3: parts.datasets.append((dataset.path + "_1", dataset.shape, dataset.values))
    default:
      parts.datasets[index].path = HDF5File.join(
        random.pick(parts.groups + ["/"]), random.pick(["0", "1", "kernel:0", "bias:0", "x"]))
    }
  }

  /// The datatype message of little-endian binary32, and those of other types; of equal length, because
  /// they are written over each other.
  private static let binary32: [UInt8] = [
    0x11, 0x20, 0x1F, 0, 4, 0, 0, 0, 0, 0, 0x20, 0, 0x17, 8, 0, 0x17, 0x7F, 0, 0, 0,
  ]
  private static let otherTypes: [[UInt8]] = [
    // float16, bfloat16, float64, big-endian float32
    [0x11, 0x20, 0x0F, 0, 2, 0, 0, 0, 0, 0, 0x10, 0, 0x0A, 5, 0, 0x0A, 0x0F, 0, 0, 0],
    [0x11, 0x20, 0x0F, 0, 2, 0, 0, 0, 0, 0, 0x10, 0, 7, 8, 0, 7, 0x7F, 0, 0, 0],
    [0x11, 0x20, 0x3F, 0, 8, 0, 0, 0, 0, 0, 0x40, 0, 0x34, 0x0B, 0, 0x34, 0xFF, 3, 0, 0],
    [0x11, 0x21, 0x1F, 0, 4, 0, 0, 0, 0, 0, 0x20, 0, 0x17, 8, 0, 0x17, 0x7F, 0, 0, 0],
    // int8, int32, uint8, int64, a string, an enormous integer
    [0x10, 8, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x10, 8, 0, 0, 4, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x10, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x10, 8, 0, 0, 8, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x13, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0x10, 8, 0, 0, 0, 0, 0, 0x40, 0, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ]

  private static func changeType(in bytes: inout [UInt8], _ random: inout Random) {
    let places = occurrences(of: binary32, in: bytes)
    guard let place = places.randomElement(using: &random) else { return }
    bytes.replaceSubrange(place..<place + binary32.count, with: random.pick(otherTypes))
  }

  /// Overwrites a size in the dataspace of a dataset, whose data stay as they are.
  private static func changeDimensions(in bytes: inout [UInt8], _ random: inout Random) {
    var places: [Int] = []
    for rank in 1...3 {
      for place in occurrences(of: [1, UInt8(rank), 0, 0, 0, 0, 0, 0], in: bytes) {
        places += (1...rank).map { place + $0 * 8 }.filter { offset in
          // Sizes of datasets that are as small as those of seeds.
          offset + 8 <= bytes.count && bytes[offset + 3..<offset + 8].allSatisfy { $0 == 0 }
        }
      }
    }
    guard let place = places.randomElement(using: &random) else { return }
    bytes.set(
      UInt64(bitPattern: Int64(random.integer(near: Int(bytes[place])))), at: place)
  }

  private static func occurrences(of pattern: [UInt8], in bytes: [UInt8]) -> [Int] {
    guard bytes.count >= pattern.count else { return [] }
    return (0...bytes.count - pattern.count).filter { start in
      bytes[start] == pattern[0] && bytes[start..<start + pattern.count].elementsEqual(pattern)
    }
  }
}
