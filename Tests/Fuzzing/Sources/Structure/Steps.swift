import Foundation
import FuzzSupport
import LSTMPackC
import LSTMPackCLI
import LSTMPackKit

/// Something that is done with a mutant.
struct Step {
  enum Action {
    /// A command of the program.
    case command([String])
    /// What the process does that reads a file for another: libhdf5's files.
    case read(String, into: String)
    /// The C interface opens a `.bvq` and takes steps.
    case cInterface(String)
  }

  let name: String
  let action: Action

  private init(_ name: String, _ arguments: String...) {
    self.name = name
    action = .command([name.split(separator: " ")[0].description] + arguments)
  }

  private init(_ name: String, _ action: Action) {
    self.name = name
    self.action = action
  }

  /// What became of a step.
  enum Outcome {
    case done
    case refused
    /// Something else than a typed error.
    case odd(String)
  }

  /// The step that tells whether a mutant is read at all.
  static func first(of kind: Kind, file: String) -> Step {
    switch kind {
    case .hdf5, .keras: Step("read-model", .read(file, into: "m.bvq"))
    case _ where kind.isModel: Step("inspect", file)
    case .plan: Step("compress", "model.bvq", "--plan", file, "--dry-run")
    case .vocabulary: Step("run vocabulary", "language.bvq", "--data", "text.txt", "--vocab", file)
    case .config:
      // Sizes of networks and segments that can be are work that was asked for, so these stay small; what
      // the file says of them is parsed all the same.
      Step(
        "train config", "text.txt", "--config", file, "--epochs", "1", "--hidden", "3",
        "--embedding",
        "3", "--layers", "2", "--bptt", "7", "--batch", "4", "--threads", "1", "--out", "t.bvq",
        "--force")
    case .training:
      Step(
        "train resume", "--resume", file, "--epochs", "2", "--threads", "1", "--out", "t.bvq",
        "--force")
    default: Step("run data", "model.bvq", "--data", file, "--out", "y.npy", "--force")
    }
  }

  /// What else is done with a mutant, whose model takes the inputs of a file; later steps use what earlier
  /// ones write.
  static func others(of kind: Kind, file: String, data: String?, random: inout Random) -> [Step] {
    switch kind {
    case .onnx, .hdf5, .keras, .safetensors, .bvq:
      // The other process hands a model over as a .bvq.
      let model = kind == .hdf5 || kind == .keras ? "m.bvq" : file
      let packed = kind == .bvq && random.oneIn(2) ? file : "q.bvq"
      let bits = random.pick(["1", "ternary", "2", "3", "4", "8", "16"])
      var steps = [
        Step("inspect", model, "--json"),
        Step("quantize", model, "--bits", bits, "--out", "q.bvq", "--force"),
        Step(
          "quantize tune", model, "--bits", bits, "--tune", "2", "--out", "u.bvq", "--force"),
        Step("verify", packed, "--run"),
        Step("C interface", .cInterface(packed)),
        Step("bench", model, "--seconds", "0.01", "--steps", "2"),
      ]
      if let data { steps.append(Step("run", model, "--data", data, "--out", "y.npz", "--force")) }
      let exported = random.oneIn(2) ? "q.bvq" : model
      for format in ["onnx", "keras", "safetensors"] {
        // Copies of a checkpoint need it, and have its ending.
        let isCopy = kind.rawValue == format || kind == .hdf5 && format == "keras"
        let ending = isCopy ? kind.ending : format == "keras" ? "h5" : format
        steps.append(
          Step(
            "export \(format)",
            .command(
              ["export", exported, "--to", format, "--out", "e.\(ending)", "--force"]
                + (isCopy ? ["--source", file] : []))))
      }
      return steps
    case .npy, .npz, .csv:
      let labels = kind == .npz ? [] : ["--labels", "labels.npy"]
      return [
        Step(
          "train data",
          .command(
            [
              "train", file, "--epochs", "1", "--hidden", "2", "--layers", "1", "--threads",
              "1", "--out", "t.bvq",
              "--force",
            ] + labels)),
        Step(
          "run window", "model.bvq", "--data", file, "--window", "3", "--out", "y.npy", "--force"),
      ]
    case .vocabulary:
      return [
        Step(
          "train vocabulary", "text.txt", "--vocab", file, "--epochs", "1", "--hidden", "2",
          "--layers", "1", "--embedding", "2", "--threads", "1",
          "--out", "t.bvq", "--force")
      ]
    case .plan, .config, .training: return []
    }
  }

  /// Does it in this process.
  func perform() -> Outcome {
    do {
      switch action {
      case .command(let arguments): try LSTMPackCommand.perform(arguments)
      case .read(let path, let target):
        let file = try ModelFile(source: try ByteSource(path: path))
        var bytes: [UInt8] = []
        try IsolatedServer.serve(file) { bytes += $0 }
        try Data(bytes).write(to: URL(filePath: target))
      case .cInterface(let path): return CInterface.steps(through: path) ? .done : .refused
      }
    } catch let error as DiagnosticError {
      return error.code == .crashedWhileReading ? .odd("\(error)") : .refused
    } catch {
      // 64 is wrong usage, of options that a mutant gave.
      let code = LSTMPackCommand.status(of: error)
      return [0, 1, 64, 65].contains(code) ? .refused : .odd("exit \(code): \(error)")
    }
    return .done
  }
}

/// A caller of the C interface.
enum CInterface {
  /// Opens a model and takes some steps; false when it is refused.
  static func steps(through path: String) -> Bool {
    for activations in [Int32(0), 1] {
      guard let model = unsafe path.withCString({ unsafe openModel($0, activations) }) else {
        return false
      }
      defer { unsafe closeModel(model) }
      var description: [Int64] = [0, 0, 0, 0]
      guard unsafe describeModel(model, &description) == 0,
        let stream = unsafe openStream(model, 1)
      else { return false }
      defer { unsafe closeStream(stream) }
      var outputs = [Float](repeating: 0, count: 3 * Int(description[2]))
      if description[1] > 0 {
        _ = unsafe runTokens(stream, [0, description[1] - 1, description[1]], 3, &outputs)
        _ = unsafe runTokens(stream, [0, 0, 0], 3, &outputs)
      } else {
        let inputs = [Float](repeating: 0.5, count: 3 * Int(description[0]))
        guard unsafe runVectors(stream, inputs, 3, &outputs) == 0 else { return false }
      }
      if let copy = unsafe cloneStream(stream) { unsafe closeStream(copy) }
      _ = unsafe resetStream(stream)
    }
    return true
  }
}
