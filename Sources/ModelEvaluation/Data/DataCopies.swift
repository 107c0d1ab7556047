package import Diagnostics
package import LSTMCore
internal import LSTMRuntime

/// Makes data that are like others but not the same, for learning where there are few.
///
/// A language model goes on from single tokens of a text in its own words. Of other data, a copy of a sequence is mixed
/// with another sequence at another time (``SequenceMixture``); sequences of integers are cut, and go on with what another has
/// after the cut.
public struct DataCopies: Sendable {
  /// How copies are made, for reports.
  public enum Kind: String, Sendable {
    /// Text that the model writes.
    case written
    /// Sequences that are mixed or cut.
    case mixed
  }

  package let kind: Kind
  private let model: Model
  private let seed: UInt64
  private let threads: Int
  /// What is known of each input of numbers.
  private let features: [String: InputFeatures]

  /// Looks at data; `nil` when no copy would differ.
  ///
  /// - Parameters:
  ///   - data: The data, fitted to the model.
  ///   - model: The model that is run on them.
  ///   - seed: The seed of all copies.
  ///   - threads: How many threads may work; the copies do not depend on it.
  package init?(_ data: EvaluationData, for model: Model, seed: UInt64, threads: Int) {
    self.model = model
    self.seed = seed
    self.threads = threads
    switch data.content {
    case .text:
      // A model whose outputs are no probabilities of tokens does not write.
      guard let prepared = try? PreparedModel(model),
        var writer = TextWriter(model, prepared, seed: seed, threads: threads),
        case .text? = (try? writer.write(streams: 1, tokens: 2))?.content
      else { return nil }
      kind = .written
      features = [:]
    case .sequences(let inputs):
      kind = .mixed
      let areCalls = data.calls != nil
      features = inputs.compactMapValues {
        InputFeatures($0, hasSteps: areCalls || $0.dims.count > 2)
      }
      let areCut = data.count > 1 && inputs.values.contains { Self.isCut($0) }
      guard areCut || features.values.contains(where: \.varies) else { return nil }
    }
  }

  /// Whether a sequence of it is cut and goes on with another.
  private static func isCut(_ tensor: Tensor) -> Bool {
    tensor.integers != nil && tensor.dims.count > 1 && tensor.dims[1] > 1
  }

  /// Data, and copies of them behind.
  ///
  /// - Parameters:
  ///   - data: The data, or a part of them.
  ///   - count: How many copies of each sequence.
  ///   - number: Copies of another number are others.
  /// - Returns: The data followed by the copies.
  /// - Throws: ``DiagnosticError`` when the model cannot write.
  package func adding(
    to data: EvaluationData, copies count: Int, number: Int
  ) throws(DiagnosticError) -> EvaluationData {
    guard count > 0 else { return data }
    var random = SeededGenerator(
      seed: seed &+ UInt64(bitPattern: Int64(number)) &* 0x9E37_79B9_7F4A_7C15)
    var result = data
    switch data.content {
    case .text(let tokens, let streams):
      do {
        let prepared = try PreparedModel(model)
        guard var writer = TextWriter(model, prepared, seed: random.next(), threads: threads)
        else { return data }
        let length = tokens.count / max(1, streams)
        var all = Array(tokens.prefix(length * streams))
        for _ in 0..<count {
          // A model with a batch of fixed size writes as many streams as that.
          let written = try writer.write(streams: streams, tokens: length, starts: tokens)
          guard case .text(let own, _)? = written?.content else {
            throw DiagnosticError(
              .limitExceeded, "the model cannot write as much text again as the data have")
          }
          all += own
        }
        result.content = .text(tokens: all, streams: all.count / max(1, length))
      } catch { throw error as? DiagnosticError ?? DiagnosticError(.badEvaluationData, "\(error)") }
    case .sequences(let inputs):
      let sequences = data.count
      var copies = inputs.mapValues { _ in [Tensor]() }
      for number in 0..<sequences * count {
        let mixture = SequenceMixture(of: number % sequences, and: sequences, &random)
        for (name, tensor) in inputs {
          copies[name]?.append(try copy(of: tensor, name, mixture))
        }
      }
      var joined: [String: Tensor] = [:]
      for (name, tensor) in inputs {
        joined[name] = try Tensor.joined([tensor] + (copies[name] ?? []))
      }
      result.content = .sequences(joined)
    }
    return result
  }

  private func copy(
    of tensor: Tensor, _ name: String, _ mixture: SequenceMixture
  ) throws(DiagnosticError) -> Tensor {
    func row(_ number: Int) throws(DiagnosticError) -> Tensor {
      try tensor.sliced(starts: [number], ends: [number + 1], axes: [0], steps: nil)
    }
    var own = try row(mixture.first)
    let other = try row(mixture.second)
    if let features = features[name], let first = own.floats, let second = other.floats {
      own.elements = .floats(features.mixed(first, second, mixture))
    } else if Self.isCut(own), let first = own.integers, let second = other.integers {
      let cut = Int(mixture.cut * Double(own.dims[1])) * (first.count / own.dims[1])
      own.elements = .integers((first[..<cut] + second[cut...]).map { Int64($0) })
    }
    return own
  }
}
