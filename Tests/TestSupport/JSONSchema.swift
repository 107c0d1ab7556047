public import OrderedJSON

/// Checks values against a JSON schema, as far as the schemas of this project go.
///
/// A keyword that is not known here is a violation, too, so that no rule is passed over.
public struct JSONSchema {
  private let root: JSONValue

  /// Takes a schema.
  public init(_ root: JSONValue) { self.root = root }

  /// What is wrong with a value; empty when it fits.
  public func violations(of value: JSONValue) -> [String] { check(value, root, "$") }

  private func check(_ value: JSONValue, _ schema: JSONValue, _ path: String) -> [String] {
    guard let rules = schema.objectValue else { return ["\(path): the schema is no object"] }
    return rules.members.flatMap { rule in
      check(value, keyword: rule.key, rule.value, rules, path)
    }
  }

  private func check(
    _ value: JSONValue, keyword: String, _ rule: JSONValue, _ rules: JSONObject, _ path: String
  ) -> [String] {
    func fail(_ isWrong: Bool) -> [String] {
      isWrong ? ["\(path): \(keyword) \(rule.serialized()) is not met"] : []
    }
    let list = value.arrayValue
    let object = value.objectValue
    switch keyword {
    case "$schema", "title", "$defs": return []
    case "$ref": return check(value, resolved(rule), path)
    case "type":
      let names = rule.arrayValue?.compactMap(\.stringValue) ?? [rule.stringValue ?? ""]
      return fail(!names.contains { isOfType(value, $0) })
    case "const": return fail(value != rule)
    case "enum": return fail(!(rule.arrayValue ?? []).contains(value))
    case "minimum": return fail(number(value).map { $0 < number(rule) ?? .nan } ?? false)
    case "maximum": return fail(number(value).map { $0 > number(rule) ?? .nan } ?? false)
    case "exclusiveMinimum": return fail(number(value).map { $0 <= number(rule) ?? .nan } ?? false)
    case "minItems": return fail(list.map { $0.count < rule.intValue ?? 0 } ?? false)
    case "maxItems": return fail(list.map { $0.count > rule.intValue ?? 0 } ?? false)
    case "items":
      return (list ?? []).enumerated().flatMap { check($1, rule, "\(path)[\($0)]") }
    case "required":
      let missing = (rule.arrayValue ?? []).compactMap(\.stringValue)
        .filter { name in object.map { $0[name] == nil } ?? false }
      return missing.map { "\(path): lacks '\($0)'" }
    case "properties":
      return (object?.members ?? []).flatMap { member in
        rule[member.key].map { check(member.value, $0, "\(path).\(member.key)") } ?? []
      }
    case "additionalProperties":
      let known = rules["properties"]?.objectValue
      let unknown = (object?.members ?? []).filter { known?[$0.key] == nil }
      return rule == false ? unknown.map { "\(path): does not know '\($0.key)'" } : []
    case "dependentRequired":
      return (rule.objectValue?.members ?? []).flatMap { member -> [String] in
        guard let object, object[member.key] != nil else { return [] }
        let missing = (member.value.arrayValue ?? []).compactMap(\.stringValue)
          .filter { object[$0] == nil }
        return missing.map { "\(path): '\(member.key)' needs '\($0)'" }
      }
    case "not": return fail(check(value, rule, path).isEmpty)
    case "anyOf", "oneOf":
      let fitting = (rule.arrayValue ?? []).count { check(value, $0, path).isEmpty }
      return fail(keyword == "oneOf" ? fitting != 1 : fitting == 0)
    default: return ["\(path): the schema's keyword '\(keyword)' is not known here"]
    }
  }

  private func resolved(_ reference: JSONValue) -> JSONValue {
    let parts = (reference.stringValue ?? "").split(separator: "/").dropFirst()
    return parts.reduce(root) { $0[String($1)] ?? false }
  }

  private func number(_ value: JSONValue) -> Double? { value.doubleValue }

  private func isOfType(_ value: JSONValue, _ name: String) -> Bool {
    switch name {
    case "object": value.objectValue != nil
    case "array": value.arrayValue != nil
    case "string": value.stringValue != nil
    case "boolean": value.boolValue != nil
    case "integer": value.intValue != nil
    case "number": value.doubleValue != nil
    case "null": value == .null
    default: false
    }
  }
}
