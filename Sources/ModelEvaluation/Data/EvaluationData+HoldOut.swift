public import Diagnostics
internal import LSTMCore

extension EvaluationData {
  /// One part in N is held out.
  private static let holdOutParts = 5

  /// Parts the data in those that something is fitted to and those that judge it: of a text the end of each stream, of
  /// several sequences every fifth, of calls those at the end.
  ///
  /// - Parameter unit: How many sequences a model takes at once, which stay together.
  /// - Returns: Both parts, without labels; `nil` for the second where the data are too few to be parted.
  /// - Throws: ``DiagnosticError`` when sequences cannot be taken out.
  public func holdingOut(inUnitsOf unit: Int = 1) throws(DiagnosticError) -> (
    fitted: EvaluationData, heldOut: EvaluationData?
  ) {
    var data = self
    data.labels = nil
    let parts = Self.holdOutParts
    switch content {
    case .text(let tokens, let streams):
      let length = tokens.count / max(1, streams)
      let kept = length - length / parts
      guard length - kept >= 2, kept >= 2 else { return (data, nil) }
      func part(_ range: Range<Int>) -> EvaluationData {
        var part = data
        part.content = .text(
          tokens: (0..<streams).flatMap { stream in
            tokens[stream * length + range.lowerBound..<stream * length + range.upperBound]
          }, streams: streams)
        return part
      }
      return (part(0..<kept), part(kept..<length))
    case .sequences(let inputs):
      let count = self.count
      let units = count / max(1, unit)
      if units >= parts {
        func part(_ isHeldOut: Bool) throws(DiagnosticError) -> EvaluationData {
          let rows = (0..<units * max(1, unit)).filter {
            ($0 / max(1, unit) % parts == parts - 1) == isHeldOut
          }
          var part = data
          var taken: [String: Tensor] = [:]
          for (name, tensor) in inputs {
            taken[name] = try Tensor.joined(
              try rows.map { (row) throws(DiagnosticError) in
                try tensor.sliced(starts: [row], ends: [row + 1], axes: [0], steps: nil)
              })
          }
          part.content = .sequences(taken)
          return part
        }
        return (try part(false), try part(true))
      }
      let calls = callsPerSequence
      let kept = calls - calls / parts
      guard self.calls != nil, kept < calls, kept > 0 else { return (data, nil) }
      return (
        try data.calls(0..<kept, ofSequences: 0..<count),
        try data.calls(kept..<calls, ofSequences: 0..<count)
      )
    }
  }
}
