import LSTMTraining

/// A loss of tuning, and how long and how fast something learns by it.
struct TuningPhase: Sendable {
  let losses: ChainTuning.Losses
  let name: TuningReport.Loss
  /// The updates, at most.
  var limit = Int.max
  /// The share of the rates.
  var rate = 1.0

  /// Outputs from which on the mean curvature stands for their divergence at first.
  private static let manyClasses = 512
  /// The updates after which the divergence takes over from the mean curvature, and its share of the rates.
  private static let curvatureUpdates = 1500
  private static let laterRate = 0.4
  /// The original's steps over which the curvature is averaged.
  private static let curvatureSteps = 6000
  /// The weight of the squared error of all hidden states beside the divergence of outputs.
  private static let hiddenShare: Float = 0.1

  /// Whether the mean curvature stands for the divergence at first.
  static func hasManyClasses(_ decoder: DecoderFinder.Found) -> Bool {
    decoder.loss.outputs >= manyClasses && decoder.loss.areClasses && !decoder.readsLastStep
  }

  /// The phases of a chain, one after the other.
  ///
  /// The mean curvature gains most per minute, but long runs learn its errors; the divergence itself goes on from there.
  ///
  /// - Parameters:
  ///   - links: How many LSTMs the chain has.
  ///   - decoder: What makes the outputs of what the last one makes; `nil` where that is not one dense layer.
  ///   - probe: The mean curvature of what follows; `nil` where it is not known.
  ///   - tracks: The sequences.
  /// - Returns: At least one.
  static func phases(
    links: Int, decoder: DecoderFinder.Found?, probe: CurvatureLoss?, tracks: [TuningTrack]
  ) -> [TuningPhase] {
    if let decoder, hasManyClasses(decoder) {
      var sample: [Float] = []
      for track in tracks where sample.count < curvatureSteps * decoder.loss.width {
        sample += track.targets[links - 1].prefix(
          max(1, curvatureSteps / tracks.count) * decoder.loss.width)
      }
      if let curvature = decoder.loss.meanCurvature(sample) {
        return [
          TuningPhase(
            losses: ChainTuning.Losses(main: curvature, hidden: [], share: 0), name: .curvature,
            limit: curvatureUpdates),
          TuningPhase(
            losses: ChainTuning.Losses(main: decoder.loss, hidden: [], share: 0), name: .outputs,
            rate: laterRate),
        ]
      }
    }
    let hidden = (0..<links).map { link in
      let width = tracks.first.map { $0.targets[link].count / $0.steps } ?? 1
      return ScaledSquaredError(width: width, targets: tracks.map { $0.targets[link] })
    }
    func phase(
      _ main: (any HiddenLoss)?, _ name: TuningReport.Loss, share: Float
    ) -> [TuningPhase] {
      [
        TuningPhase(
          losses: ChainTuning.Losses(main: main, hidden: hidden, share: share), name: name)
      ]
    }
    if let probe { return phase(probe, .curvature, share: hiddenShare) }
    guard let decoder else { return phase(nil, .hiddenStates, share: 1) }
    return phase(decoder.loss, .outputs, share: hiddenShare)
  }
}
