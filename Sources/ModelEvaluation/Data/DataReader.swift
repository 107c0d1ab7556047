internal import DataFiles
public import Diagnostics
public import FileSupport
public import LSTMCore
internal import LSTMRuntime

/// Reads the files of an evaluation.
public struct DataReader: Sendable {
  /// The tokens of a text; a file that is neither `.npy` nor `.npz` is a text when there are some, a
  /// table of numbers when there are none.
  public var vocabulary: Vocabulary?
  /// The streams into which a text is cut; as many as the model takes at once, or ten, when `nil`.
  public var streams: Int?
  /// The streams of a text where neither the user nor the model says how many.
  public static let usualStreams = 10
  /// The steps of a window of a table; those that the model's input has when `nil`.
  public var window: Int?
  /// The steps from one window to the next; those of a window when `nil`.
  public var stride: Int?

  /// What a file is read as.
  public enum Form: Sendable {
    /// Arrays, used as they are.
    case arrays
    /// A table, cut into windows.
    case table
    /// A text, cut into streams.
    case text
  }

  /// The most elements that the windows of a table may have: overlapping ones repeat its rows.
  static let windowLimit = 1 << 29

  /// Creates a reader.
  public init() {}

  /// What a file is read as.
  ///
  /// - Throws: ``DiagnosticError`` when it cannot be read.
  public func form(of source: ByteSource) throws(DiagnosticError) -> Form {
    if try ArrayFile.kind(source) != nil { return .arrays }
    return vocabulary == nil ? .table : .text
  }

  /// The names under which an `.npz` may hold labels.
  public static let labelNames: Set<String> = ["labels", "label", "y"]

  /// Reads data for a model.
  ///
  /// - Parameters:
  ///   - source: `.npy`, `.npz`, text, or a table with a step a line.
  ///   - labels: `.npy`, or a table with a column.
  ///   - model: The model, whose input says how long a window is.
  /// - Returns: The data, checked; initial states, which a file has in the shape of the model's input,
  ///   with their sequences first.
  /// - Throws: ``DiagnosticError`` with the file named.
  public func read(
    _ source: ByteSource, labels: ByteSource? = nil, for model: Model
  ) throws(DiagnosticError) -> EvaluationData {
    var data = try content(source, model)
    if let labels {
      data.labels = try Self.labels(labels)
    }
    do throws(DiagnosticError) { return try data.checked() } catch {
      throw error.inFile(error.object == "labels" ? labels?.name ?? source.name : source.name)
    }
  }

  private func content(
    _ source: ByteSource, _ model: Model
  ) throws(DiagnosticError) -> EvaluationData {
    guard source.count > 0 else {
      throw DiagnosticError(.badEvaluationData, file: source.name, "is empty")
    }
    switch try ArrayFile.kind(source) {
    case .npy:
      return EvaluationData(content: .sequences(["x": Tensor(try NpyFile.read(source))]))
    case .npz:
      var inputs: [String: Tensor] = [:]
      var labels: Tensor?
      let names = Set((model.graph?.inputs ?? []).map(\.name))
      for (name, array) in try NpzFile.read(source) {
        // What an input is called means the input.
        if Self.labelNames.contains(name), !names.contains(name) {
          labels = Tensor(array)
        } else {
          inputs[name] = Tensor(array)
        }
      }
      let used = try Self.inputs(of: model, inputs)
      var data = EvaluationData(content: .sequences(used), labels: labels)
      data.unusedArrays = inputs.keys.filter { used[$0] == nil }.sorted()
      return data
    case nil:
      if let vocabulary {
        return EvaluationData(
          content: .text(
            tokens: try vocabulary.numbers(in: source),
            streams: streams ?? Self.fixedBatch(of: model) ?? Self.usualStreams))
      }
      let (windows, note) = try windows(source, model)
      var data = EvaluationData(content: .sequences(["x": windows]))
      if let note { data.notes.append(note) }
      return data
    }
  }

  /// The number of sequences that a model takes at once, when it takes no other.
  private static func fixedBatch(of model: Model) -> Int? {
    let axes = GraphAxes(model)
    return model.graph?.inputs.lazy
      .compactMap { axes.axes(of: $0.name)?.first { $0.role == .batch } ?? nil }.first?.size
  }

  /// The arrays for a model's inputs, the sequences of initial states moved to the first axis, where
  /// all other inputs have them.
  private static func inputs(
    of model: Model, _ given: [String: Tensor]
  ) throws(DiagnosticError) -> [String: Tensor] {
    guard let graph = model.graph else { return given }
    let named = given.filter { item in graph.inputs.contains { $0.name == item.key } }
    let states = graph.stateValues()
    let isWhole = graph.inputs.allSatisfy {
      states.optional.contains($0.name) || named[$0.name] != nil
    }
    // Other arrays may stand beside the inputs; those that are looked for in vain are missed later.
    var turned = isWhole ? named : given
    let axes = GraphAxes(model)
    let count = named.lazy.filter { !states.inputs.contains($0.key) }.first?.value.dims.first
    for input in graph.inputs where states.inputs.contains(input.name) {
      guard let tensor = named[input.name] else { continue }
      guard let own = axes.axes(of: input.name), tensor.dims.count == own.count else {
        throw DiagnosticError(
          .badEvaluationData, object: input.name,
          "has the shape \(tensor.dims), expected \(input.shapeText)",
          hint: "initial states are given in the shape of the model's input")
      }
      if let batch = own.firstIndex(where: { $0.role == .batch }) {
        let rest = own.indices.filter { $0 != batch }
        turned[input.name] = try tensor.transposed([batch] + rest)
      } else {
        // A state that is the same for all sequences.
        turned[input.name] = try tensor.unsqueezed([0])
          .broadcast(to: [min(max(1, count ?? 1), 1 << 16)] + tensor.dims)
      }
    }
    return turned
  }

  /// The windows of a table, `[windows, steps, columns]`, with what is left out of it.
  private func windows(
    _ source: ByteSource, _ model: Model
  ) throws(DiagnosticError) -> (Tensor, note: String?) {
    let table: CSVTable
    do throws(DiagnosticError) { table = try CSVTable.read(source) } catch {
      var error = error
      if error.hint == nil { error.hint = "a text needs --vocab" }
      throw error
    }
    let states = model.graph?.stateValues().inputs ?? []
    let input = model.graph?.inputs.first { !states.contains($0.name) }
    let axes = GraphAxes(model)
    let fixed = try input.flatMap { (input) throws(DiagnosticError) in
      try axes.timeAxis(of: input.name).flatMap { axes.axes(of: input.name)?[$0].size }
    }
    let steps = window ?? fixed ?? table.rowCount
    guard steps >= 1, table.rowCount >= steps else {
      throw DiagnosticError(
        .badEvaluationData, file: source.name,
        "is too short: it has \(table.rowCount) rows, a window \(steps)")
    }
    let step = max(1, stride ?? steps)
    let count = (table.rowCount - steps) / step + 1
    do throws(DiagnosticError) {
      _ = try checkedProduct([count, steps, table.columns], limit: Self.windowLimit, of: "windows")
    } catch {
      throw DiagnosticError(
        .badEvaluationData, file: source.name,
        "\(count) windows of \(steps) rows have more than \(Self.windowLimit) elements",
        hint: "give a larger --stride or a shorter --window")
    }
    var elements: [Float] = []
    elements.reserveCapacity(count * steps * table.columns)
    for start in Swift.stride(from: 0, to: count * step, by: step) {
      elements += table.elements[start * table.columns..<(start + steps) * table.columns]
    }
    let left = table.rowCount - steps - (count - 1) * step
    return (
      Tensor([count, steps, table.columns], elements),
      left == 0
        ? nil
        : "the last \(left) of \(table.rowCount) rows are left out: sequences have \(steps) rows"
          + (step == steps ? "" : ", one every \(step)")
    )
  }

  private static func labels(_ source: ByteSource) throws(DiagnosticError) -> Tensor {
    if let kind = try ArrayFile.kind(source) {
      guard kind == .npy else {
        throw DiagnosticError(
          .badEvaluationData, file: source.name, "labels are an .npy or a table with one column")
      }
      return Tensor(try NpyFile.read(source))
    }
    let table = try CSVTable.read(source)
    guard table.columns == 1 else {
      throw DiagnosticError(
        .badEvaluationData, file: source.name,
        "labels are a table with one column, found \(table.columns)")
    }
    let integers = table.elements.compactMap { Int64(exactly: $0) }
    return integers.count == table.elements.count
      ? Tensor(dims: [integers.count], elements: .integers(integers))
      : Tensor([table.elements.count], table.elements)
  }
}

/// Files of arrays, by their content.
public enum ArrayFile {
  /// The kinds.
  public enum Kind: Sendable {
    /// One array.
    case npy
    /// Arrays with names.
    case npz
  }

  /// The kind of a file; `nil` when it holds no arrays.
  ///
  /// - Throws: ``DiagnosticError`` when it cannot be read.
  public static func kind(_ source: ByteSource) throws(DiagnosticError) -> Kind? {
    let start = try source.bytes(in: 0..<min(source.count, 6))
    if start == [0x93] + Array("NUMPY".utf8) { return .npy }
    return start.starts(with: [0x50, 0x4B, 3, 4]) || start.starts(with: [0x50, 0x4B, 5, 6])
      ? .npz : nil
  }

  /// The arrays of a file by name, `x` for the one of an `.npy`; a table is one array
  /// `[rows, columns]`.
  ///
  /// - Throws: ``DiagnosticError`` with the file named.
  public static func read(_ source: ByteSource) throws(DiagnosticError) -> [String: Tensor] {
    switch try kind(source) {
    case .npy: return ["x": Tensor(try NpyFile.read(source))]
    case .npz:
      var result: [String: Tensor] = [:]
      for (name, array) in try NpzFile.read(source) { result[name] = Tensor(array) }
      return result
    case nil:
      let table = try CSVTable.read(source)
      return ["x": Tensor([table.rowCount, table.columns], table.elements)]
    }
  }

  /// The bytes of a file: `.npz` for that ending, `.csv` for that one, else `.npy`.
  ///
  /// - Throws: ``DiagnosticError`` when several arrays do not fit the kind.
  public static func bytes(
    of tensors: [(name: String, tensor: Tensor)], ending: String
  ) throws(DiagnosticError) -> [UInt8] {
    if ending == "npz" {
      return try NpzFile.bytes(of: tensors.map { ($0.name, NumericArray($0.tensor)) })
    }
    guard tensors.count == 1, let only = tensors.first?.tensor else {
      throw DiagnosticError(
        .badEvaluationData,
        "there are \(tensors.count) outputs: \(tensors.map(\.name).joined(separator: ", "))",
        hint: "write them to an .npz, or choose one with --output")
    }
    if ending == "csv" { return Array((table(only) + "\n").utf8) }
    return NpyFile.bytes(of: NumericArray(only))
  }

  /// A tensor as lines of numbers: a line for each row of its last axis.
  public static func table(_ tensor: Tensor) -> String {
    let columns = max(1, tensor.dims.last ?? 1)
    let cells: [String] =
      switch tensor.elements {
      case .floats(let values): values.map { "\($0)" }
      case .integers(let values): values.map { "\($0)" }
      }
    return stride(from: 0, to: cells.count, by: columns).map {
      cells[$0..<$0 + columns].joined(separator: ",")
    }.joined(separator: "\n")
  }
}

extension Tensor {
  /// An array of a file.
  init(_ array: NumericArray) {
    switch array.elements {
    case .floats(let values): self.init(dims: array.shape, elements: .floats(values))
    case .integers(let values): self.init(dims: array.shape, elements: .integers(values))
    }
  }
}

extension NumericArray {
  /// A tensor as an array of a file.
  init(_ tensor: Tensor) {
    switch tensor.elements {
    case .floats(let values): self.init(shape: tensor.dims, elements: .floats(values))
    case .integers(let values): self.init(shape: tensor.dims, elements: .integers(values))
    }
  }
}
