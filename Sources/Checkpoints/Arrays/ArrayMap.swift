public import Diagnostics
import LSTMCore
import OrderedJSON

/// Where the weights of LSTMs are among the arrays of a file, as a person wrote it down.
///
/// `formats/arrays/README.md` describes the JSON and has examples.
public struct ArrayMap: Sendable {
  /// The layers in order.
  let layers: [Layer]

  /// A layer of the map.
  struct Layer: Sendable {
    let name: String
    /// Forward, backward, or both.
    let directions: [(direction: LSTMCore.Direction, blocks: Blocks)]
    let merge: MergeMode?
    let gateActivation: Activation
    let cellActivation: Activation
    let outputActivation: Activation
  }

  /// The weights of one direction.
  struct Blocks: Sendable {
    let inputWeights: PerGatePlaces
    let recurrentWeights: PerGatePlaces
    let bias: PerGatePlaces?
    let recurrentBias: PerGatePlaces?
    let peepholes: PerGatePlaces?
    let projection: Place?
    let addToForgetBias: Float
  }

  /// The gates of one kind of weight.
  enum PerGatePlaces: Sendable {
    /// One array with the gates one after the other, along its outputs.
    case joined(Place, order: [Gate])
    /// An array for each gate.
    case separate([Gate: Place])
  }

  /// An array, or a part of one.
  struct Place: Sendable {
    let array: String
    /// What its axes are; the usual ones when `nil`.
    let axes: ArrayAxes?
    /// The stretch of each axis that is used, as stored; all of it where `nil`.
    let slice: [Range<Int>?]
  }

  /// Reads a map.
  ///
  /// - Parameter bytes: JSON in UTF-8.
  /// - Throws: ``DiagnosticError`` with code `badArrayMap` that names the key which is missing,
  ///   unknown or of the wrong type.
  public init(json bytes: [UInt8]) throws(DiagnosticError) {
    let root: JSONValue
    do throws(DiagnosticError) { root = try JSONValue.parse(bytes) } catch {
      throw DiagnosticError(.badArrayMap, error.problem, hint: error.hint)
    }
    let map = try MapCursor(root, path: "").object(keys: ["layers"])
    var layers: [Layer] = []
    for layer in try map.required("layers").elements() { layers.append(try Self.layer(layer)) }
    guard !layers.isEmpty else { throw map.error("'layers' is empty") }
    self.layers = layers
  }

  private static func layer(_ cursor: MapCursor) throws(DiagnosticError) -> Layer {
    let layer = try cursor.object(keys: [
      "name", "forward", "backward", "merge", "gateActivation", "cellActivation",
      "outputActivation",
    ])
    var directions: [(direction: LSTMCore.Direction, blocks: Blocks)] = []
    for (key, direction) in [("forward", LSTMCore.Direction.forward), ("backward", .backward)] {
      if let blocks = layer.optional(key) {
        directions.append((direction, try self.blocks(blocks)))
      }
    }
    guard !directions.isEmpty else { throw layer.error("has neither 'forward' nor 'backward'") }
    let merge: MergeMode? = try layer.optional("merge")?.choice(MergeMode.allCases)
    guard merge == nil || directions.count == 2 else {
      throw layer.error("has 'merge' but one direction")
    }
    func activation(_ key: String, _ standard: Activation) throws(DiagnosticError) -> Activation {
      guard let value = layer.optional(key) else { return standard }
      guard let activation = KerasVersion("2").activation(named: try value.text()) else {
        throw value.error("is no activation that lstmpack knows")
      }
      return activation
    }
    return Layer(
      name: try layer.required("name").text(), directions: directions,
      merge: directions.count == 2 ? merge ?? .concatenate : nil,
      gateActivation: try activation("gateActivation", .sigmoid),
      cellActivation: try activation("cellActivation", .tanh),
      outputActivation: try activation("outputActivation", .tanh))
  }

  private static func blocks(_ cursor: MapCursor) throws(DiagnosticError) -> Blocks {
    let blocks = try cursor.object(keys: [
      "inputWeights", "recurrentWeights", "bias", "recurrentBias", "peepholes", "projection",
      "addToForgetBias",
    ])
    func places(_ key: String) throws(DiagnosticError) -> PerGatePlaces? {
      try blocks.optional(key).map { (value) throws(DiagnosticError) in
        try perGate(value, gates: key == "peepholes" ? [.input, .forget, .output] : Gate.allCases)
      }
    }
    return Blocks(
      inputWeights: try perGate(blocks.required("inputWeights"), gates: Gate.allCases),
      recurrentWeights: try perGate(blocks.required("recurrentWeights"), gates: Gate.allCases),
      bias: try places("bias"), recurrentBias: try places("recurrentBias"),
      peepholes: try places("peepholes"),
      projection: try blocks.optional("projection").map { (value) throws(DiagnosticError) in
        try place(value, otherKeys: [])
      },
      addToForgetBias: try blocks.optional("addToForgetBias")?.number() ?? 0)
  }

  private static func perGate(
    _ cursor: MapCursor, gates: [Gate]
  ) throws(DiagnosticError) -> PerGatePlaces {
    if cursor.has("array") {
      let place = try place(cursor, otherKeys: ["gates"])
      let order = try cursor.required("gates")
      let letters = try order.text().filter { $0 != " " && $0 != "," }.map { $0 }
      let found = letters.compactMap(gate)
      guard found.count == letters.count, Set(found) == Set(gates), found.count == gates.count
      else {
        throw order.error(
          "expected the letters \(gates.map(letter).joined(separator: " ")) in the order of the "
            + "array (c and j mean g)")
      }
      if let axes = place.axes, !axes.axes.contains(where: { $0.contains(.gate) }) {
        throw try cursor.required("axes").error(
          "expected the word gate, for the array holds all gates")
      }
      return .joined(place, order: found)
    }
    let object = try cursor.object(keys: gates.map(letter))
    var places: [Gate: Place] = [:]
    for gate in gates { places[gate] = try place(object.required(letter(gate)), otherKeys: []) }
    return .separate(places)
  }

  private static func place(
    _ cursor: MapCursor, otherKeys: [String]
  ) throws(DiagnosticError) -> Place {
    let place = try cursor.object(keys: ["array", "axes", "slice"] + otherKeys)
    var slice: [Range<Int>?] = []
    for part in try place.optional("slice")?.elements() ?? [] {
      slice.append(part.value == .null ? nil : try part.range())
    }
    return Place(
      array: try place.required("array").text(),
      axes: try place.optional("axes").map { (axes) throws(DiagnosticError) in
        guard let parsed = ArrayAxes(try axes.text()) else {
          throw axes.error(
            "expected the words gate, output, input and 1, each axis of the array one word or "
              + "several in parentheses, for example '(gate output) input'")
        }
        return parsed
      }, slice: slice)
  }

  static func letter(_ gate: Gate) -> String {
    switch gate {
    case .input: "i"
    case .forget: "f"
    case .cell: "g"
    case .output: "o"
    }
  }

  private static func gate(_ letter: Character) -> Gate? {
    switch letter {
    case "i": .input
    case "f": .forget
    case "g", "c", "j": .cell
    case "o": .output
    default: nil
    }
  }
}

extension DiagnosticError.Code {
  /// A map of arrays that does not say what it should.
  public static let badArrayMap = Self("checkpoint.badArrayMap", .usage)
}

/// A value of the map with the way to it, for errors.
private struct MapCursor {
  let value: JSONValue
  let path: String

  init(_ value: JSONValue, path: String) {
    self.value = value
    self.path = path
  }

  func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(
      .badArrayMap, object: path.isEmpty ? nil : path, problem,
      hint: "formats/arrays/README.md describes the map")
  }

  /// Checks that it is an object with no other keys.
  func object(keys: [String]) throws(DiagnosticError) -> MapCursor {
    guard let object = value.objectValue else { throw error("expected an object") }
    if let unknown = object.members.first(where: { !keys.contains($0.key) }) {
      throw error("has the unknown key '\(unknown.key)'; it takes \(keys.joined(separator: ", "))")
    }
    return self
  }

  func has(_ key: String) -> Bool { value[key] != nil }

  func optional(_ key: String) -> MapCursor? {
    value[key].map { MapCursor($0, path: path.isEmpty ? key : "\(path).\(key)") }
  }

  func required(_ key: String) throws(DiagnosticError) -> MapCursor {
    guard let found = optional(key) else { throw error("has no key '\(key)'") }
    return found
  }

  func elements() throws(DiagnosticError) -> [MapCursor] {
    guard let array = value.arrayValue else { throw error("expected a list") }
    return array.enumerated().map { MapCursor($1, path: "\(path)[\($0)]") }
  }

  func text() throws(DiagnosticError) -> String {
    guard let text = value.stringValue else { throw error("expected text") }
    return text
  }

  func number() throws(DiagnosticError) -> Float {
    guard let number = value.doubleValue, Float(number).isFinite else {
      throw error("expected a number")
    }
    return Float(number)
  }

  func choice<Choice: RawRepresentable<String>>(
    _ choices: [Choice]
  ) throws(DiagnosticError) -> Choice {
    let name = try text()
    guard let choice = choices.first(where: { $0.rawValue == name }) else {
      throw error("expected one of \(choices.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  func range() throws(DiagnosticError) -> Range<Int> {
    let bounds = value.arrayValue?.compactMap(\.intValue) ?? []
    guard bounds.count == 2, 0 <= bounds[0], bounds[0] < bounds[1] else {
      throw error("expected [first, end], counted from 0, the end not included")
    }
    return bounds[0]..<bounds[1]
  }
}
