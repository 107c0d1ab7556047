import BVQ
import FileSupport
import Foundation
import LSTMCore
import TestSupport
import Testing

/// The Python interpreter of `PYTHON`, or `python3`, when it has numpy.
enum PythonWithNumpy {
  static let path: String? = {
    let name = ProcessInfo.processInfo.environment["PYTHON"] ?? "python3"
    let result = try? run(name, ["-c", "import numpy"])
    return result?.status == 0 ? name : nil
  }()

  static func run(_ name: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [name] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}

@Suite(.enabled(if: PythonWithNumpy.path != nil, "needs python3 with numpy; PYTHON names another"))
struct PythonReaderTests {
  static let script = repositoryRoot.appending(path: "examples/read_bvq/read_bvq.py").path

  static func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    try PythonWithNumpy.run(try #require(PythonWithNumpy.path), [script] + arguments)
  }

  /// `name TAB shape TAB sha256` for each tensor of a file, by Swift.
  static func hashes(of source: ByteSource) throws -> [String] {
    let file = try BVQReader.read(source)
    let model = file.model
    let elements = StoredElements(model).matrices
    var opaque: [String: SourceTensor] = [:]
    for layer in model.layers {
      guard case .opaque(let kind) = layer.kind else { continue }
      for (index, tensor) in kind.tensors.enumerated() {
        opaque["\(layer.name)/tensor/\(index)"] = tensor
      }
    }
    for (number, test) in file.selfTests.enumerated() {
      for (index, item) in (test.inputs + [test.expected]).enumerated() {
        var tensor = SourceTensor(item.tensor, name: item.name)
        tensor.shape = [1, item.tensor.count]
        opaque["selfTest/\(number)/\(index)"] = tensor
      }
    }
    return try BVQContents(reading: source).tensors.map { tensor in
      let shape: [Int]
      let bytes: [UInt8]
      if let matrix = elements[tensor.name] {
        shape = [matrix.rows, matrix.columns]
        bytes = matrix.elements.flatMap { RawFile.bytes($0.bitPattern) }
      } else {
        let source = try #require(opaque[tensor.name])
        shape = source.shape
        bytes = source.bytes
      }
      let size = shape.map { "\($0)" }.joined(separator: "x")
      return "\(tensor.name)\t\(size)\t\(hexadecimal(SHA256.digest(of: bytes)))"
    }
  }

  @Test(arguments: SampleFiles.all.map(\.name))
  func givesTheSameBits(_ name: String) throws {
    let path = GoldenVectorTests.folder.appending(path: "valid/\(name).bvq").path
    let (status, output) = try Self.run(["--sha256", path])
    #expect(status == 0)
    let expected = try Self.hashes(of: ByteSource(path: path))
    #expect(output.split(separator: "\n").map(String.init) == expected)
  }

  /// Shapes where group ends, bytes and trits fall in every position, and extreme exponents.
  @Test(arguments: WeightEncodings.all.map(\.id))
  func givesTheSameBitsForManyShapes(_ id: UInt16) throws {
    let encoding = try #require(WeightEncodings.encoding(id: id))
    var numbers = SampleNumbers(seed: UInt64(id) + 100)
    let layers = (1...40).map { columns in
      let group = 1 + numbers.next(below: columns)
      let exponent = [-126, -20, -3, 0, 5, 110][numbers.next(below: 6)]
      let matrix = numbers.packed(
        encoding, 1 + numbers.next(below: 4), columns, groupSize: group, scaleExponent: exponent)
      return Layer(
        name: "d\(columns)", sourceClass: "Dense",
        kind: .dense(DenseLayer(weights: .packed(matrix), bias: nil)))
    }
    let bytes = try BVQWriter.bytes(of: SampleFiles.file(layers))
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "many.bvq").path
      try Data(bytes).write(to: URL(filePath: path))
      let (status, output) = try Self.run(["--sha256", path])
      #expect(status == 0)
      let expected = try Self.hashes(of: ByteSource(path: path))
      #expect(output.split(separator: "\n").map(String.init) == expected)
    }
  }

  /// It does not know what layers need, so of METADATA files it refuses some only.
  @Test(arguments: Corruptions.all.map(\.name).filter { !$0.hasPrefix("METADATA") })
  func refusesWhatSwiftRefuses(_ name: String) throws {
    let path = GoldenVectorTests.folder.appending(path: "invalid/\(name).bvq").path
    #expect(try Self.run([path]).status == 1)
  }

  @Test func listsTensors() throws {
    let path = GoldenVectorTests.folder.appending(path: "valid/low_rank.bvq").path
    let lines = try Self.run([path]).output.split(separator: "\n")
    #expect(lines.first == "written by lstmpack 0.1.0")
    #expect(
      lines.contains("           6 binary       2x6          lstm/forward/input/input/right"))
  }
}

/// A folder that is gone afterwards.
func withTemporaryFolder(_ body: (URL) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  try body(folder)
}
