import ArgumentParser
import Foundation
import LSTMPackKit

/// What compression costs: the tables of the README.
struct QualityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quality",
    abstract: "Compress the reference models at each bit width and rank, evaluate, print Markdown.",
    discussion: """
      Needs the folder of shared models and data. LSTM matrices only; bytes are those of the whole .bvq \
      file. Bits are chosen by weights alone, calibrated on training data without labels, and tuned on them \
      for the times given; and the same without data, on text that a model writes itself or synthetic inputs.

      Examples:

        lstmpack-bench quality --shared ../shared
        lstmpack-bench quality --shared ../shared --models plain --bits 1,ternary --tune 60s,15m
        lstmpack-bench quality --shared ../shared --models turbofan --bits 1 --tune 60s --without-data
      """)

  @Option(help: "The folder with models, reference and data.")
  var shared: String

  @Option(help: "The models, with commas.")
  var models = QualityModel.makers.map(\.name).joined(separator: ",")

  @Option(help: "The bits, with commas; none for no bits.")
  var bits = "8,4,3,2,ternary,1"

  @Option(
    help:
      "The ranks of low-rank factors, with commas; 36:joint for another layout, 36:joint:4 for factors of 4 bits."
  )
  var ranks = "32,16,8"

  @Option(help: "How long to tune, with commas: 60s, 2m, or a number of updates.")
  var tune = ""

  @Flag(help: "Use no data but what is made for the model.")
  var withoutData = false

  @Option(help: "The seed of synthetic data, and of the order in which tuning learns.")
  var seed: UInt64 = 1

  @Option(help: "How many threads to use.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func run() throws {
    for name in Self.list(models) {
      guard let maker = QualityModel.makers.first(where: { $0.name == name }) else {
        throw ValidationError("There is no model '\(name)'.")
      }
      try table(try maker.make(shared))
    }
  }

  private static func list(_ words: String) -> [String] {
    words.split(separator: ",").map(String.init).filter { $0 != "none" }
  }

  /// Factors by `RANK[:LAYOUT[:BITS]]`.
  private static func factored(_ words: String) throws -> Treatment {
    let parts = words.split(separator: ":").map(String.init)
    guard (1...3).contains(parts.count), let rank = Int(parts[0]),
      let layout = parts.count < 2 ? .gate : FactorLayout(rawValue: parts[1])
    else { throw ValidationError("'\(words)' is no rank, such as 22 or 36:joint:4.") }
    var treatment = LSTMPackKit.Treatment.rank(rank, layout: layout)
    if parts.count == 3 { treatment = .steps([treatment, .quantize(parts[2], groupSize: nil)]) }
    return Treatment(treatment.phrase, treatment)
  }

  /// One way to compress a model.
  private struct Treatment {
    let name: String
    let plan: CompressionPlan

    init(_ name: String, _ treatment: LSTMPackKit.Treatment) {
      self.name = name
      plan = CompressionPlan(rules: [
        CompressionPlan.Rule(roles: [.input, .recurrent, .projection], treatment: treatment)
      ])
    }
  }

  private func table(_ subject: QualityModel) throws {
    let data: CalibrationData
    if withoutData {
      switch try CalibrationData.synthetic(for: subject.model, seed: seed, threads: threads) {
      case .data(let made): data = made
      case .none(let reason):
        print("\(subject.title): \(reason)")
        return
      }
    } else {
      data = try CalibrationData(subject.training, for: subject.model, description: "training data")
    }
    let times = Self.list(tune)
    print("\(subject.title); on \(data.description), \(data.fitted.steps) steps:\n")
    let columns = ["weights only", "calibrated"] + times.map { "tuned \($0)" }
    row(
      ["treatment", "bytes"]
        + columns.flatMap { column in
          subject.metrics.map { "\($0.heading), \(column)" }
        } + ["seconds"])
    row(
      ["---", "--:"]
        + [String](repeating: "--:", count: columns.count * subject.metrics.count + 1))
    row(
      try ["original", "\(byteCount(subject.model))"]
        + subject.measured(subject.model, threads: threads)
        + [String](repeating: "", count: (columns.count - 1) * subject.metrics.count + 1))
    let treatments =
      Self.list(bits).map {
        Treatment(Quantizers.phrase($0), .quantize($0, groupSize: nil))
      }
      + (try Self.list(ranks).map(Self.factored))
    for treatment in treatments { try add(treatment, subject, data, times) }
    print("\nPeak memory of the whole run so far: \(Self.peakMegabytes) MB.\n")
  }

  /// A row: bytes, the metrics of each column, the seconds of calibration and of each tuning.
  private func add(
    _ treatment: Treatment, _ subject: QualityModel, _ data: CalibrationData, _ times: [String]
  ) throws {
    let clock = ContinuousClock()
    var model = subject.model
    _ = try ModelCompressor(plan: treatment.plan, threads: threads).compress(&model)
    var cells =
      try [treatment.name, "\(byteCount(model))"] + subject.measured(model, threads: threads)
    var seconds: [String] = []
    if treatment.plan.hasCodesToChoose(in: subject.model) {
      model = subject.model
      let taken = try clock.measure {
        _ = try CalibratedCompressor(plan: treatment.plan, data: data, threads: threads)
          .compress(&model)
      }
      cells += try subject.measured(model, threads: threads)
      seconds.append(String(format: "%.0f", taken / .seconds(1)))
    } else {
      cells += subject.metrics.map { _ in "" }
    }
    for time in times {
      guard let budget = TuningBudget(words: time) else {
        throw ValidationError("'\(time)' is no time to tune.")
      }
      var tuned = model
      let report = try ModelTuner(data: data, budget: budget, seed: seed, threads: threads)
        .tune(&tuned, original: subject.model)
      cells += try subject.measured(tuned, threads: threads)
      let updates = report.chains.reduce(0) { $0 + $1.updates }
      seconds.append(String(format: "%.0f (\(updates) updates)", report.seconds))
    }
    row(cells + [seconds.joined(separator: ", ")])
  }

  private func byteCount(_ model: Model) throws -> Int {
    try BVQWriter.byteCounts(
      of: BVQFile(
        model: model, producer: BVQProducer(version: "0"),
        selfTests: SelfTests.make(for: model, threads: threads))
    ).total
  }

  private func row(_ cells: [String]) {
    print("| " + cells.joined(separator: " | ") + " |")
    fflush(nil)
  }

  private static var peakMegabytes: Int {
    var usage = rusage()
    #if os(macOS)
      unsafe getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss / 1_000_000
    #else
      unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_maxrss / 1000
    #endif
  }
}
