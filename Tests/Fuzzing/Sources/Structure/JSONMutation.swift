import FuzzSupport
import LSTMPackKit

/// Changes what JSON says: values, types, members, elements, nesting.
struct JSONMutation {
  private enum Step {
    case key(String)
    case index(Int)
  }

  /// What stands before a literal that is written without quotes.
  private static let mark = "@literal:"

  private(set) var value: JSONValue
  private var random: Random

  init(_ value: JSONValue, random: Random) {
    self.value = value
    self.random = random
  }

  /// Text with some changes; the text itself when it is not JSON.
  static func changed(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard let value = try? JSONValue.parse(bytes) else { return bytes }
    var mutation = JSONMutation(value, random: random)
    let count = 1 + min(random.below(4), random.below(4))
    for _ in 0..<count { mutation.change() }
    _ = random.next()
    return mutation.text
  }

  /// The text, with literals as they are.
  private var text: [UInt8] {
    let serialized = value.serialized()
    guard serialized.contains(Self.mark) else { return Array(serialized.utf8) }
    var text = ""
    for (index, part) in serialized.split(
      separator: "\"" + Self.mark, omittingEmptySubsequences: false
    ).enumerated() {
      guard index > 0, let end = part.firstIndex(of: "\"") else {
        text += part
        continue
      }
      text += part[..<end] + part[part.index(after: end)...]
    }
    return Array(text.utf8)
  }

  private mutating func change() {
    var paths: [[Step]] = []
    var leaves: [[Step]] = []
    Self.collect(value, [], &paths, &leaves)
    let numbers = leaves.filter { path in
      switch Self.element(of: value, at: path) {
      case .integer, .number: true
      default: false
      }
    }
    // Numbers are what arithmetic is done with.
    let path =
      switch random.below(8) {
      case 0...2 where !numbers.isEmpty: random.pick(numbers)
      case 3...5 where !leaves.isEmpty: random.pick(leaves)
      default: random.pick(paths)
      }
    let donor = Self.element(of: value, at: random.pick(paths)) ?? .null
    var random = random
    Self.edit(&value, at: path[...]) { Self.mutate(&$0, donor: donor, random: &random) }
    self.random = random
  }

  private static func collect(
    _ value: JSONValue, _ path: [Step], _ paths: inout [[Step]], _ leaves: inout [[Step]]
  ) {
    guard paths.count < 20_000 else { return }
    paths.append(path)
    switch value {
    case .array(let elements):
      for (index, element) in elements.enumerated() {
        collect(element, path + [.index(index)], &paths, &leaves)
      }
    case .object(let object):
      for member in object.members where !isIdle(member.key) {
        collect(member.value, path + [.key(member.key)], &paths, &leaves)
      }
    default: leaves.append(path)
    }
  }

  /// Whether what stands under a key of Keras matters to nothing that is done with a trained model.
  private static func isIdle(_ key: String) -> Bool {
    ["_initializer", "_regularizer", "_constraint", "optimizer", "registered_name", "build_config"]
      .contains { key.hasSuffix($0) }
  }

  private static func element(of value: JSONValue, at path: [Step]) -> JSONValue? {
    path.reduce(value) { value, step in
      switch step {
      case .key(let key): value?[key]
      case .index(let index): value?.arrayValue?[index]
      }
    }
  }

  private static func edit(
    _ value: inout JSONValue, at path: ArraySlice<Step>, _ body: (inout JSONValue) -> Void
  ) {
    guard let step = path.first else { return body(&value) }
    switch (step, value) {
    case (.key(let key), .object(var object)):
      guard var member = object[key] else { return }
      edit(&member, at: path.dropFirst(), body)
      object[key] = member
      value = .object(object)
    case (.index(let index), .array(var elements)):
      edit(&elements[index], at: path.dropFirst(), body)
      value = .array(elements)
    default: break
    }
  }

  private static func mutate(_ value: inout JSONValue, donor: JSONValue, random: inout Random) {
    switch value {
    case _ where random.oneIn(8): value = donor
    case _ where random.oneIn(12): value = .array([value])
    case _ where random.oneIn(16): value = literal(&random)
    case .integer(let number):
      value =
        random.oneIn(6)
        ? .number(random.pick(Extremes.numbers)) : .integer(random.integer(near: number))
    case .number:
      value = random.oneIn(3) ? .integer(random.integer()) : .number(random.pick(Extremes.numbers))
    case .string(let text): value = changed(text, &random)
    case .bool(let isTrue): value = random.oneIn(3) ? .integer(random.integer()) : .bool(!isTrue)
    case .null:
      value = random.oneIn(2) ? .integer(random.integer()) : [1, .integer(random.integer())]
    case .array(let elements): value = .array(changed(elements, donor: donor, &random))
    case .object(let object): value = .object(changed(object, donor: donor, &random))
    }
  }

  private static func literal(_ random: inout Random) -> JSONValue {
    .string(mark + random.pick(Extremes.literals))
  }

  private static func changed(_ text: String, _ random: inout Random) -> JSONValue {
    // JSON stands in strings, too.
    if text.first == "{" || text.first == "[", random.below(8) > 0 {
      return .string(String(decoding: changed(Array(text.utf8), random: &random), as: UTF8.self))
    }
    switch random.below(5) {
    case 0: return .integer(random.integer())
    case 1: return .string(text + "_1")
    case 2: return .string(String(text.prefix(random.below(text.count))))
    default: return .string(random.pick(Extremes.texts))
    }
  }

  private static func changed(
    _ elements: [JSONValue], donor: JSONValue, _ random: inout Random
  ) -> [JSONValue] {
    var elements = elements
    guard let index = elements.indices.randomElement(using: &random) else { return [donor] }
    switch random.below(8) {
    case 0: return []
    case 1: elements.remove(at: index)
    case 2: elements.insert(elements[index], at: random.below(elements.count + 1))
    case 3: elements.swapAt(index, random.below(elements.count))
    case 4:
      elements.append(
        contentsOf: [JSONValue](repeating: elements[index], count: random.pick([2, 16, 300])))
    case 5: elements[index] = donor
    case 6: elements[index] = literal(&random)
    default: elements[index] = .integer(random.integer(near: elements[index].intValue))
    }
    return elements
  }

  private static func changed(
    _ object: JSONObject, donor: JSONValue, _ random: inout Random
  ) -> JSONObject {
    var object = object
    guard let member = object.members.randomElement(using: &random) else { return ["x": donor] }
    let other = random.pick(object.members)
    switch random.below(7) {
    case 0, 1: object[member.key] = nil
    case 2: object[member.key] = other.value
    case 3:
      object[member.key] = other.value
      object[other.key] = member.value
    case 4: object[random.pick(Extremes.texts)] = member.value
    case 5: object[member.key] = .object(object)
    default: object[member.key] = random.oneIn(2) ? .null : donor
    }
    return object
  }
}
