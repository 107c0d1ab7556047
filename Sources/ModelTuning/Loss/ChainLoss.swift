/// What is to become small in a chain: a loss at the last LSTM, and the scaled squared error of each.
struct ChainLoss: Sendable {
  var main: (any HiddenLoss)?
  /// Of each LSTM.
  var hidden: [ScaledSquaredError] = []
  /// The weight of ``hidden`` beside ``main``.
  var share: Float = 0
  let name: TuningReport.Loss

  /// The weight of the squared error of all hidden states beside the divergence of outputs.
  private static let hiddenShare: Float = 0.1

  /// Chooses the loss of a chain: the divergence of outputs where one dense layer makes them, else its mean curvature, else the
  /// squared error alone.
  ///
  /// - Parameters:
  ///   - links: How many LSTMs the chain has.
  ///   - decoder: What makes the outputs of what the last one makes; `nil` where that is not one dense layer.
  ///   - sampled: Its divergence at some of its classes; `nil` where there are few.
  ///   - probe: The mean curvature of what follows; `nil` where it is not known.
  ///   - tracks: The sequences.
  init(
    links: Int, decoder: DecoderLoss?, sampled: SampledDivergence?, probe: CurvatureLoss?,
    tracks: [TuningTrack]
  ) {
    if let sampled {
      main = sampled
      name = .sampledOutputs
      return
    }
    main = probe ?? decoder
    name = probe != nil ? .curvature : decoder != nil ? .outputs : .hiddenStates
    share = main == nil ? 1 : Self.hiddenShare
    hidden = (0..<links).map { link in
      let width = tracks.first.map { $0.targets[link].count / $0.steps } ?? 1
      return ScaledSquaredError(width: width, targets: tracks.map { $0.targets[link] })
    }
  }
}
