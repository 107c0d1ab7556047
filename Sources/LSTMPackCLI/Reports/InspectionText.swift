import LSTMPackKit

/// What `inspect` says of a model.
struct InspectionText {
  let file: ModelFile
  let source: ByteSource

  private var model: Model { file.model }

  /// The report for people.
  var text: String {
    let origin = model.source
    var lines = [
      "\(source.name): \(NumberText.bytes(source.count)), \(origin.writer) (\(origin.format))"
    ]
    for step in file.steps {
      lines.append("made by: \(stepText(step))")
    }
    var table = TextTable([
      ("layer", .left), ("class", .left), ("shape", .left), ("weights", .right),
      ("bytes", .right), ("bits/weight", .right), ("compressible", .note),
    ])
    for row in rows {
      table.add([
        row.name, row.sourceClass, row.shape, row.weightCount == 0 ? "-" : "\(row.weightCount)",
        row.byteCount == 0 ? "-" : NumberText.bytes(row.byteCount),
        row.bitsPerWeight.map { NumberText.fixed($0, 2) } ?? "-",
        row.reason.map { "no: \($0)" } ?? (row.weightCount == 0 ? "-" : "yes"),
      ])
    }
    lines += ["", table.text, ""]
    lines += model.layers.compactMap(cellText)
    lines.append(summary)
    lines.append(
      model.obstacleToRunning.map { "It cannot be run whole: \($0)." }
        ?? "It can be run: \(inputsAndOutputs).")
    return lines.joined(separator: "\n")
  }

  private var summary: String {
    let nodes = model.layers.count { if case .lstm = $0.kind { true } else { false } }
    var text = "\(nodes) LSTM layer\(nodes == 1 ? "" : "s")"
    if nodes != model.lstmWeights.count {
      text +=
        " sharing \(model.lstmWeights.count) set\(model.lstmWeights.count == 1 ? "" : "s") "
        + "of weights"
    }
    let lstm = zip(model.matrices, model.storedByteCounts).reduce(0) { sum, item in
      sum + (item.0.path.isLSTM ? item.1 : 0)
    }
    return text + ", \(NumberText.bytes(lstm)) of LSTM matrices."
  }

  private var inputsAndOutputs: String {
    let axes = GraphAxes(model)
    let inputs = (model.graph?.inputs ?? []).map { "\($0.name) \(axes.shapeText(of: $0.name))" }
    let outputs = (model.graph?.outputs ?? []).map { "\($0.name) \(axes.shapeText(of: $0.value))" }
    return "\(inputs.joined(separator: ", ")) in, \(outputs.joined(separator: ", ")) out"
  }

  private func stepText(_ step: JSONValue) -> String {
    guard let members = step.objectValue?.members else { return "?" }
    return members.map { member in
      let value = member.value.stringValue ?? member.value.serialized()
      return member.key == "command" ? value : "--\(member.key) \(value)"
    }.joined(separator: " ")
  }

  /// A line on the cell of an LSTM layer.
  private func cellText(_ layer: Layer) -> String? {
    guard case .lstm(let lstm) = layer.kind else { return nil }
    let weights = model.lstmWeights[lstm.weights]
    var parts = ["gates in the source: \(lstm.sourceGateOrder)"]
    for settings in lstm.directions {
      parts.append(
        "\(settings.direction.rawValue): gates \(settings.gateActivation), "
          + "cell \(settings.cellActivation), output \(settings.outputActivation)"
          + (settings.keepsComputedOrder ? ", outputs in computed order" : ""))
    }
    if let merge = lstm.merge { parts.append("merge \(merge.rawValue)") }
    if let clip = lstm.clip { parts.append("clip \(clip)") }
    if lstm.couplesInputAndForget { parts.append("f = 1 - i") }
    if weights.directions.contains(where: { $0.peepholes != nil }) { parts.append("peepholes") }
    if weights.directions.contains(where: { $0.bias == nil }) { parts.append("no bias") }
    if weights.directions.contains(where: { $0.recurrentBias != nil }) {
      parts.append("two biases")
    }
    let sharers = model.layers(usingWeights: lstm.weights)
    if sharers.count > 1 {
      parts.append(
        "weights shared by \(sharers.map(\.name).joined(separator: ", "))")
    }
    return "\(layer.name): \(parts.joined(separator: "; "))"
  }

  private struct Row {
    var name: String
    var sourceClass: String
    var shape: String
    var weightCount: Int
    var byteCount: Int
    var bitsPerWeight: Double?
    var reason: String?
    var isShared = false
  }

  private var rows: [Row] {
    let matrices = Dictionary(
      grouping: zip(model.matrices, model.storedByteCounts), by: \.0.path.layer)
    return model.layers.map { layer in
      let own = matrices[layer.name] ?? []
      let count = own.reduce(0) { $0 + $1.0.matrix.rows * $1.0.matrix.columns }
      let bytes = own.reduce(0) { $0 + $1.1 }
      var row = Row(
        name: layer.name, sourceClass: layer.sourceClass, shape: "", weightCount: count,
        byteCount: bytes, bitsPerWeight: count == 0 ? nil : Double(bytes * 8) / Double(count))
      switch layer.kind {
      case .lstm(let lstm):
        let weights = model.lstmWeights[lstm.weights]
        let projected =
          weights.outputSize == weights.hiddenSize ? "" : " → \(weights.outputSize)"
        let sides = weights.directions.count == 2 ? " ×2" : ""
        row.shape = "\(weights.inputSize) → \(weights.hiddenSize)\(projected)\(sides)"
        if own.isEmpty {
          row.reason = nil
          row.isShared = true
          row.shape += " (weights of \(model.layers(usingWeights: lstm.weights)[0].name))"
        }
      case .embedding(let embedding):
        row.shape = "\(embedding.weights.rows) tokens × \(embedding.weights.columns)"
      case .dense(let dense):
        row.shape = "\(dense.weights.columns) → \(dense.weights.rows)"
      case .opaque(let opaque):
        row.shape =
          opaque.tensors.prefix(2).map {
            $0.shape.map(String.init).joined(separator: "×")
          }.joined(separator: ", ") + (opaque.tensors.count > 2 ? ", …" : "")
        row.weightCount = opaque.tensors.reduce(0) { $0 + $1.shape.reduce(1, *) }
        row.byteCount = opaque.tensors.reduce(0) { $0 + $1.bytes.count }
        row.reason =
          opaque.reason ?? (row.weightCount > 0 ? "not an LSTM, embedding or dense layer" : nil)
      }
      return row
    }
  }

  /// The report for programs.
  var json: JSONValue {
    let rows = rows
    let layers: [JSONValue] = model.layers.indices.map { index in
      let layer = model.layers[index]
      let row = rows[index]
      var object: JSONObject = [
        "name": .string(layer.name), "class": .string(layer.sourceClass),
        "kind": .string(kindName(layer.kind)), "weights": .integer(row.weightCount),
        "bytes": .integer(row.byteCount),
        "compressible": .bool(row.reason == nil && (row.weightCount > 0 || row.isShared)),
      ]
      object["reason"] = row.reason.map { .string($0) }
      if case .lstm(let lstm) = layer.kind { describe(lstm, in: &object) }
      return .object(object)
    }
    let obstacle = model.obstacleToRunning
    let axes = GraphAxes(model)
    return [
      "schema": 1, "command": "inspect", "file": .string(source.name),
      "bytes": .integer(source.count), "format": .string(model.source.format),
      "writer": .string(model.source.writer), "sourceSHA256": .string(model.source.sha256),
      "steps": .array(file.steps),
      "lstmLayers": .integer(
        model.layers.count { if case .lstm = $0.kind { true } else { false } }),
      "lstmWeightSets": .integer(model.lstmWeights.count), "layers": .array(layers),
      "matrices": .array(
        zip(model.matrices, model.storedByteCounts).map { item, byteCount in
          let (path, matrix) = item
          return [
            "matrix": .string(path.description), "rows": .integer(matrix.rows),
            "columns": .integer(matrix.columns), "storage": .string(matrix.storageName),
            "bytes": .integer(byteCount),
            "bitsPerWeight": .number(
              Double(byteCount * 8) / Double(max(matrix.rows * matrix.columns, 1))),
          ]
        }),
      "canBeRun": .bool(obstacle == nil),
      "obstacleToRunning": obstacle.map { .string($0.description) } ?? .null,
      "inputs": .array(
        (model.graph?.inputs ?? []).map { input in
          [
            "name": .string(input.name),
            "shape": .array(input.shape.map { $0.map { .integer($0) } ?? .null }),
            "axes": Self.json(axes.axes(of: input.name)),
            "integer": .bool(input.isInteger),
          ]
        }),
      "outputs": .array((model.graph?.outputs ?? []).map { .string($0.name) }),
      "outputShapes": .array(
        (model.graph?.outputs ?? []).map { output in
          [
            "name": .string(output.name),
            "shape": axes.axes(of: output.value).map {
              .array($0.map { $0.size.map { .integer($0) } ?? .null })
            } ?? .null, "axes": Self.json(axes.axes(of: output.value)),
          ]
        }),
      "warnings": .array(file.warnings.map { .string($0) }),
    ]
  }

  /// What each axis counts, by name; `null` for one that is not known, and for all when not even their
  /// number is.
  private static func json(_ axes: [ValueAxis]?) -> JSONValue {
    guard let axes else { return .null }
    return .array(
      axes.map { axis in
        if !axis.conflict.isEmpty {
          return .string(axis.conflict.map(\.rawValue).joined(separator: " or "))
        }
        if let role = axis.role { return .string(role.rawValue) }
        let names = axis.roles.compactMap { $0?.rawValue }
        return names.count == axis.roles.count && !names.isEmpty
          ? .string(names.joined(separator: " × ")) : .null
      })
  }

  private func describe(_ lstm: LSTMLayer, in object: inout JSONObject) {
    let weights = model.lstmWeights[lstm.weights]
    object["inputSize"] = .integer(weights.inputSize)
    object["hiddenSize"] = .integer(weights.hiddenSize)
    if weights.outputSize != weights.hiddenSize {
      object["outputSize"] = .integer(weights.outputSize)
    }
    object["weightSet"] = .integer(lstm.weights)
    object["sourceGateOrder"] = .string(lstm.sourceGateOrder)
    object["directions"] = .array(
      lstm.directions.map {
        [
          "direction": .string($0.direction.rawValue),
          "keepsComputedOrder": .bool($0.keepsComputedOrder),
          "gateActivation": .string($0.gateActivation.description),
          "cellActivation": .string($0.cellActivation.description),
          "outputActivation": .string($0.outputActivation.description),
        ]
      })
    object["merge"] = lstm.merge.map { .string($0.rawValue) }
    object["clip"] = lstm.clip.map { .number(Double($0)) }
    object["couplesInputAndForget"] = .bool(lstm.couplesInputAndForget)
    object["peepholes"] = .bool(weights.directions.contains { $0.peepholes != nil })
    object["bias"] = .bool(weights.directions.contains { $0.bias != nil })
  }

  private func kindName(_ kind: Layer.Kind) -> String {
    switch kind {
    case .lstm: "lstm"
    case .embedding: "embedding"
    case .dense: "dense"
    case .opaque: "opaque"
    }
  }
}
