import BVQ
import Diagnostics
import FileSupport
import Foundation
import LSTMCore
import OrderedJSON
import TestSupport
import Testing

struct WriterTests {
  /// The second writer, made after SPEC.md, agrees with the first.
  @Test func theTwoWritersAgree() throws {
    let file = SampleFiles.file([
      Layer(
        name: "d", sourceClass: "Dense",
        kind: .dense(
          DenseLayer(
            weights: .packed(
              PackedMatrix(
                encoding: Ternary2Encoding(), rows: 3, columns: 11, groupSize: 11,
                scaleExponent: 0, codes: [0x24, 0x49, 0x12, 0x18, 0x61, 0x06, 0x00, 0xAA, 0x2A],
                parameters: [1, 1, 1])),
            bias: [1, 0, -2]))),
      Layer(
        name: "o", sourceClass: "Conv1D",
        kind: .opaque(
          OpaqueLayer(tensors: [
            SourceTensor(name: "kernel", shape: [2, 1], elementType: .uint8, bytes: [1, 2])
          ]))),
    ])
    #expect(try BVQWriter.bytes(of: file) == RawFile.base.assembled)
  }

  @Test(arguments: SampleFiles.all.map(\.name))
  func theSameFileGivesTheSameBytes(_ name: String) throws {
    let file = try #require(SampleFiles.all.first { $0.name == name }?.file)
    let bytes = try BVQWriter.bytes(of: file)
    #expect(try BVQWriter.bytes(of: file) == bytes)
    let again = try BVQReader.read(ByteSource(name: name, bytes: bytes))
    #expect(try BVQWriter.bytes(of: again) == bytes)
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "m.bvq").path
      try BVQWriter.write(file, to: path, overwrite: false)
      #expect(try Data(contentsOf: URL(filePath: path)) == Data(bytes))
      #expect(try BVQReader.read(ByteSource(path: path)) == file)
    }
  }

  @Test func byteCountsAddUp() throws {
    let file = SampleFiles.languageModel
    let counts = try BVQWriter.byteCounts(of: file)
    #expect(try counts.total == BVQWriter.bytes(of: file).count)
    #expect(counts.matrices == 4 * (5 * 3 + 4 * (2 * 3 + 2 * 2) + 5 * 2))
    #expect(counts.vectors == 4 * (4 * 2 + 5))
    #expect(counts.opaque == 0)
    #expect(
      counts.container == counts.total - counts.matrices - counts.vectors - counts.opaque)
  }

  @Test(arguments: [
    Float(0.2), 1.0 / 6, 1.7159, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0, -3, 1e-30,
    .pi, 16_777_215, 0.1 + 0.2,
  ])
  func constantsSurviveJSON(_ value: Float) throws {
    let layer = Layer(
      name: "d", sourceClass: "Dense",
      kind: .dense(
        DenseLayer(
          weights: .dense(Matrix(zeros: 1, 1)), bias: nil,
          activation: Activation(.affine, alpha: value, beta: -value))))
    let file = SampleFiles.file([layer])
    let bytes = try BVQWriter.bytes(of: file)
    #expect(try BVQReader.read(ByteSource(name: "m", bytes: bytes)) == file)
  }

  /// Models that a `.bvq` cannot hold, and what is said of each.
  static var unsupported: [(file: BVQFile, text: String)] {
    var numbers = SampleNumbers(seed: 9)
    func dense(_ name: String, _ weights: WeightMatrix, bias: [Float]? = nil) -> Layer {
      Layer(
        name: name, sourceClass: "Dense", kind: .dense(DenseLayer(weights: weights, bias: bias)))
    }
    let one = WeightMatrix.dense(Matrix(zeros: 1, 1))
    let lstm = Layer(name: "l", sourceClass: "LSTM", kind: .lstm(SampleFiles.lstmLayer))
    let direction = SampleFiles.weights(&numbers, inputs: 1, units: 1)
    var uneven = direction
    uneven.bias?[.cell] = []
    var short = direction
    short.bias = PerGate { _ in [] }
    var peepholes = direction
    peepholes.peepholes = PerGate { _ in [1] }
    func set(_ direction: DirectionWeights) -> LSTMWeights {
      LSTMWeights(inputSize: 1, hiddenSize: 1, directions: [direction])
    }
    var twice = SampleFiles.lstmLayer
    twice.directions.append(DirectionSettings(direction: .forward))
    twice.merge = .sum
    var unmerged = twice
    unmerged.directions[1].direction = .backward
    unmerged.merge = nil
    let both = LSTMWeights(inputSize: 1, hiddenSize: 1, directions: [direction, direction])
    let file = { SampleFiles.file($0, $1) }
    let cannot = "cannot be stored in a .bvq: "
    return [
      (
        file([dense("d", one), dense("d", one)], []),
        "metadata: layers[1]: \(cannot)the layer name 'd' stands twice"
      ),
      (
        file([dense("d", .dense(Matrix(zeros: 0, 3)))], []),
        "d/dense: \(cannot)has the shape [0, 0]; a matrix has at least one row and column"
      ),
      (
        file([dense("d", .product(left: .product(left: one, right: one), right: one))], []),
        "d/dense/left: \(cannot)a factor is itself a product"
      ),
      (
        file([dense("d", .product(left: one, right: .dense(Matrix(zeros: 2, 1))))], []),
        "d/dense/right: \(cannot)has 2 rows, its left factor 1 columns"
      ),
      (
        file([dense("d", one, bias: [1, 2])], []),
        "d/dense/bias: \(cannot)expected shape [1, 1], found [1, 2]"
      ),
      (
        file([dense("d", .dense(Matrix(rows: 1, columns: 2, elements: [1, .infinity])))], []),
        "d/dense: has inf at element 1; numbers must be finite"
      ),
      (file([lstm], []), "l: \(cannot)it uses weights 0, which do not exist"),
      (
        file([], [set(direction)]),
        "metadata: \(cannot)lstmWeights[0] is used by no layer"
      ),
      (
        file([lstm], [both]),
        "l: \(cannot)its weights have another number of directions"
      ),
      (file([lstm], [set(uneven)]), "l/forward/bias: \(cannot)its gates differ in length"),
      (
        file([lstm], [set(short)]),
        "l/forward/bias: \(cannot)has the shape [4, 0]; a matrix has at least one row and column"
      ),
      (file([lstm], [set(peepholes)]), "l: \(cannot)its cell gate has peepholes"),
      (
        file([Layer(name: "l", sourceClass: "LSTM", kind: .lstm(unmerged))], [both]),
        "metadata: layers[0]: \(cannot)needs 'merge' for two directions, and only for two"
      ),
      (
        file([Layer(name: "l", sourceClass: "LSTM", kind: .lstm(twice))], [both]),
        "metadata: layers[0]: \(cannot)has the direction forward twice"
      ),
    ]
  }

  @Test(arguments: unsupported.indices)
  func whatCannotBeStoredIsRefused(_ index: Int) throws {
    let (file, text) = Self.unsupported[index]
    let error = try #require(throws: DiagnosticError.self) { try BVQWriter.bytes(of: file) }
    #expect(error.description == text)
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "m.bvq").path
      #expect(throws: DiagnosticError.self) {
        try BVQWriter.write(file, to: path, overwrite: true)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }
  }

  @Test func anExistingFileStays() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "m.bvq").path
      try Data("precious".utf8).write(to: URL(filePath: path))
      let error = try #require(throws: DiagnosticError.self) {
        try BVQWriter.write(SampleFiles.languageModel, to: path, overwrite: false)
      }
      #expect(error.code == .fileExists)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }
  }
}
