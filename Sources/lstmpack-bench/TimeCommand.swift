import ArgumentParser
import Foundation
import LSTMPackKit

/// Times whole processes, a command and its peer in turn.
struct TimeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "time",
    abstract: "Time a command beside a peer, in turn, and print JSON.",
    discussion: """
      The two commands take turns (A B A B …) after a warm-up of each, so that a machine that \
      drifts slows both. Wall time and peak resident memory are the kernel's account of each \
      finished process. Quote ratios of medians.

      Example:

        lstmpack-bench time --rounds 5 --peer 'python3 quantize_with_peer.py model.onnx' -- \\
          lstmpack quantize model.onnx --bits 2 --others 2 --force
      """)

  @Option(help: "Counted runs of each command.")
  var rounds = 5

  @Option(help: "The peer's command, one string for a shell.")
  var peer: String?

  @Argument(parsing: .postTerminator, help: "The command to time.")
  var command: [String]

  func validate() throws {
    guard (1...1000).contains(rounds) else {
      throw ValidationError("--rounds takes a number from 1 to 1000, not \(rounds).")
    }
    guard !command.isEmpty else { throw ValidationError("Give a command after --.") }
  }

  func run() throws {
    let peerCommand = peer.map { ["/bin/sh", "-c", "exec " + $0] }
    _ = try ProcessTimer.run(command)
    if let peerCommand { _ = try ProcessTimer.run(peerCommand) }
    var own: [ProcessTimer.Figures] = []
    var others: [ProcessTimer.Figures] = []
    for _ in 0..<rounds {
      own.append(try ProcessTimer.run(command))
      if let peerCommand { others.append(try ProcessTimer.run(peerCommand)) }
    }
    var report: JSONObject = [
      "schema": 1, "rounds": .integer(rounds),
      "command": summary(own, name: command.joined(separator: " ")),
    ]
    if let peer {
      report["peer"] = summary(others, name: peer)
      report["peerSecondsOverOurs"] = .number(
        median(others.map(\.seconds)) / median(own.map(\.seconds)))
      report["ourPeakOverPeers"] = .number(
        median(own.map(\.peakMegabytes)) / median(others.map(\.peakMegabytes)))
    }
    print(JSONValue.object(report).serialized(pretty: true))
  }

  private func summary(_ figures: [ProcessTimer.Figures], name: String) -> JSONValue {
    let seconds = figures.map(\.seconds)
    let peak = figures.map(\.peakMegabytes)
    return [
      "name": .string(name), "medianSeconds": .number(median(seconds)),
      "minSeconds": .number(seconds.min() ?? 0), "maxSeconds": .number(seconds.max() ?? 0),
      "medianPeakMegabytes": .number(median(peak)), "maxPeakMegabytes": .number(peak.max() ?? 0),
    ]
  }

  private func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}
