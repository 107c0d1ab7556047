internal import Diagnostics
internal import LSTMCore

/// The layers of a model made ready to run, each once, however many nodes use it.
///
/// A graph comes from a file and may name a layer as often as it likes; memory must not grow with
/// that.
final class PreparedLayers {
  /// How their products are computed.
  let options: KernelOptions
  private var lstms: [Int: PreparedLSTM] = [:]
  private var maps: [Int: any LinearMap] = [:]
  private var tables: [Int: EmbeddingTable] = [:]
  private var tensors: [String: Tensor] = [:]

  init(_ options: KernelOptions) { self.options = options }

  /// The bytes of what was prepared.
  var byteCount: Int {
    lstms.values.reduce(0) { $0 + $1.byteCount } + maps.values.reduce(0) { $0 + $1.byteCount }
      + tables.values.reduce(0) { $0 + $1.byteCount }
      + tensors.values.reduce(0) { $0 + GraphValue($1).byteCount }
  }

  /// The LSTM of a layer.
  func lstm(_ index: Int, _ make: () throws -> PreparedLSTM) rethrows -> PreparedLSTM {
    if let known = lstms[index] { return known }
    let made = try make()
    lstms[index] = made
    return made
  }

  /// The matrix of a dense layer.
  func map(_ index: Int, _ weights: WeightMatrix) -> any LinearMap {
    if let known = maps[index] { return known }
    let made = LinearMaps.map(weights, options)
    maps[index] = made
    return made
  }

  /// The table of an embedding.
  func table(_ index: Int, _ weights: WeightMatrix) -> EmbeddingTable {
    if let known = tables[index] { return known }
    let made = EmbeddingTable(weights)
    tables[index] = made
    return made
  }

  /// A tensor of a layer as a value.
  func tensor(_ index: Int, _ number: Int, _ make: () throws -> Tensor) rethrows -> Tensor {
    if let known = tensors["\(index)/\(number)"] { return known }
    let made = try make()
    tensors["\(index)/\(number)"] = made
    return made
  }
}
