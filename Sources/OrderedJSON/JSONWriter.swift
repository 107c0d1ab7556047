extension JSONValue {
  /// The value as JSON text.
  ///
  /// Keys keep their order, numbers are the shortest text that reads back equal, characters beyond
  /// ASCII stand as they are. So equal values give equal text. Numbers that are not finite, which
  /// JSON does not have, become `null`.
  ///
  /// - Parameter pretty: Whether to indent by two spaces; otherwise there is no space at all.
  /// - Returns: The text, without a final newline.
  public func serialized(pretty: Bool = false) -> String {
    var text = ""
    write(to: &text, indent: pretty ? "" : nil)
    return text
  }

  private func write(to text: inout String, indent: String?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += "\(value)"
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.writeString(value, to: &text)
    case .array(let elements):
      // Arrays of plain values stay on one line: matrices of numbers would fill pages.
      let isPlain = elements.allSatisfy { $0.arrayValue == nil && $0.objectValue == nil }
      Self.writeList("[", elements, "]", to: &text, indent: isPlain ? nil : indent) {
        $0.write(to: &$1, indent: $2)
      }
    case .object(let object):
      Self.writeList("{", object.members, "}", to: &text, indent: indent) {
        Self.writeString($0.key, to: &$1)
        $1 += $2 == nil ? ":" : ": "
        $0.value.write(to: &$1, indent: $2)
      }
    }
  }

  private static func writeList<Element>(
    _ open: String, _ elements: [Element], _ close: String, to text: inout String,
    indent: String?, write: (Element, inout String, String?) -> Void
  ) {
    text += open
    let inner = indent.map { $0 + "  " }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + inner }
      write(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + indent }
    text += close
  }

  private static func writeString(_ value: String, to text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case ..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
