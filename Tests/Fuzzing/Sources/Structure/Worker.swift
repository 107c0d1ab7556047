import Foundation
import FuzzSupport
import LSTMPackKit
import ZipArchive

/// Does the steps of one mutant after the other in this process, and says what it does before it does it.
struct Worker {
  let options: Options
  let seeds: Seeds
  /// Where lines for the parent go; commands write to standard output themselves.
  let output: FileHandle

  init(options: Options, folder: String) throws {
    self.options = options
    seeds = try Seeds(folder: options.seeds, kinds: options.kinds)
    output = FileHandle(fileDescriptor: dup(STDOUT_FILENO))
    let null = unsafe open("/dev/null", O_RDWR)
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { dup2(null, descriptor) }
    _ = FileManager.default.changeCurrentDirectoryPath(folder)
  }

  func run() throws {
    // Far above what a report would call too much.
    Memory.limit(to: 6 << 30)
    var inputs: [String: String?] = [:]
    for index in stride(from: options.first, to: options.first + options.count, by: options.workers)
    {
      guard index < Int.max, index >= 0 else { return }
      let mutant = Mutant(of: seeds, seed: options.seed, index: index)
      let scene = Scene(mutant: mutant, seeds: options.seeds)
      try scene.set()
      let seed = mutant.seed
      if inputs[seed.path] == nil {
        begin("inputs", of: mutant, index)
        inputs[seed.path] = .some(scene.inputs())
        alarm(0)
      }
      try perform(mutant, index, data: inputs[seed.path] ?? nil, file: scene.file)
    }
  }

  private func perform(_ mutant: Mutant, _ index: Int, data: String?, file: String) throws {
    let before = Memory.start() ?? 0
    var random = mutant.random
    let start = ContinuousClock.now
    var rest = Step.others(of: mutant.seed.kind, file: file, data: data, random: &random)
    let wasRead = perform(.first(of: mutant.seed.kind, file: file), of: mutant, index)
    // One more step shows that the others refuse the file, too.
    let wanted = wasRead ? options.steps : random.below(2)
    while rest.count > wanted { rest.remove(at: random.below(rest.count)) }
    if !wasRead, mutant.seed.kind == .hdf5 || mutant.seed.kind == .keras { rest = [] }
    for step in rest { _ = perform(step, of: mutant, index) }
    let milliseconds = Int((ContinuousClock.now - start) / .milliseconds(1))
    let peak = (Memory.peak() ?? 0) - before
    say("- \(milliseconds) \(peak) \(64 << 20 + 2 * mutant.bytes.count) \(wasRead ? 1 : 0)")
  }

  /// Returns whether it was done.
  private func perform(_ step: Step, of mutant: Mutant, _ index: Int) -> Bool {
    begin(step.name, of: mutant, index)
    defer { alarm(0) }
    switch step.perform() {
    case .done: return true
    case .refused: return false
    case .odd(let what):
      say("! \(what.replacing("\n", with: " ").prefix(300))")
      return false
    }
  }

  /// Says what comes now, which may end this process, and does when it takes too long.
  private func begin(_ step: String, of mutant: Mutant, _ index: Int) {
    say("+ \(index) \(mutant.seed.kind.rawValue)/\(step)/\(mutant.seed.name)")
    alarm(UInt32(options.seconds))
  }

  private func say(_ line: String) { output.write(Data("\(line)\n".utf8)) }
}

/// The files around a mutant, in the current folder.
struct Scene {
  let mutant: Mutant
  /// The folder of the seeds, with the common files.
  let seeds: String
  /// The name of the mutant's file.
  var file: String { "mutant.\(mutant.seed.kind.ending)" }

  /// Writes the mutant, and puts right what an earlier one may have changed.
  func set() throws {
    let files = FileManager.default
    for name in try files.contentsOfDirectory(atPath: ".") where !name.hasPrefix("inputs-") {
      try? files.removeItem(atPath: name)
    }
    if !mutant.seed.kind.isModel {
      for name in try files.contentsOfDirectory(atPath: "\(seeds)/common")
      where ["text.txt", "labels.npy", "data.npz", "model.bvq", "language.bvq"].contains(name) {
        try files.copyItem(atPath: "\(seeds)/common/\(name)", toPath: name)
      }
    }
    try Data(mutant.bytes).write(to: URL(filePath: file))
  }

  /// Makes inputs for the seed as it was; nil when it cannot be run.
  func inputs() -> String? {
    guard mutant.seed.kind.isModel,
      let model = try? ModelFile(source: ByteSource(name: "seed", bytes: mutant.seed.bytes)).model,
      let inputs = try? SeededInputs.make(for: model, sequences: 1, steps: 4, seed: 1)
    else { return nil }
    let members = inputs.sorted { $0.key < $1.key }.map { name, tensor in
      let bytes =
        switch tensor.elements {
        case .floats(let values):
          CommonFiles.npy(
            "<f4", tensor.dims, values.flatMap { CommonFiles.bytes(of: $0.bitPattern) })
        case .integers(let values):
          CommonFiles.npy("<i8", tensor.dims, values.flatMap { CommonFiles.bytes(of: $0) })
        }
      return ZipMember(name: "\(name).npy", bytes: bytes)
    }
    let path = "inputs-\(mutant.seed.kind.rawValue)-\(mutant.seed.name).npz"
    guard let archive = try? ZipWriter.bytes(of: members),
      (try? Data(archive).write(to: URL(filePath: path))) != nil
    else { return nil }
    return path
  }
}
