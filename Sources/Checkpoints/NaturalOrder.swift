/// A name that is compared with its numbers as numbers: `cell_10` comes after `cell_2`.
struct NaturalOrder: Comparable {
  private let key: String

  init(_ name: String) {
    var key = ""
    var digits = ""
    for character in name + " " {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      if !digits.isEmpty {
        key += String(repeating: "0", count: max(0, 12 - digits.count)) + digits
        digits = ""
      }
      key.append(character)
    }
    self.key = key
  }

  static func < (a: NaturalOrder, b: NaturalOrder) -> Bool { a.key < b.key }
}
