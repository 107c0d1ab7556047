public import Diagnostics
public import LSTMCore
import MatrixCompression
public import ModelCalibration
public import ModelCompression
public import ModelEvaluation

/// What each LSTM matrix of a model becomes under each of some treatments.
public struct TreatmentTable: Sendable {
  /// One matrix under one treatment.
  public struct Cell: Sendable {
    /// The treatment.
    public var treatment: Treatment
    /// The matrix as it is stored then.
    public var matrix: WeightMatrix
    /// ‖before − after‖ / ‖before‖.
    public var relativeError: Double
    /// What calibration adds to the bias of its gate; `nil` where it does not.
    public var biasChange: [Float]?
    /// Its bytes.
    public var byteCount: Int { matrix.byteCount }
  }

  /// One matrix under all treatments that can be done to it.
  public struct Row: Sendable {
    /// The matrix.
    public var path: MatrixPath
    /// Its elements before.
    public var original: Matrix
    /// The treatments, in the order in which they were given.
    public var cells: [Cell]
    /// Its bytes as float32.
    public var byteCount: Int { original.elements.count * MemoryLayout<Float>.size }
  }

  /// Called with what is being done, and how much of it is.
  public typealias Progress = @Sendable (_ stage: String, _ done: Int, _ total: Int) -> Void

  /// The model, whose LSTM matrices are replaced.
  public let model: Model
  /// The LSTM matrices, in the order of `Model.matrices`.
  public let rows: [Row]
  /// Whether treatments were calibrated, each matrix while all others are as in the original.
  public let isCalibrated: Bool
  /// Why not, though there are data; `nil` where nothing stands in the way.
  public let obstacleToCalibration: String?

  /// Treats every LSTM matrix.
  ///
  /// - Parameters:
  ///   - model: The model; packed and factored matrices are treated as written out.
  ///   - treatments: The treatments of a matrix; those that save nothing for it are left out.
  ///   - data: What codes, scales and biases are chosen on; by the weights alone when `nil`.
  ///   - threads: How many matrices may be treated at once; results do not depend on it.
  ///   - progress: Called after each matrix.
  /// - Throws: ``DiagnosticError`` with the matrix named, or when the model cannot be run on the data.
  public init(
    _ model: Model, treatments: @Sendable (Matrix) -> [Treatment],
    calibratedOn data: CalibrationData? = nil, threads: Int,
    progress: @escaping Progress = { _, _, _ in }
  ) throws(DiagnosticError) {
    self.model = model
    let obstacle = data == nil ? nil : MatrixCalibration.obstacle(for: model)
    obstacleToCalibration = obstacle.map { "treatments are chosen by the weights alone: \($0)" }
    let used = obstacle == nil ? data : nil
    isCalibrated = used != nil
    let calibration = try used.map { (data) throws(DiagnosticError) in
      try MatrixCalibration(model, data: data, threads: threads) {
        progress("calibration", $0, $1)
      }
    }
    let matrices = model.matrices.filter(\.path.isLSTM)
    rows = try mapTasks(
      matrices.count, threads: threads, progress: { progress("treatments", $0, $1) }
    ) { (index) throws(DiagnosticError) in
      let (path, matrix) = matrices[index]
      let original = matrix.dequantized
      return try Self.row(path, original, treatments(original), calibration)
    }
  }

  private static func row(
    _ path: MatrixPath, _ original: Matrix, _ treatments: [Treatment],
    _ calibration: MatrixCalibration?
  ) throws(DiagnosticError) -> Row {
    var row = Row(path: path, original: original, cells: [])
    for treatment in treatments {
      let plan = CompressionPlan(
        rules: [
          CompressionPlan.Rule(roles: Set(MatrixPath.Role.allCases), treatment: treatment)
        ])
      var matrix = WeightMatrix.dense(original)
      let outcome = try ModelCompressor(plan: plan, threads: 1)
        .compress(&matrix, path: path, threads: 1)
      guard outcome.result == .compressed else { continue }
      var cell = Cell(
        treatment: treatment, matrix: matrix, relativeError: outcome.relativeError)
      if let calibrated = try calibration?.calibrated(
        path, treatment: treatment, weightsOnly: matrix)
      {
        cell.matrix = calibrated.matrix
        cell.biasChange = calibrated.biasChange
        cell.relativeError = MatrixCompression.relativeError(
          of: calibrated.matrix, against: original, threads: 1)
      }
      row.cells.append(cell)
    }
    return row
  }

  /// The phrases of all treatments, each once, in the order in which rows have them.
  public var treatmentNames: [String] {
    var names: [String] = []
    for row in rows {
      var place = 0
      for cell in row.cells {
        let name = cell.treatment.phrase
        if let found = names.firstIndex(of: name) {
          place = max(place, found + 1)
        } else {
          names.insert(name, at: place)
          place += 1
        }
      }
    }
    return names
  }

  /// The treatments for all matrices alike: those that can be done to at least half of the bytes.
  ///
  /// Matrices too small for one stay as they are, as the commands leave them.
  public var uniformTreatments: [Treatment] {
    let cells = rows.flatMap(\.cells)
    return treatmentNames.compactMap { name in
      cells.first { $0.treatment.phrase == name }?.treatment
    }
    .filter { treatment in
      let treated = rows.filter { $0.cells.contains { $0.treatment == treatment } }
      return 2 * treated.reduce(0) { $0 + $1.byteCount } >= byteCount
    }
  }

  /// The bytes of all LSTM matrices as float32.
  public var byteCount: Int { rows.reduce(0) { $0 + $1.byteCount } }

  /// The model with some of the matrices treated, written out in float32: what counts is the
  /// values, and dense weights run fastest.
  ///
  /// - Parameter choices: For each row the place of a cell, or `nil` for the original.
  /// - Returns: The model.
  public func model(with choices: [Int?]) -> Model {
    var replaced: [MatrixPath: Int] = [:]
    for (index, choice) in choices.enumerated() where choice != nil {
      replaced[rows[index].path] = index
    }
    var result = model
    result.updateMatrices { path, matrix in
      guard let index = replaced[path], let choice = choices[index] else { return }
      matrix = .dense(rows[index].cells[choice].matrix.dequantized)
    }
    for (row, choice) in zip(rows, choices) {
      guard let choice, let change = row.cells[choice].biasChange, let gate = row.path.gate,
        let (weights, direction) = model.lstmDirection(of: row.path)
      else { continue }
      let sum = result.lstmWeights[weights].directions[direction].biasSum(gate)
      result.lstmWeights[weights].directions[direction].setBiasSum(
        gate, to: zip(sum, change).map { $0 + $1 })
    }
    return result
  }

  /// The bytes of the LSTM matrices under some choices.
  public func byteCount(of choices: [Int?]) -> Int {
    zip(rows, choices).reduce(0) { sum, item in
      sum + (item.1.map { item.0.cells[$0].byteCount } ?? item.0.byteCount)
    }
  }

  /// The matrices that an evaluation does not exercise: every treatment changes the weights, and none
  /// changes the outputs.
  ///
  /// A score alone, such as an accuracy, may stay the same by chance, so only evaluations that compare
  /// outputs tell.
  ///
  /// - Parameters:
  ///   - scores: Of single treatments, by row and cell; `nil` for one without a score.
  ///   - original: What the original scores.
  /// - Returns: The matrices.
  public func unexercised(
    _ scores: [(row: Int, cell: Int, score: HookScore?)], original: HookScore
  ) -> Set<MatrixPath> {
    var changed: Set<Int> = []
    var silent: Set<Int> = []
    for (row, cell, score) in scores where rows[row].cells[cell].relativeError > 0 {
      guard let score, let divergence = score.divergence, divergence == 0,
        score.value == original.value
      else {
        changed.insert(row)
        continue
      }
      silent.insert(row)
    }
    return Set(silent.subtracting(changed).map { rows[$0].path })
  }
}
