public import Diagnostics
public import FileSupport
public import LSTMCore

/// The windows of NASA's turbofan data (C-MAPSS FD001) on which the published failure-within-30-cycles
/// model is scored: 50 cycles of one engine, 25 features each, scaled to 0…1 on the training set.
///
/// Source: the model's own preparation, as `eval_pdm.py` among the shared models has it.
public struct TurbofanWindows: Sendable {
  /// The cycles of a window.
  public static let steps = 50
  /// Three settings, the cycle, 21 sensors.
  public static let features = 25
  /// From one window for calibration to the next.
  private static let trainingStride = 8
  /// A window is positive when at most so many cycles are left.
  private static let cyclesLeft = 30.0

  /// `[windows, 50, 25]`.
  public let inputs: Tensor
  /// 1 when the engine fails within 30 cycles of the window's end, `[windows]`.
  public let labels: Tensor
  /// The windows that end with the last cycle of an engine.
  public let lastWindows: [Int]
  /// Every eighth window of the engines for training, without labels, `[windows, 50, 25]`.
  public let training: Tensor

  /// Cuts the windows.
  ///
  /// - Parameters:
  ///   - train: `PM_train.txt`: engine, cycle, settings and sensors, separated by spaces.
  ///   - test: `PM_test.txt`, likewise.
  ///   - truth: `PM_truth.txt`: the cycles that each engine of the test has left at its end.
  /// - Throws: ``DiagnosticError`` when a file does not hold that.
  public init(
    train: ByteSource, test: ByteSource, truth: ByteSource
  ) throws(DiagnosticError) {
    let trainRows = try Self.rows(train, columns: 26)
    let testRows = try Self.rows(test, columns: 26)
    let left = try Self.rows(truth, columns: 1).map { $0[0] }
    var low = [Double](repeating: .infinity, count: Self.features)
    var high = [Double](repeating: -.infinity, count: Self.features)
    for row in trainRows {
      for (index, value) in Self.features(of: row).enumerated() {
        low[index] = min(low[index], value)
        high[index] = max(high[index], value)
      }
    }
    func scaled(_ cycles: [[Double]]) -> [[Float]] {
      cycles.map { row in
        Self.features(of: row).enumerated().map { index, value in
          Float((value - low[index]) / (high[index] > low[index] ? high[index] - low[index] : 1))
        }
      }
    }
    var elements: [Float] = []
    var labels: [Int64] = []
    var lastWindows: [Int] = []
    for (engine, left) in left.enumerated() {
      let cycles = testRows.filter { $0[0] == Double(engine + 1) }
      guard cycles.count >= Self.steps, let end = cycles.last?[1] else { continue }
      let scaled = scaled(cycles)
      for last in Self.steps...cycles.count {
        for row in scaled[last - Self.steps..<last] { elements += row }
        labels.append(left + end - cycles[last - 1][1] <= Self.cyclesLeft ? 1 : 0)
      }
      lastWindows.append(labels.count - 1)
    }
    var windows: [Float] = []
    for engine in Set(trainRows.map { $0[0] }).sorted() {
      let cycles = scaled(trainRows.filter { $0[0] == engine })
      for last in stride(from: Self.steps, through: cycles.count, by: Self.trainingStride) {
        for row in cycles[last - Self.steps..<last] { windows += row }
      }
    }
    training = Tensor(
      [windows.count / (Self.steps * Self.features), Self.steps, Self.features], windows)
    inputs = Tensor([labels.count, Self.steps, Self.features], elements)
    self.labels = Tensor(dims: [labels.count], elements: .integers(labels))
    self.lastWindows = lastWindows
  }

  private static func features(of row: [Double]) -> [Double] {
    Array(row[2..<5]) + [row[1]] + Array(row[5..<26])
  }

  /// In double precision: sensors differ in their last digits, and scaling blows these up.
  private static func rows(
    _ source: ByteSource, columns: Int
  ) throws(DiagnosticError) -> [[Double]] {
    let text = String(decoding: try source.bytes(in: 0..<source.count), as: UTF8.self)
    var rows: [[Double]] = []
    for line in text.split(whereSeparator: \.isNewline) {
      let row = line.split(separator: " ").compactMap { Double($0) }
      if row.isEmpty { continue }
      guard row.count == columns else {
        throw DiagnosticError(
          .badTurbofanData, file: source.name, object: "line \(rows.count + 1)",
          "expected \(columns) numbers, found \(row.count)")
      }
      rows.append(row)
    }
    return rows
  }
}

extension DiagnosticError.Code {
  /// A file that does not hold the turbofan data.
  static let badTurbofanData = Self("benchmark.badData", .malformedInput)
}
