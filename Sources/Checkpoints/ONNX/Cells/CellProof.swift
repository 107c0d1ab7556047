import Diagnostics
import LSTMCore
import ONNXProto

/// Compares what the nodes of a cell compute with the layer rebuilt from its weights.
struct CellProof {
  /// What goes into a cell and comes out of it.
  struct Bound {
    let input: ONNXValueID
    let output: ONNXValueID
    let cell: ONNXValueID
    let newOutput: ONNXValueID
    let newCell: ONNXValueID
  }

  /// Both sides are accumulated in double precision and rounded to float32 on the way.
  private static let tolerance = 1e-5
  /// So many sequences are tried at once.
  static let rows = 2
  /// The most multiplications of all proofs together: a file with many cells must end, too.
  private static let budget = 1 << 32

  /// What came of it.
  enum Outcome {
    /// They agree; the initializers that the nodes read.
    case proved(Set<String>)
    /// They differ.
    case differs
    /// The nodes cannot be worked out, or would take too long.
    case unknown(reason: String)
  }

  private let byteCount: Int
  private var remaining = Self.budget

  init(byteCount: Int) { self.byteCount = byteCount }

  /// Works both out for some numbers.
  ///
  /// - Parameters:
  ///   - layer: The layer as rebuilt, of one direction.
  ///   - weights: Its weights.
  ///   - bound: The values of the graph.
  /// - Returns: Whether they agree.
  /// - Throws: `DiagnosticError` for damaged tensors.
  mutating func prove(
    _ layer: LSTMLayer, _ weights: LSTMWeights, _ bound: Bound
  ) throws -> Outcome {
    remaining -= 8 * Self.rows * weights.hiddenSize * (weights.inputSize + weights.hiddenSize)
    guard remaining > 0 else {
      return .unknown(reason: "the file has more cells than lstmpack works out")
    }
    var random = SeededGenerator(seed: 1)
    let scale = Self.scale(of: weights)
    func numbers(_ size: Int, scale: Float) -> [Float] {
      (0..<Self.rows * size).map { _ in Float.random(in: -scale...scale, using: &random) }
    }
    // Of one value go in the same numbers: without a state, h and c of the first step are one zero.
    var inputs: [ONNXValueID: (width: Int, numbers: [Float])] = [:]
    for (value, width, scale) in [
      (bound.input, weights.inputSize, scale), (bound.output, weights.hiddenSize, scale),
      (bound.cell, weights.hiddenSize, 1),
    ] {
      guard inputs[value]?.width ?? width == width else { return .differs }
      if inputs[value] == nil { inputs[value] = (width, numbers(width, scale: scale)) }
    }
    let (x, h, c) = (
      inputs[bound.input]?.numbers ?? [], inputs[bound.output]?.numbers ?? [],
      inputs[bound.cell]?.numbers ?? []
    )
    let expected = Self.step(layer, weights, x: x, h: h, c: c)
    // Rows first; some graphs carry an axis of one element in front.
    for leading in [[Self.rows], [1, Self.rows], [Self.rows, 1]] {
      let bindings = inputs.mapValues {
        ONNXConstant(dims: leading + [$0.width], elements: .floats($0.numbers))
      }
      let evaluator = ONNXEvaluator(byteCount: 64 * byteCount, bindings: bindings)
      guard
        let newCell = try Self.floats(bound.newCell, evaluator),
        let newOutput = try Self.floats(bound.newOutput, evaluator)
      else { continue }
      return Self.areClose(newCell, expected.c) && Self.areClose(newOutput, expected.h)
        ? .proved(evaluator.usedInitializers) : .differs
    }
    return .unknown(reason: "lstmpack cannot work out all of its nodes")
  }

  private static func floats(
    _ value: ONNXValueID, _ evaluator: ONNXEvaluator
  ) throws -> [Float]? {
    do { return try evaluator.value(value.name, in: value.scope).floats } catch is ONNXEvaluator
      .NotConstant
    { return nil } catch let error as DiagnosticError where error.code == .malformedONNX {
      // Shapes that do not fit: another number of axes may.
      return nil
    }
  }

  private static func areClose(_ found: [Float], _ expected: [Double]) -> Bool {
    found.count == expected.count
      && zip(found, expected).allSatisfy {
        abs(Double($0) - $1) <= tolerance * (1 + abs($1))
      }
  }

  /// Numbers so small that gates are not saturated, where anything would look alike.
  private static func scale(of weights: LSTMWeights) -> Float {
    var largest: Float = 0
    for gate in Gate.allCases {
      for matrix in [
        weights.directions[0].inputWeights[gate].dequantized,
        weights.directions[0].recurrentWeights[gate].dequantized,
      ] {
        for row in 0..<matrix.rows {
          let elements = matrix.elements[row * matrix.columns..<(row + 1) * matrix.columns]
          largest = max(largest, elements.reduce(0) { $0 + abs($1) })
        }
      }
    }
    return largest > 2 ? 2 / largest : 1
  }

  /// One step, from the equations (ONNX, `docs/Operators.md`, LSTM).
  private static func step(
    _ layer: LSTMLayer, _ weights: LSTMWeights, x: [Float], h: [Float], c: [Float]
  ) -> (h: [Double], c: [Double]) {
    let units = weights.hiddenSize
    let inputs = weights.inputSize
    let set = weights.directions[0]
    let settings = layer.directions[0]
    let w = PerGate { set.inputWeights[$0].dequantized }
    let r = PerGate { set.recurrentWeights[$0].dequantized }
    var newH = [Double](repeating: 0, count: rows * units)
    var newC = newH
    for row in 0..<rows {
      for unit in 0..<units {
        func sum(_ gate: Gate, _ cell: Double) -> Double {
          var sum = Double(set.bias?[gate][unit] ?? 0)
          sum += Double(set.recurrentBias?[gate][unit] ?? 0)
          if gate != .cell { sum += Double(set.peepholes?[gate][unit] ?? 0) * cell }
          for k in 0..<inputs { sum += Double(w[gate][unit, k]) * Double(x[row * inputs + k]) }
          for k in 0..<units { sum += Double(r[gate][unit, k]) * Double(h[row * units + k]) }
          return sum
        }
        let before = Double(c[row * units + unit])
        func gate(_ gate: Gate, _ cell: Double) -> Double {
          settings.gateActivation.value(at: sum(gate, cell)) ?? .nan
        }
        let candidate = settings.cellActivation.value(at: sum(.cell, 0)) ?? .nan
        let after = gate(.forget, before) * before + gate(.input, before) * candidate
        newC[row * units + unit] = after
        newH[row * units + unit] =
          gate(.output, after) * (settings.outputActivation.value(at: after) ?? .nan)
      }
    }
    return (newH, newC)
  }
}
