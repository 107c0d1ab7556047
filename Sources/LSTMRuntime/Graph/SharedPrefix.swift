internal import LSTMCore
internal import Synchronization

/// What models make before their first LSTM, embedding or dense layer, kept batch by batch.
///
/// Models that are compressed in different ways differ in the weights of these layers alone. What comes
/// before, such as convolutions, is the same for all of them and is computed once. The models that
/// share a prefix have the same graph and the same other layers, and are run on the same batches.
public final class SharedPrefix: Sendable {
  /// The most elements that are kept; later batches are computed anew.
  private static let elementLimit = 1 << 26

  private struct Kept {
    var batches: [Int: [Int: GraphValue]] = [:]
    var elements = 0
  }

  private let kept = Mutex(Kept())

  /// Creates a prefix of which nothing is known yet.
  public init() {}

  /// The values of a batch by their places; `nil` when they are not kept.
  func values(ofBatch batch: Int) -> [Int: GraphValue]? { kept.withLock { $0.batches[batch] } }

  /// Keeps the values of a batch, if there is room.
  func keep(_ values: [Int: GraphValue], ofBatch batch: Int) {
    let count = values.values.reduce(0) { $0 + $1.tensor.count }
    kept.withLock {
      guard $0.batches[batch] == nil, $0.elements + count <= Self.elementLimit else { return }
      $0.batches[batch] = values
      $0.elements += count
    }
  }
}
