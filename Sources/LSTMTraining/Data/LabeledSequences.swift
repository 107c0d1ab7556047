import Diagnostics
import LSTMCore
import ModelEvaluation

/// Sequences as a file has them, with what the labels mean.
struct LabeledSequences {
  let data: SequenceData
  let loss: NetworkShape.Loss
  /// The classes, from 0, or the numbers of a label.
  let outputs: Int

  /// The most classes.
  private static let classLimit = 1 << 20
  /// The largest label that is a number: sums of its square stay within float32.
  private static let numberLimit: Float = 1e15

  /// Takes arrays as sequences.
  ///
  /// - Parameters:
  ///   - input: `[sequences, steps]` of whole numbers, or `[sequences, steps, features]`; numbers
  ///     `[sequences, steps]` have one feature.
  ///   - labels: Classes `[sequences]` or `[sequences, steps]`, or the same with a last axis of a one
  ///     among zeros; numbers `[sequences]`, `[sequences, outputs]` or `[sequences, steps, outputs]`.
  ///   - loss: What is learned; classes for whole numbers when `nil`.
  /// - Throws: `DiagnosticError` with code `badTrainingData` that says which shape does not fit.
  init(input: Tensor, labels: Tensor, loss: NetworkShape.Loss?) throws(DiagnosticError) {
    guard (2...3).contains(input.dims.count), input.count > 0 else {
      throw Self.error(
        "has an array of shape \(input.dims), expected [sequences, steps, features]")
    }
    let (count, steps) = (input.dims[0], input.dims[1])
    let inputs: SequenceData.Inputs
    if case .integers(let tokens) = input.elements, input.dims.count == 2 {
      guard tokens.allSatisfy({ (0..<1 << 24).contains($0) }) else {
        throw Self.error("has a token that is negative or above 2^24")
      }
      inputs = .tokens(tokens.map { Int32($0) })
    } else {
      inputs = .numbers(
        Self.numbers(input), features: input.dims.count == 2 ? 1 : input.dims[2])
    }
    let own: NetworkShape.Loss
    if let loss {
      own = loss
    } else if case .integers = labels.elements {
      own = .crossEntropy
    } else {
      own = labels.placesOfOnes == nil ? .squaredError : .crossEntropy
    }
    self.loss = own
    if own == .crossEntropy {
      var dims = labels.dims
      if dims.count > 1, dims.last == 1 { dims.removeLast() }
      var found = labels.asWholeNumbers
      if dims != [count], labels.integers == nil || dims != [count, steps],
        let places = labels.placesOfOnes
      {
        (found, dims) = (places, places.dims)
      }
      guard let classes = found?.integers,
        classes.allSatisfy({ (0..<Self.classLimit).contains($0) }),
        dims == [count] || dims == [count, steps]
      else {
        throw Self.error(
          "has labels of shape \(labels.dims) that are no classes; expected whole numbers from 0, "
            + "[\(count)] or [\(count), \(steps)]")
      }
      let isOfOnes = labels.dims.count > dims.count && labels.dims.last != 1
      outputs = isOfOnes ? labels.dims[dims.count] : (classes.max() ?? 0) + 1
      data = SequenceData(
        inputs: inputs, labels: .classes(classes.map { Int32($0) }), count: count, steps: steps,
        labelsSteps: dims.count == 2)
    } else {
      let dims = labels.dims
      let isOfSteps = dims.count == 3 && dims[1] == steps
      guard dims.first == count, dims.count <= 2 || isOfSteps else {
        throw Self.error(
          "has labels of shape \(labels.dims), expected [\(count), outputs] or "
            + "[\(count), \(steps), outputs]")
      }
      let values = Self.numbers(labels)
      if let bad = values.first(where: { !($0.magnitude <= Self.numberLimit) }) {
        throw Self.error(
          "has the label \(bad), whose square is beyond float32; scale labels to about 1")
      }
      if own == .binaryCrossEntropy, let bad = values.first(where: { !(0...1).contains($0) }) {
        throw Self.error("has the label \(bad); yes and no are 1 and 0")
      }
      outputs = dims.count == 1 ? 1 : dims[dims.count - 1]
      data = SequenceData(
        inputs: inputs, labels: .values(values, outputs: outputs), count: count, steps: steps,
        labelsSteps: isOfSteps)
    }
  }

  private init(_ data: SequenceData, of other: LabeledSequences) {
    self.data = data
    loss = other.loss
    outputs = other.outputs
  }

  private static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.badTrainingData, problem)
  }

  private static func numbers(_ tensor: Tensor) -> [Float] {
    if case .integers(let values) = tensor.elements { return values.map { Float($0) } }
    return tensor.floats ?? []
  }

  /// Sequences for training and for validation, chosen by chance, the same each time.
  func split(
    validationPart: Int, file: String
  ) throws(DiagnosticError) -> (training: LabeledSequences, validation: LabeledSequences) {
    guard data.count >= 2 else {
      throw DiagnosticError(
        .badTrainingData, file: file, "has one sequence, none is left for validation",
        hint: "give --valid")
    }
    var random = SeededGenerator(seed: 1)
    let order = Array(0..<data.count).shuffled(using: &random)
    let kept = data.count - max(1, data.count / validationPart)
    return (
      LabeledSequences(data.chosen(order[..<kept].sorted()), of: self),
      LabeledSequences(data.chosen(order[kept...].sorted()), of: self)
    )
  }

  /// Checks that two files belong together.
  func check(against other: LabeledSequences, file: String) throws(DiagnosticError) {
    guard data.features == other.data.features, data.labelsSteps == other.data.labelsSteps,
      loss == .crossEntropy || outputs == other.outputs
    else {
      throw DiagnosticError(
        .badTrainingData, file: file,
        "has \(data.text) and \(outputs) outputs, the training data \(other.data.text) and "
          + "\(other.outputs)")
    }
  }

  /// Checks that they fit a network.
  func check(
    against shape: NetworkShape, outputs: Int, file: String
  ) throws(DiagnosticError) {
    let fitsInput =
      switch (data.inputs, shape.input) {
      case (.tokens(let tokens), .tokens(let count, _)): tokens.allSatisfy { $0 < count }
      case (.numbers(_, let features), .numbers(let count)): features == count
      default: false
      }
    let highest =
      if case .tokens(let tokens) = data.inputs { ", tokens up to \(tokens.max() ?? 0)" } else {
        ""
      }
    guard fitsInput, outputs == shape.outputs, data.labelsSteps != shape.readsLastStep else {
      throw DiagnosticError(
        .badTrainingData, file: file,
        "has \(data.text) and \(outputs) outputs\(highest); the model of --init has "
          + "\(shape.text)")
    }
  }
}

extension NetworkShape {
  /// What the network reads and what comes out, for errors.
  fileprivate var text: String {
    let read =
      switch input {
      case .tokens(let vocabulary, _): "a token below \(vocabulary)"
      case .numbers(let count): "\(count) numbers"
      }
    return "\(read) at each step, \(outputs) outputs for "
      + (readsLastStep ? "sequences" : "steps")
  }
}

extension SequenceData {
  /// The numbers of a step; `nil` for tokens.
  var features: Int? { if case .numbers(_, let features) = inputs { features } else { nil } }

  /// What the sequences are, for errors.
  fileprivate var text: String {
    (features.map { "\($0) numbers" } ?? "a token") + " at each step, labels for "
      + (labelsSteps ? "steps" : "sequences")
  }

  /// Some of the sequences.
  fileprivate func chosen(_ indices: [Int]) -> SequenceData {
    func rows<Element>(_ values: [Element]) -> [Element] {
      let width = values.count / count
      return indices.flatMap { values[$0 * width..<($0 + 1) * width] }
    }
    let inputs: Inputs =
      switch inputs {
      case .tokens(let tokens): .tokens(rows(tokens))
      case .numbers(let numbers, let features): .numbers(rows(numbers), features: features)
      }
    let labels: Labels =
      switch labels {
      case .classes(let classes): .classes(rows(classes))
      case .values(let values, let outputs): .values(rows(values), outputs: outputs)
      }
    return SequenceData(
      inputs: inputs, labels: labels, count: indices.count, steps: steps, labelsSteps: labelsSteps)
  }
}
