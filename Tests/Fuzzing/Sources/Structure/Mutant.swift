import Foundation
import FuzzSupport
import LSTMPackKit

/// What a file is to lstmpack.
enum Kind: String, CaseIterable {
  case onnx, hdf5, keras, safetensors, bvq
  case npy, npz, csv, plan, vocabulary, config, training

  /// Whether it is a model.
  var isModel: Bool {
    switch self {
    case .onnx, .hdf5, .keras, .safetensors, .bvq: true
    default: false
    }
  }

  /// The ending of a file.
  var ending: String {
    switch self {
    case .hdf5: "h5"
    case .plan, .vocabulary, .config: "json"
    default: rawValue
    }
  }

  /// How often mutants are of this kind.
  var weight: Int {
    switch self {
    case .onnx: 6
    case .hdf5, .keras: 3
    case .bvq: 4
    case .safetensors: 2
    default: 1
    }
  }
}

/// The files to start from, by kind.
struct Seeds {
  struct Seed {
    let kind: Kind
    let path: String
    let bytes: [UInt8]
    var name: String { URL(filePath: path).lastPathComponent }
  }

  private(set) var byKind: [Kind: [Seed]] = [:]
  private let kinds: [Kind]

  /// Reads `FOLDER/KIND/FILE`.
  init(folder: String, kinds wanted: [Kind]) throws {
    for kind in wanted {
      let path = "\(folder)/\(kind.rawValue)"
      let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
      byKind[kind] = try names.sorted().map { name in
        let source = try ByteSource(path: "\(path)/\(name)")
        return Seed(
          kind: kind, path: "\(path)/\(name)", bytes: try source.bytes(in: 0..<source.count))
      }
    }
    let found = byKind
    kinds = wanted.filter { found[$0]?.isEmpty == false }
      .flatMap { [Kind](repeating: $0, count: $0.weight) }
  }

  /// Whether there is anything to start from.
  var isEmpty: Bool { kinds.isEmpty }

  /// What the mutant of a number starts from; the kinds take turns.
  func seed(of index: Int, random: inout Random) -> Seed {
    random.pick(byKind[kinds[index % kinds.count]] ?? [])
  }
}

/// A file whose meaning was changed, from a seed number and a number: always the same.
struct Mutant {
  let seed: Seeds.Seed
  let bytes: [UInt8]
  /// What goes on with it.
  private(set) var random: Random

  init(of seeds: Seeds, seed number: UInt64, index: Int) {
    var random = Random(seed: number, index: index)
    seed = seeds.seed(of: index, random: &random)
    bytes = Self.changed(seed, random: &random)
    self.random = random
  }

  private static func changed(_ seed: Seeds.Seed, random: inout Random) -> [UInt8] {
    let bytes = seed.bytes
    switch seed.kind {
    case .onnx: return ONNXMutation.changed(bytes, random: &random)
    case .hdf5: return hdf5(bytes, random: &random)
    case .safetensors: return SafetensorsMutation.changed(bytes, random: &random)
    case .bvq: return BVQMutation.changed(bytes, random: &random)
    case .npy: return NPYMutation.changed(bytes, random: &random)
    case .training: return CheckpointMutation.changed(bytes, random: &random)
    case .csv, .plan, .vocabulary, .config: return TextMutation.changed(bytes, random: &random)
    case .npz:
      return ZipMutation.changed(bytes, random: &random) { _, bytes, random in
        NPYMutation.changed(bytes, random: &random)
      }
    case .keras:
      return ZipMutation.changed(bytes, random: &random) { name, bytes, random in
        name.hasSuffix(".h5")
          ? hdf5(bytes, random: &random) : JSONMutation.changed(bytes, random: &random)
      }
    }
  }

  private static func hdf5(_ bytes: [UInt8], random: inout Random) -> [UInt8] {
    guard let parts = try? HDF5Parts(bytes) else { return bytes }
    return HDF5Mutation.changed(parts, random: &random) ?? bytes
  }
}
