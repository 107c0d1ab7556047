import Checkpoints
import FileSupport
import Foundation
import LSTMCore
import TestSupport
import Testing

/// `.weights.h5` of Keras 3 (`Tests/Fixtures/keras_groups.py`): a layer is what its group says, whatever
/// its own name is.
@Suite struct KerasGroupTests {
  private func layers(_ file: String) throws -> [Layer] {
    try CheckpointFormats.importModel(from: ByteSource(path: fixture("keras/\(file)").path))
      .model.layers
  }

  /// What a layer is, as one reads it: its class and whether it is an LSTM, a matrix or left alone.
  private func text(_ layer: Layer) -> String {
    switch layer.kind {
    case .lstm: "\(layer.name): \(layer.sourceClass), lstm"
    case .embedding(let embedding):
      "\(layer.name): \(layer.sourceClass), embedding "
        + "\(embedding.weights.rows)×\(embedding.weights.columns)"
    case .dense(let dense):
      "\(layer.name): \(layer.sourceClass), dense \(dense.weights.rows)×\(dense.weights.columns)"
        + (dense.bias == nil ? " without bias" : "")
    case .opaque(let opaque):
      "\(layer.name): \(layer.sourceClass), \(opaque.reason ?? "left alone")"
    }
  }

  @Test func classesComeFromGroups() throws {
    let none = "a weights-only file does not say of which class the layer in it is"
    #expect(
      Set(try layers("k3-groups.weights.h5").map(text)) == [
        "bn: BatchNormalization, left alone", "both: Bidirectional, lstm",
        "both_gru: Bidirectional, a GRU has 3 gates, an LSTM 4",
        "embedding_of_steps: Conv1D, left alone", "dense_steps: Conv1D, left alone",
        "embedding_out: Dense, dense 6×4 without bias", "scores: Dense, dense 4×6",
        "tok: Embedding, embedding 9×4",
        "lstm: GRU, a GRU has 3 gates, an LSTM 4; lstmpack compresses LSTMs",
        "input_layer: InputLayer, left alone", "embedding_lstm: LSTM, lstm", "dense: LSTM, lstm",
        "gru: LSTM, lstm", "one_cell: LSTM, lstm", "stack/cell_0: LSTM, lstm",
        "stack/cell_1: LSTM, lstm", "sep: SeparableConv1D, left alone",
        "td: TimeDistributed(Dense), dense 6×5", "td_free: TimeDistributed, \(none)",
      ])
  }

  /// Numbered groups are in order beyond the tenth, also in a model in a model.
  @Test func groupsAreInOrder() throws {
    #expect(
      try layers("k3-groups-nested.weights.h5").filter { $0.sourceClass == "LSTM" }.map(\.name)
        == (0...10).map { "enc/l\($0)" })
  }

  /// A class of the user's has layers in attributes, beside those in lists; none is lost.
  @Test func attributesHoldLayersToo() throws {
    #expect(
      try layers("k3-groups-subclassed.weights.h5").map(text) == [
        "embedding: Embedding, embedding 9×4", "lstm: LSTM, lstm", "lstm_1: LSTM, lstm",
        "lstm_2: LSTM, lstm", "block: ?, left alone", "block/dense_2: Dense, dense 4×4",
        "dense_3: Dense, dense 3×4", "sequential/dense: Dense, dense 4×4",
        "sequential/dense_1: Dense, dense 4×4",
      ])
  }
}
