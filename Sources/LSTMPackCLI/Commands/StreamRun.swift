import Foundation
import LSTMPackKit

/// Runs a model step by step: a line in, a line out, the state carried.
struct StreamRun {
  /// The most bytes of a line.
  private static let lineLimit = 1 << 24

  let model: Model
  let output: String?
  let vocabulary: Vocabulary?
  let top: Int?
  let threads: Int
  let kernels: KernelOptions

  func run() throws {
    let prepared = try PreparedModel(model, outputs: output.map { [$0] }, options: kernels)
    let inputs = prepared.inputs.filter { !prepared.stateInputs.contains($0.name) }
    guard let input = inputs.first, inputs.count == 1 else {
      throw DiagnosticError(
        .badOption, "--stream needs a model with one input, this one has \(inputs.count)")
    }
    let axes = prepared.axes.axes(of: input.name) ?? []
    guard let time = try prepared.axes.timeAxis(of: input.name) else {
      throw DiagnosticError(
        .badOption,
        "--stream needs a model with an axis of time, the input \(input.name) has the shape "
          + prepared.axes.shapeText(of: input.name), hint: GraphAxes.hint(input.name, .time))
    }
    if let count = axes.first(where: { $0.role == .batch })?.size, count != 1 {
      throw DiagnosticError(
        .badOption, "--stream reads one sequence, this model takes \(count) at once",
        hint: "stream one LSTM layer with --layer")
    }
    if let fixed = axes[time].size, fixed != 1 {
      throw DiagnosticError(
        .badOption,
        "--stream needs a model that takes single steps, this one takes \(fixed) at once",
        hint: "stream one LSTM layer with --layer")
    }
    try prepared.checkStepByStep(input)
    var session = RunSession(carriesState: true)
    var number = 0
    var reader = StreamReader(
      name: ModelLocation.standardInputName, descriptor: STDIN_FILENO)
    while let bytes = try reader.line(limit: Self.lineLimit) {
      number += 1
      // Lines of Windows end with a carriage return, too.
      let text = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes[...]
      do throws(DiagnosticError) {
        guard let line = String(validating: text, as: UTF8.self) else {
          throw DiagnosticError(.badData, "is not UTF-8 text")
        }
        if line.allSatisfy(\.isWhitespace) && vocabulary == nil { continue }
        let step = try self.step(line, input, axes)
        let result = try prepared.run([input.name: step], session: &session, threads: threads)[0]
        try write(result)
      } catch { throw error.atObject("line \(number)") }
    }
  }

  private func step(
    _ line: String, _ input: GraphInput, _ axes: [ValueAxis]
  ) throws(DiagnosticError) -> Tensor {
    if let vocabulary {
      return Tensor(
        dims: axes.map { _ in 1 },
        elements: .integers([Int64(try vocabulary.number(ofStep: line))]))
    }
    var values: [Float] = []
    for cell in line.split(whereSeparator: { ",;\t ".contains($0) }) {
      guard let value = Float(cell), value.isFinite else {
        throw DiagnosticError(
          .badData, "expected a number, found '\(cell.prefix(40))'",
          hint: "steps of tokens need --vocab")
      }
      values.append(value)
    }
    // The elements of a step lie along the axis that is neither time nor batch; a token has none.
    let own = axes.indices.filter { ![.time, .batch].contains(axes[$0].role) }
    guard own.count == 1 || (own.isEmpty && values.count == 1) else {
      throw DiagnosticError(
        .badData, "has \(values.count) numbers for a step of \(own.count) axes")
    }
    return Tensor(axes.indices.map { own.contains($0) ? values.count : 1 }, values)
  }

  private func write(_ result: Tensor) throws(DiagnosticError) {
    if let top, let vocabulary, let classes = result.dims.last {
      let lines = LikelyTokens(vocabulary: vocabulary, count: top)
        .lines(result.floats ?? [], classes: classes)
      try Console.printResult(lines.joined(separator: "\n"))
    } else {
      let cells = ArrayFile.table(result).split(separator: "\n")
      try Console.printResult(cells.joined(separator: ","))
    }
  }
}

/// The likeliest next tokens, for people.
struct LikelyTokens {
  let vocabulary: Vocabulary
  let count: Int

  /// A line for each row of scores or probabilities: `the 0.12, a 0.05`.
  func lines(_ values: [Float], classes: Int) -> [String] {
    stride(from: 0, to: values.count, by: max(1, classes)).map { start in
      let row = Probabilities.of(Array(values[start..<start + classes]))
      return row.enumerated().sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
        .prefix(count)
        .map { item in
          let name =
            vocabulary.tokens.indices.contains(item.offset)
            ? vocabulary.tokens[item.offset] : "#\(item.offset)"
          return "\(name == "\n" ? "\\n" : name) \(NumberText.significant(Double(item.element)))"
        }.joined(separator: ", ")
    }
  }
}
