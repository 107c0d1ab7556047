/// A gate of an LSTM cell.
///
/// The order of the cases is the canonical order of lstmpack: input, forget, cell, output (i f g o,
/// as in PyTorch). Other orders exist only in `Checkpoints/GateOrder.swift`.
public enum Gate: Int, CaseIterable, Hashable, Sendable, CustomStringConvertible {
  /// The input gate i.
  case input
  /// The forget gate f.
  case forget
  /// The cell gate g, also called candidate; Keras calls it c.
  case cell
  /// The output gate o.
  case output

  /// The name used in paths, options and files: `input`, `forget`, `cell`, `output`.
  public var description: String {
    switch self {
    case .input: "input"
    case .forget: "forget"
    case .cell: "cell"
    case .output: "output"
    }
  }

  /// The gate of that name, as in ``description``.
  public init?(name: some StringProtocol) {
    guard let gate = Gate.allCases.first(where: { $0.description == name }) else { return nil }
    self = gate
  }
}

/// One value for each gate, in canonical order.
public struct PerGate<Value> {
  private var values: [Value]

  /// Makes a value for each gate, asked for in canonical order.
  public init<Failure>(_ value: (Gate) throws(Failure) -> Value) throws(Failure) {
    var values: [Value] = []
    for gate in Gate.allCases { values.append(try value(gate)) }
    self.values = values
  }

  /// The value of one gate.
  public subscript(gate: Gate) -> Value {
    get { values[gate.rawValue] }
    set { values[gate.rawValue] = newValue }
  }
}

extension PerGate: Sendable where Value: Sendable {}
extension PerGate: Equatable where Value: Equatable {}
