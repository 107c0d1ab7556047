public import Diagnostics
import FileSupport
import HDF5
public import LSTMCore
import ZipArchive

/// Keras files: a copy of a Keras checkpoint with other weights, everything else as it was; or an
/// `.h5` written anew for models of other kinds.
public struct KerasExport: ExportFormat {
  /// The name of the format.
  public let name = "keras"
  /// The endings of the file name.
  public let fileExtensions = ["h5", "hdf5", "keras"]
  /// Keras has floating-point weights only.
  public let weightForms: [WeightForm] = [.float]

  /// Creates the format.
  public init() {}

  /// A copy has the ending of its checkpoint, a new file is an `.h5`.
  public func fileExtensions(for model: Model) -> [String] {
    model.source.format == "keras-archive" ? ["keras"] : ["h5", "hdf5"]
  }

  /// Models from one file of Keras are copied.
  public func isCopy(of model: Model) -> Bool {
    ["keras-hdf5", "keras-archive"].contains(model.source.format)
  }

  /// Writes a model.
  ///
  /// - Throws: `DiagnosticError` with code `noExportSource` when the checkpoint is not at hand, with
  ///   `notExportable` when Keras or lstmpack cannot express it.
  public func export(_ request: ExportRequest) throws(DiagnosticError) -> ExportResult {
    guard isCopy(of: request.model) else {
      var (model, notes, layout) = (request.model, [String](), ExportLayout())
      if model.source.format == "onnx" {
        let result = try KerasGraphFromONNX.model(model)
        (model, notes, layout) = (result.model, result.notes, result.layout)
      }
      var writer = try KerasModelWriter(model)
      let bytes = try writer.write()
      return ExportResult(bytes: bytes, notes: notes + writer.notes, layout: layout)
    }
    guard let source = request.source else {
      throw DiagnosticError(
        .noExportSource, "a Keras file is a copy of the checkpoint, which is not at hand",
        hint: "name it with --source")
    }
    let bytes = try source.bytes(in: 0..<source.count)
    if request.model.source.format == "keras-hdf5" {
      let file = HDF5Store([try HDF5File(bytes: bytes)])
      return try replaced(bytes, KerasHDF5Import(file: file, options: request.options), request)
    }
    let archive = try ZipArchive(bytes: bytes)
    let contents = try KerasArchiveContents(archive)
    var reading = KerasHDF5Import(
      file: HDF5Store([try HDF5File(bytes: contents.weights)]), options: request.options,
      archiveConfig: contents.config)
    reading.archiveVersion = contents.version
    var result = try replaced(contents.weights, reading, request)
    guard result.bytes != contents.weights else { return ExportResult(bytes: bytes) }
    result.bytes = try ZipWriter.replacing(
      KerasArchiveContents.weightsName, by: result.bytes, in: bytes)
    return result
  }

  /// The bytes of an HDF5 file with the weights that differ replaced.
  private func replaced(
    _ bytes: [UInt8], _ reading: KerasHDF5Import, _ request: ExportRequest
  ) throws(DiagnosticError) -> ExportResult {
    let (original, places) = try reading.readWithPlaces()
    try request.checkLayers(of: original)
    var datasets: [String: [Float]] = [:]
    for (index, layer) in request.model.layers.enumerated() {
      switch (layer.kind, places[index], original.layers[index].kind) {
      case (.lstm(let lstm), .lstm(let directions)?, .lstm(let before)):
        let new = request.model.lstmWeights[lstm.weights]
        let old = original.lstmWeights[before.weights]
        guard new != old else { continue }
        for (position, direction) in directions.enumerated() {
          KerasLSTMWriter(
            weights: new.directions[position], places: direction,
            changedBias: new.biases[position] != old.biases[position]
          ).add(to: &datasets)
        }
      case (.embedding(let embedding), .matrix(let path, let isTransposed)?, .embedding(let before))
      where embedding != before:
        datasets[path] = written(embedding.weights, isTransposed)
      case (.dense(let dense), .matrix(let path, let isTransposed)?, .dense(let before))
      where dense.weights != before.weights:
        datasets[path] = written(dense.weights, isTransposed)
      default: continue
      }
    }
    var editor = HDF5Editor(bytes: bytes)
    try editor.replace(datasets)
    return ExportResult(bytes: editor.bytes)
  }

  private func written(_ matrix: WeightMatrix, _ isTransposed: Bool) -> [Float] {
    isTransposed ? matrix.dequantized.transposed.elements : matrix.dequantized.elements
  }
}

/// Where the weights of a layer are in a Keras file.
enum KerasWeightPlace {
  /// Of an LSTM, one for each direction.
  case lstm([KerasLSTMWriter.Places])
  /// Of a dense layer or embedding.
  case matrix(path: String, isTransposed: Bool)
}

/// Lays the matrices of one direction out as `KerasLSTMReader` found them.
struct KerasLSTMWriter {
  /// Where they were, and in which layout.
  struct Places {
    let layout: KerasLSTMPlaces.Layout
    let isCuDNN: Bool
  }

  let weights: DirectionWeights
  let places: Places
  /// Whether biases are others than in the file.
  let changedBias: Bool

  /// Adds the new elements of the matrices, and of biases that changed, by dataset.
  func add(to datasets: inout [String: [Float]]) {
    switch places.layout {
    case .joined(let kernel, let recurrent, let bias):
      datasets[kernel] = joined(weights.inputWeights)
      datasets[recurrent] = joined(weights.recurrentWeights)
      if changedBias, let bias {
        datasets[bias] = [weights.bias, weights.recurrentBias].compactMap { $0 }.flatMap { bias in
          GateOrder.keras.gates.flatMap { bias[$0] }
        }
      }
    case .perGate(let paths):
      for (array, matrices) in [("W", weights.inputWeights), ("U", weights.recurrentWeights)] {
        for gate in Gate.allCases {
          guard let path = paths["\(array)_\(KerasLSTMReader.letter(gate))"] else { continue }
          datasets[path] = matrices[gate].dequantized.transposed.elements
        }
      }
      guard changedBias, let bias = weights.bias else { return }
      for gate in Gate.allCases {
        if let path = paths["b_\(KerasLSTMReader.letter(gate))"] { datasets[path] = bias[gate] }
      }
    }
  }

  /// `[inputs, 4H]` in the order of Keras.
  private func joined(_ matrices: PerGate<WeightMatrix>) -> [Float] {
    let hidden = matrices[.input].rows
    let inputs = matrices[.input].columns
    var result = [Float](repeating: 0, count: 4 * hidden * inputs)
    for gate in Gate.allCases {
      let start = GateOrder.keras.position(of: gate) * hidden
      let matrix = matrices[gate].dequantized
      // CuDNN's block holds the elements of [H, inputs] in order, reshaped.
      let block = places.isCuDNN ? matrix.elements : matrix.transposed.elements
      for row in 0..<inputs {
        let offset = row * 4 * hidden + start
        result.replaceSubrange(
          offset..<offset + hidden, with: block[row * hidden..<(row + 1) * hidden])
      }
    }
    return result
  }
}
