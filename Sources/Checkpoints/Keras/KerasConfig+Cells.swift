import Diagnostics
import OrderedJSON

/// `RNN` layers around cells, as the LSTM layers that they amount to.
extension KerasConfig {
  /// What an `RNN` layer holds.
  enum Cells {
    /// LSTM cells, the innermost first, each as the config of an `LSTM` layer of its own: every cell of
    /// a stack but the last returns sequences, and only the first turns time round.
    case lstms([KerasConfig])
    /// Something else, by name.
    case other(String)
  }

  /// The cells of an `RNN` layer; `nil` for other classes.
  ///
  /// - Throws: `DiagnosticError` when a cell is no layer.
  func cells() throws(DiagnosticError) -> Cells? {
    guard className == "RNN", let cell = try wrapped("cell") else { return nil }
    var cells = [cell]
    if cell.className == "StackedRNNCells" {
      cells = []
      for value in try cell.list("cells") ?? [] {
        cells.append(try KerasConfig(cell: value))
      }
    }
    if let other = cells.first(where: { $0.className != "LSTMCell" }) {
      return .other(other.className)
    }
    guard !cells.isEmpty else { return .other("no cells") }
    return .lstms(
      cells.enumerated().map { index, cell in
        let isLast = index == cells.count - 1
        var settings = cell.settings
        for member in self.settings.members
        where !["cell", "name", "dtype", "trainable"].contains(member.key) {
          settings[member.key] = member.value
        }
        if !isLast { settings["return_sequences"] = true }
        if index > 0 { settings["go_backwards"] = false }
        return KerasConfig(
          name: cells.count == 1 ? name : "cell_\(index)", className: "LSTM", settings: settings)
      })
  }

  /// What this layer does, as the config of an `LSTM` when it is one or an `RNN` of one LSTM cell.
  ///
  /// - Throws: As ``cells()``.
  func asLSTM() throws(DiagnosticError) -> KerasConfig? {
    if ["LSTM", "CuDNNLSTM"].contains(className) { return self }
    if case .lstms(let lstms)? = try cells(), lstms.count == 1 { return lstms[0] }
    return nil
  }

  /// The layer inside `TimeDistributed` wrappers, and how many there are around it.
  ///
  /// - Throws: `DiagnosticError` when what is wrapped is no layer, or they are too many.
  func insideTimeDistributed() throws(DiagnosticError) -> (config: KerasConfig, depth: Int) {
    var config = self
    var depth = 0
    while config.className == "TimeDistributed", let inner = try config.wrapped() {
      config = inner
      depth += 1
      guard depth < 16 else {
        throw DiagnosticError(.limitExceeded, object: name, "wrappers are nested too deeply")
      }
    }
    return (config, depth)
  }
}
