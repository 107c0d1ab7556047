public import Diagnostics
internal import LSTMCore

extension EvaluationData {
  /// One part in N is held out.
  private static let holdOutParts = 5

  /// Parts the data in those that something is fitted to and those that judge it: of a text the end of each stream, of
  /// several sequences every fifth, of calls those at the end.
  ///
  /// - Parameter unit: How many sequences a model takes at once, which stay together.
  /// - Returns: Both parts, each with its labels; `nil` for the second where the data are too few to be parted.
  /// - Throws: ``DiagnosticError`` when sequences cannot be taken out.
  public func holdingOut(inUnitsOf unit: Int = 1) throws(DiagnosticError) -> (
    fitted: EvaluationData, heldOut: EvaluationData?
  ) {
    let parts = Self.holdOutParts
    switch content {
    case .text(let tokens, let streams):
      let length = tokens.count / max(1, streams)
      let kept = length - length / parts
      guard length - kept >= 2, kept >= 2 else { return (self, nil) }
      func part(_ range: Range<Int>) -> EvaluationData {
        var part = self
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
          func taken(_ tensor: Tensor) throws(DiagnosticError) -> Tensor {
            try Tensor.joined(
              try rows.map { (row) throws(DiagnosticError) in
                try tensor.sliced(starts: [row], ends: [row + 1], axes: [0], steps: nil)
              })
          }
          var part = self
          var own: [String: Tensor] = [:]
          for (name, tensor) in inputs { own[name] = try taken(tensor) }
          part.content = .sequences(own)
          part.labels = try labels.map { (labels) throws(DiagnosticError) in try taken(labels) }
          return part
        }
        return (try part(false), try part(true))
      }
      let calls = callsPerSequence
      let kept = calls - calls / parts
      // A label for a whole sequence is not one of its parts.
      let isCutAlike = labels.map { $0.dims.count > 1 && $0.dims[1] % max(1, calls) == 0 } ?? true
      guard self.calls != nil, kept < calls, kept > 0, isCutAlike else { return (self, nil) }
      return (
        try self.calls(0..<kept, ofSequences: 0..<count),
        try self.calls(kept..<calls, ofSequences: 0..<count)
      )
    }
  }
}
