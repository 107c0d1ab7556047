import ArgumentParser

/// Figures for developers: how fast, and how good.
@main
struct LSTMPackBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstmpack-bench",
    abstract: "Measure lstmpack: time beside a peer, quality at each bit width and rank.",
    subcommands: [TimeCommand.self, TrainCommand.self, QualityCommand.self, WorkerCommand.self],
    defaultSubcommand: TimeCommand.self)
}
