import Foundation
import OrderedJSON
import TestSupport
import Testing

/// The checker that other tests rely on.
@Suite struct JSONSchemaTests {
  private func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  private func schema(_ name: String) throws -> JSONSchema {
    let file = repositoryRoot.appending(path: "formats/\(name)/\(name).schema.json")
    return JSONSchema(try JSONValue.parse(Array(try Data(contentsOf: file))))
  }

  @Test(arguments: [
    (#"{"type": "integer", "minimum": 3}"#, "3", true), (#"{"type": "integer"}"#, "3.5", false),
    (#"{"minimum": 3}"#, "2", false), (#"{"exclusiveMinimum": 3}"#, "3", false),
    (#"{"maximum": 3}"#, "4", false), (#"{"type": ["number", "null"]}"#, "null", true),
    (#"{"enum": [1, "a", null]}"#, #""a""#, true), (#"{"enum": [1, "a"]}"#, #""b""#, false),
    (#"{"const": 2}"#, "2", true), (#"{"const": 2}"#, "3", false),
    (#"{"items": {"type": "string"}}"#, #"["a", "b"]"#, true),
    (#"{"items": {"type": "string"}}"#, #"["a", 3]"#, false),
    (#"{"minItems": 1, "maxItems": 1}"#, "[1]", true), (#"{"maxItems": 1}"#, "[1, 2]", false),
    (#"{"minItems": 1}"#, "[]", false), (#"{"required": ["a"]}"#, #"{"a": 1}"#, true),
    (#"{"required": ["a"]}"#, "{}", false),
    (#"{"properties": {"a": {"type": "null"}}}"#, #"{"a": 1}"#, false),
    (#"{"properties": {"a": {}}, "additionalProperties": false}"#, #"{"b": 1}"#, false),
    (#"{"dependentRequired": {"a": ["b"]}}"#, #"{"a": 1}"#, false),
    (#"{"not": {"type": "null"}}"#, "null", false),
    (#"{"anyOf": [{"type": "null"}, {"const": 1}]}"#, "1", true),
    (#"{"oneOf": [{"type": "integer"}, {"const": 1}]}"#, "1", false),
    (##"{"$ref": "#/$defs/x", "$defs": {"x": {"type": "null"}}}"##, "1", false),
    (#"{"pattern": "a"}"#, #""a""#, false),
  ])
  func everyKeywordIsChecked(schema: String, value: String, fits: Bool) throws {
    #expect(JSONSchema(try json(schema)).violations(of: try json(value)).isEmpty == fits)
  }

  @Test(arguments: [
    (#"{"version": 1, "rules": [{"layers": ["a"], "bits": 2}, {"keep": "why"}]}"#, true),
    (#"{"version": 1, "rules": [{"rank": 4, "bits": "ternary", "group": 8}]}"#, true),
    (#"{"version": 1, "rules": [{"round": 0.2, "clip": 0.4}]}"#, true),
    (#"{"version": 2, "rules": []}"#, false), (#"{"version": 1, "rules": [{"bit": 2}]}"#, false),
    (#"{"version": 1, "rules": [{"rank": 4, "energy": 0.5}]}"#, false),
    (#"{"version": 1, "rules": [{"bits": 2, "keep": "why"}]}"#, false),
    (#"{"version": 1, "rules": [{"clip": 2}]}"#, false),
  ])
  func thePlansOfTheFormatFit(plan: String, fits: Bool) throws {
    #expect(try schema("plan").violations(of: try json(plan)).isEmpty == fits)
  }
}
