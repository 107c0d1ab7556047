public import Diagnostics
public import FileSupport
public import LSTMCore

/// A kind of file that compressed models are written to; listed in ``ExportFormats/all``.
public protocol ExportFormat: Sendable {
  /// The name for `--to`, for example `onnx`.
  var name: String { get }
  /// The endings of file names that stand for it, without the dot.
  var fileExtensions: [String] { get }
  /// The forms in which it can hold weights, the usual one first.
  var weightForms: [WeightForm] { get }

  /// The endings that a file of a certain model may have, the usual one first.
  func fileExtensions(for model: Model) -> [String]

  /// Whether a file of a certain model is a copy of its checkpoint, which has to be at hand.
  func isCopy(of model: Model) -> Bool

  /// Whether the checkpoint of a certain model is wanted, without which a file can be written, but not as well; a
  /// copy needs it.
  func wantsCheckpoint(of model: Model) -> Bool

  /// Why lstmpack does not read a file that it writes; `nil` when it does.
  func obstacleToReading(_ request: ExportRequest) -> String?

  /// Writes a model.
  ///
  /// - Parameter request: The model and how to write it.
  /// - Returns: The bytes of the file.
  /// - Throws: ``DiagnosticError`` that names the layer which cannot be written.
  func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult
}

extension ExportFormat {
  /// Any ending of the format.
  public func fileExtensions(for model: Model) -> [String] { fileExtensions }

  /// Written from the model alone.
  public func isCopy(of model: Model) -> Bool { false }

  /// lstmpack reads what it writes.
  public func obstacleToReading(_ request: ExportRequest) -> String? { nil }

  /// What is a copy.
  public func wantsCheckpoint(of model: Model) -> Bool { isCopy(of: model) }
}

/// How matrices are written.
public enum WeightForm: String, CaseIterable, Sendable {
  /// Written out in floating point.
  case float
  /// Low-rank factors in floating point; other matrices written out.
  case factors
  /// Codes in the smallest of 8, 4 and 2 bits that hold them, and factors.
  case int2
  /// Codes in the smaller of 8 and 4 bits that holds them, and factors.
  case int4
  /// Codes in 8 bits, and factors.
  case int8
}

/// What is to be written.
public struct ExportRequest: Sendable {
  /// The model.
  public var model: Model
  /// The checkpoint that the model came from, with its SHA-256 as `Model.source` has it; `nil` when it
  /// is not at hand.
  public var source: ByteSource?
  /// How that checkpoint was read.
  public var options: ImportOptions
  /// How matrices are written.
  public var weights: WeightForm

  /// Creates a request.
  public init(
    model: Model, source: ByteSource? = nil, options: ImportOptions = ImportOptions(),
    weights: WeightForm = .float
  ) {
    self.model = model
    self.source = source
    self.options = options
    self.weights = weights
  }
}

/// A file that was written, in memory.
public struct ExportResult: Sendable {
  /// The bytes of the file.
  public var bytes: [UInt8]
  /// What could not be written as wanted, and what the file does not say, one sentence each.
  public var notes: [String]
  /// How the file has the inputs and outputs, where it is otherwise than the model has them.
  public var layout = ExportLayout()

  /// Creates a result.
  public init(bytes: [UInt8], notes: [String] = [], layout: ExportLayout = ExportLayout()) {
    self.bytes = bytes
    self.notes = notes
    self.layout = layout
  }
}

/// The inputs and outputs of a model whose first two axes, those of sequences and steps, are the other way round in
/// the file.
public struct ExportLayout: Equatable, Sendable {
  /// The names of inputs.
  public var swappedInputs: Set<String> = []
  /// The names of outputs.
  public var swappedOutputs: Set<String> = []

  /// Creates a layout without changes.
  public init() {}
}

/// The kinds of file that lstmpack writes models to.
public enum ExportFormats {
  /// Every format; a new one is one line here.
  public static let all: [any ExportFormat] = [
    KerasExport(),
    ONNXExport(),
    SafeTensorsExport(),
  ]

  /// The format with a name; `nil` when there is none.
  public static func format(named name: String) -> (any ExportFormat)? {
    all.first { $0.name == name }
  }

  /// The format that a file's ending stands for; `nil` when none does.
  public static func format(forFile path: String) -> (any ExportFormat)? {
    let ending = path.split(separator: "/").last?.split(separator: ".").dropFirst().last
    guard let ending = ending?.lowercased() else { return nil }
    return all.first { $0.fileExtensions.contains(ending) }
  }
}

extension DiagnosticError.Code {
  /// A model that cannot be written in the form that was asked for.
  public static let notExportable = Self("export.unsupported", .failure)
  /// An export that needs the checkpoint from which a model was made.
  public static let noExportSource = Self("export.noSource", .usage)
}

extension ExportRequest {
  /// What to say when the form of weights that was asked for changes nothing.
  var notesOnForm: [String] {
    let matrices = model.matrices.map(\.matrix)
    switch weights {
    case .float: return []
    case .factors:
      return matrices.contains { $0.rank != nil }
        ? [] : ["no matrix of the model is factored, so it has no factors to write"]
    case .int2, .int4, .int8:
      return matrices.contains { $0.hasIntegerCodes }
        ? [] : ["no matrix of the model has codes of up to 8 bits, so none is written as integers"]
    }
  }

  /// Checks that the layers of the model are those of its source as it is read again.
  ///
  /// - Throws: ``DiagnosticError`` with code `notExportable` when they are not.
  func checkLayers(of original: Model) throws(DiagnosticError) {
    guard original.layers.count == model.layers.count,
      zip(original.layers, model.layers).allSatisfy({
        $0.name == $1.name && $0.sourceClass == $1.sourceClass
      }), original.lstmWeights.count == model.lstmWeights.count
    else {
      throw DiagnosticError(
        .notExportable,
        "its layers are not those of the checkpoint; it was made by another version of lstmpack, or "
          + "with other import options",
        hint: "compress the checkpoint again")
    }
  }
}

extension GraphInput {
  /// The type that the input has in a graph that is written anew, and what to say where that is another
  /// than in the source: integers are as they were, numbers become float32, of which the weights are.
  var written: (type: SourceTensor.ElementType, note: String?) {
    let type: SourceTensor.ElementType
    switch elementType {
    case .some(let own) where own.isInteger: type = own
    default: type = isInteger ? .int64 : .float32
    }
    guard let elementType, elementType != type else { return (type, nil) }
    return (
      type,
      "the input \(name) is of type \(type.rawValue); in the checkpoint it is \(elementType.rawValue)"
    )
  }
}

extension WeightMatrix {
  /// Whether it, or a factor of it, is packed into integers.
  fileprivate var hasIntegerCodes: Bool {
    switch self {
    case .dense: false
    case .packed(let packed): packed.encoding.levelCount <= 256
    case .product(let left, let right): left.hasIntegerCodes || right.hasIntegerCodes
    }
  }
}
