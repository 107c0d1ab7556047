public import Diagnostics
public import FileSupport
internal import Foundation
public import LSTMCore
internal import MatrixCompression
public import ModelCompression
internal import ModelEvaluation

extension DiagnosticError.Code {
  /// A file of moments that is damaged, or of another model.
  public static let badCalibrationFile = Self("calibration.badFile", .malformedInput)
}

/// The second moments of what the LSTM cells of a model read, kept in a file: `formats/calibration`.
///
/// They are those of the model as it is. What a plan is rounded by is not judged by data, and layers do not answer for what the layers
/// before have done to their inputs; ``CalibratedCompressor`` does both, and needs the data.
public struct SavedCalibration: Sendable {
  /// What the data were.
  public let description: String
  /// Over how many steps the model was run.
  public let steps: Int
  /// The layers without moments, and why.
  public let leftOut: [(layer: String, reason: String)]
  /// By set of weights and direction.
  private let moments: [Int: [SecondMoments]]
  private let model: String

  private static let version = 1
  private static let kind = StateFile.Kind(
    name: "calibration of a model", magic: "lstmpack calibration\n", headerLimit: 1 << 24
  ) { file, problem in
    DiagnosticError(
      .badCalibrationFile, file: file, problem,
      hint: "give a file that `lstmpack calibrate` wrote for this model")
  }

  private struct Header: Codable {
    struct Cell: Codable {
      var weights: Int
      var direction: Int
      var size: Int
      var count: Int
    }
    var version: Int
    var model: String
    var data: String
    var steps: Int
    var cells: [Cell]
    var sizes: [Int]
  }

  /// Runs a model over data.
  ///
  /// - Parameters:
  ///   - original: The model.
  ///   - data: The data.
  ///   - threads: How many threads may work; the result does not depend on it.
  ///   - progress: Called with the number of LSTM layers done and in all.
  /// - Throws: ``DiagnosticError`` when the model cannot be run on the data.
  public init(
    of original: Model, on data: CalibrationData, threads: Int,
    progress: @escaping CalibratedCompressor.Progress = { _, _ in }
  ) throws(DiagnosticError) {
    var moments: [Int: [SecondMoments]] = [:]
    var leftOut: [(layer: String, reason: String)] = []
    let sets = original.calibrationOrder
    for (number, index) in sets.enumerated() {
      progress(number, sets.count)
      let set = original.lstmWeights[index]
      let name = original.layers(usingWeights: index).first?.name ?? "#\(index)"
      if let obstacle = LayerCalibration.obstacle(to: set) {
        leftOut.append((name, obstacle))
        continue
      }
      moments[index] = try CellMoments(weights: index, data: data.fitted, threads: threads)
        .collect(original: original, compressed: nil, hasBias: set.directions.map(\.hasBias))
    }
    progress(sets.count, sets.count)
    self.moments = moments
    self.leftOut = leftOut
    description = data.description
    steps = data.fitted.steps
    model = original.source.sha256
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - source: The file.
  ///   - original: The model that it has to be of.
  /// - Throws: ``DiagnosticError`` with code `badCalibrationFile`.
  public init(_ source: ByteSource, for original: Model) throws(DiagnosticError) {
    let file = try StateFile(source, Self.kind)
    guard let header = try? JSONDecoder().decode(Header.self, from: Data(file.header)),
      header.version == Self.version
    else { throw Self.kind.error(source.name, "was written by another version of lstmpack") }
    guard header.model == original.source.sha256 else {
      throw Self.kind.error(source.name, "belongs to another model")
    }
    var moments: [Int: [SecondMoments]] = [:]
    guard header.cells.count == header.sizes.count, header.steps >= 0 else {
      throw Self.kind.error(source.name, "does not hold the arrays that it lists")
    }
    for cell in header.cells {
      guard original.lstmWeights.indices.contains(cell.weights) else {
        throw Self.kind.error(source.name, "has moments of weights that the model does not have")
      }
      let set = original.lstmWeights[cell.weights]
      guard cell.direction == moments[cell.weights]?.count ?? 0,
        set.directions.indices.contains(cell.direction), cell.count > 0,
        LayerCalibration.obstacle(to: set) == nil,
        cell.size == Self.size(set, cell.direction)
      else {
        throw Self.kind.error(source.name, "has moments of other sizes than the model's cells")
      }
      moments[cell.weights, default: []].append(SecondMoments(size: 0))
    }
    for (index, own) in moments where own.count != original.lstmWeights[index].directions.count {
      throw Self.kind.error(source.name, "lacks a direction of LSTM weights")
    }
    guard
      zip(header.sizes, header.cells).allSatisfy({ $0 == $1.size * ($1.size + 1) / 2 })
    else { throw Self.kind.error(source.name, "does not hold the arrays that it lists") }
    let arrays = try file.arrays(sizes: header.sizes)
    for (cell, values) in zip(header.cells, arrays) {
      guard values.allSatisfy(\.isFinite) else {
        throw Self.kind.error(source.name, "has moments that are not finite")
      }
      moments[cell.weights]?[cell.direction] = SecondMoments(
        size: cell.size, count: cell.count, lowerTriangle: values)
    }
    self.moments = moments
    description = header.data
    steps = header.steps
    model = header.model
    leftOut = original.calibrationOrder.filter { moments[$0] == nil }.map { index in
      (
        original.layers(usingWeights: index).first?.name ?? "#\(index)",
        LayerCalibration.obstacle(to: original.lstmWeights[index])
          ?? "the file has no moments of it"
      )
    }
  }

  private static func size(_ set: LSTMWeights, _ direction: Int) -> Int {
    set.inputSize + set.outputSize + (set.directions[direction].hasBias ? 1 : 0)
  }

  /// Writes the file, which appears whole or not at all.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - overwrite: Whether it may exist already.
  /// - Throws: ``DiagnosticError`` with code `fileAccess` or `fileExists`.
  public func write(to path: String, overwrite: Bool) throws(DiagnosticError) {
    let cells = moments.sorted { $0.key < $1.key }.flatMap { weights, directions in
      directions.enumerated().map { (weights: weights, direction: $0, moments: $1) }
    }
    let arrays = cells.map(\.moments.lowerTriangle)
    let header = Header(
      version: Self.version, model: model, data: description, steps: steps,
      cells: cells.map {
        Header.Cell(
          weights: $0.weights, direction: $0.direction, size: $0.moments.size,
          count: $0.moments.count)
      }, sizes: arrays.map(\.count))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let text = try? encoder.encode(header) else {
      throw Self.kind.error(path, "its header cannot be written")
    }
    try StateFile.write(
      Self.kind, header: Array(text), arrays: arrays, to: path, overwrite: overwrite)
  }

  /// The LSTM layers with moments.
  public var layerCount: Int { moments.count }

  /// Applies a plan: codes, scales and biases by the moments, towards the original's weights.
  ///
  /// - Parameters:
  ///   - model: The model. After an error it is unspecified.
  ///   - plan: Which matrix gets which treatment.
  ///   - threads: How many threads may work; the result does not depend on it.
  ///   - progress: Called as work goes on.
  /// - Returns: What became of each matrix, and the layers that were rounded by moments.
  /// - Throws: ``DiagnosticError`` as `ModelCompressor`.
  public func compress(
    _ model: inout Model, plan: CompressionPlan, threads: Int,
    progress: @escaping CalibratedCompressor.Progress = { _, _ in }
  ) throws(DiagnosticError) -> (report: CompressionReport, calibrated: [String]) {
    let original = model
    var report = try ModelCompressor(plan: plan, threads: threads).compress(&model)
    var calibrated: [String] = []
    for (number, (index, own)) in moments.sorted(by: { $0.key < $1.key }).enumerated() {
      progress(number, moments.count)
      guard let layer = original.layers(usingWeights: index).first,
        case .lstm(let lstm) = layer.kind
      else { continue }
      let rounding = CellRounding(
        original: original.lstmWeights[index], weightsOnly: model.lstmWeights[index],
        layer: layer.name, directions: lstm.directions.map(\.direction), plan: plan,
        answersInputs: false, threads: threads)
      guard rounding.isNeeded, let weights = try rounding.run(own) else { continue }
      model.lstmWeights[index] = weights
      calibrated.append(layer.name)
    }
    progress(moments.count, moments.count)
    report.updateErrors(of: model, against: original, threads: threads)
    return (report, calibrated)
  }
}
