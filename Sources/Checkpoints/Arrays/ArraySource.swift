import Diagnostics
import LSTMCore

/// A file that holds arrays by name and says nothing of layers: safetensors, HDF5 from elsewhere.
protocol ArraySource {
  /// The arrays, in the order of the file.
  var arrays: [ArrayDescription] { get }

  /// The elements as float32.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read or are no floating-point numbers.
  func floats(_ array: ArrayDescription) throws(DiagnosticError) -> [Float]

  /// The elements, little-endian.
  ///
  /// - Throws: `DiagnosticError` when they cannot be read or are no numbers.
  func littleEndianBytes(_ array: ArrayDescription) throws(DiagnosticError) -> [UInt8]
}

/// What is known of an array before it is read.
struct ArrayDescription {
  /// Its name in the file.
  let name: String
  /// The sizes, outermost first.
  let shape: [Int]
  /// The type of the elements; `nil` for types that lstmpack does not read.
  let elementType: SourceTensor.ElementType?

  /// The parts of the name, between slashes and dots.
  var components: [String] {
    // TensorFlow numbers the outputs of its variables.
    let plain = name.hasSuffix(":0") ? name.dropLast(2) : name[...]
    return plain.split(whereSeparator: { $0 == "/" || $0 == "." }).map(String.init)
  }
  /// The last part of the name.
  var leaf: String { components.last ?? "" }
  /// The parts before the last one, joined by dots.
  var module: String { components.dropLast().joined(separator: ".") }

  var isFloat: Bool {
    switch elementType {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }
}

extension ArraySource {
  /// Reads float values and refuses those that are not finite.
  ///
  /// - Throws: As ``floats(_:)``.
  func finiteFloats(_ array: ArrayDescription) throws(DiagnosticError) -> [Float] {
    guard array.isFloat else {
      throw DiagnosticError(
        .malformedCheckpoint, object: array.name,
        "expected floating-point numbers, found \(array.elementType?.rawValue ?? "another type")")
    }
    let values: [Float]
    do throws(DiagnosticError) { values = try floats(array) } catch {
      throw error.atObject(array.name)
    }
    guard let index = values.firstIndex(where: { !$0.isFinite }) else { return values }
    throw DiagnosticError(
      .malformedCheckpoint, object: array.name,
      "element \(index) is \(values[index]), expected a finite number",
      hint: "the training of this model diverged; take an earlier checkpoint")
  }

  /// Reads a matrix.
  ///
  /// - Throws: As ``finiteFloats(_:)``, and for arrays that have not two sizes.
  func matrix(_ array: ArrayDescription) throws(DiagnosticError) -> Matrix {
    guard array.shape.count == 2, array.shape.allSatisfy({ $0 > 0 }) else {
      throw DiagnosticError(
        .malformedCheckpoint, object: array.name,
        "expected a matrix, found shape \(array.shape)")
    }
    return Matrix(
      rows: array.shape[0], columns: array.shape[1], elements: try finiteFloats(array))
  }
}

/// An LSTM that a recognizer found among arrays.
struct FoundLSTM {
  /// The name for the layer.
  var name: String
  /// The class or cell in the library that wrote the arrays, for example `LSTM`, `BasicLSTMCell`.
  var sourceClass: String
  /// The module that it is a layer of: its layers feed each other.
  var module: String
  var layer: LSTMLayer
  var weights: LSTMWeights
}

/// What a recognizer found.
struct FoundArrays {
  var lstms: [FoundLSTM] = []
  /// Arrays that are recurrent weights of another kind, by module, with the reason.
  var refused: [(module: String, sourceClass: String, reason: String, arrays: [ArrayDescription])] =
    []
  /// The names of the arrays that are used up.
  var used: Set<String> = []
  var warnings: [String] = []
}
