package import Diagnostics
import LSTMCore
package import ModelEvaluation

/// Which data an update learns from.
///
/// Where not all steps that are wanted can be in memory, parts of the data take turns. Where the data are few, so that steps would
/// be read again and again, each part comes with copies of it (``DataCopies``), others each time.
package struct TuningWindows: Sendable {
  private let data: EvaluationData
  private let maker: DataCopies?
  /// The parts of the data.
  package let count: Int
  /// The copies that come with a part; 0 where there are data enough.
  package let copies: Int
  /// The updates that learn from one window before the next has its turn.
  package let updatesEach: Int

  /// The steps of a stream that a part has at least.
  private static let leastLength = 64
  /// The copies that come with a part, at most.
  package static let mostCopies = 7

  /// - Parameters:
  ///   - data: The data.
  ///   - updates: The updates that learn from them.
  ///   - copies: Makes copies, where some would differ.
  ///   - capacity: The steps that can be in memory, about.
  ///   - readings: How often a step is learned from before the next window has its turn.
  ///   - stepsPerUpdate: The steps that an update reads of data with N copies.
  /// - Throws: ``DiagnosticError`` when sequences cannot be taken out.
  package init(
    _ data: EvaluationData, updates: Int, copies: DataCopies?, capacity: Int, readings: Int,
    stepsPerUpdate: (Int) -> Int
  ) throws(DiagnosticError) {
    func wanted(_ copies: Int) -> Int {
      saturatingProduct(updates, stepsPerUpdate(copies)) / max(1, readings)
    }
    // Asked before a sample is taken, which has a little less than was wanted.
    let areEnough = Self.areEnough(data, updates, readings, stepsPerUpdate)
    let data = wanted(0) < data.steps ? try data.sample(steps: wanted(0)) : data
    self.data = data
    maker = copies
    let least: Int
    if data.calls != nil {
      // Calls follow each other.
      least = data.steps
    } else if case .text(_, let streams) = data.content {
      least = streams * Self.leastLength
    } else {
      least = data.steps / max(1, data.count)
    }
    let most =
      copies == nil || areEnough
      ? 0 : max(0, min(Self.mostCopies, capacity / max(1, least) - 1))
    // As many windows as hold what is wanted, of equal size.
    let steps = wanted(most)
    let turns = (steps - 1) / max(1, saturatingProduct(data.steps, 1 + most)) + 1
    self.copies = min(most, max(0, steps - 1) / max(1, turns * data.steps))
    count = max(1, (data.steps - 1) / max(1, least, capacity / (1 + self.copies)) + 1)
    updatesEach = max(
      1,
      data.steps / count * (1 + self.copies) * readings / max(1, stepsPerUpdate(self.copies)))
  }

  /// Whether no step of data has to be read more often.
  package static func areEnough(
    _ data: EvaluationData, _ updates: Int, _ readings: Int, _ stepsPerUpdate: (Int) -> Int
  ) -> Bool {
    saturatingProduct(updates, stepsPerUpdate(0)) / max(1, readings) <= data.steps
  }

  /// The steps that are learned from, without copies.
  package var steps: Int { data.steps }

  /// The window that an update learns from, counted from 0 on.
  package func window(ofUpdate update: Int) -> Int {
    let turn = max(0, update) / updatesEach
    return copies > 0 ? turn : turn % count
  }

  /// The data of a window.
  ///
  /// - Throws: ``DiagnosticError`` when copies cannot be made.
  package func data(ofWindow window: Int) throws(DiagnosticError) -> EvaluationData {
    let part = try data.part(window % count, of: count)
    return try maker?.adding(to: part, copies: copies, number: window) ?? part
  }
}
