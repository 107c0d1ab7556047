import Dispatch
import Foundation
import LSTMPackC
import LSTMPackKit
import Synchronization
import TestSupport
import Testing

/// The functions of `include/lstmpack.h`, called as C calls them.
@Suite struct CInterfaceTests {
  /// A language model of three tokens.
  private static func write(to path: String) throws {
    let tokens = TrainingData.text((0..<60).map { Int32($0 * $0 % 3) })
    var settings = TrainingSettings(
      shape: NetworkShape(input: .tokens(vocabulary: 3, size: 4), units: [9, 5], outputs: 3))
    settings.initialRange = 0.9
    let model = try LSTMTrainer(settings, training: tokens, validation: tokens).model
    try BVQWriter.write(
      BVQFile(
        model: model, producer: BVQProducer(version: "0"), settings: [:], selfTests: []),
      to: path, overwrite: true)
  }

  private static var error: String { unsafe String(cString: lastError()) }

  /// A model that is closed after the body.
  private func withModel(_ body: (OpaquePointer, _ outputs: Int) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "model.bvq").path
      try Self.write(to: path)
      let model = try unsafe #require(openModel(path, 1), "\(Self.error)")
      defer { unsafe closeModel(model) }
      var numbers = [Int64](repeating: 0, count: 4)
      #expect(unsafe describeModel(model, &numbers) == 0)
      #expect(numbers[..<3] == [1, 3, 3] && numbers[3] > 0)
      try unsafe body(model, Int(numbers[2]))
    }
  }

  private static let tokens: [Int64] = [0, 2, 1, 1, 0, 2]

  private func run(_ stream: OpaquePointer, outputs: Int) -> [Float] {
    var y = [Float](repeating: 0, count: Self.tokens.count * outputs)
    #expect(unsafe runTokens(stream, Self.tokens, Int64(Self.tokens.count), &y) == 0)
    return y
  }

  @Test func stepsAreARunAndClonesGoOn() throws {
    try unsafe withModel { model, outputs in
      let stream = try unsafe #require(openStream(model, 1))
      defer { unsafe closeStream(stream) }
      let whole = unsafe run(stream, outputs: outputs)
      #expect(whole.contains { $0 != 0 })
      let clone = try unsafe #require(cloneStream(stream))
      defer { unsafe closeStream(clone) }
      let next = unsafe run(clone, outputs: outputs)
      #expect(next != whole)
      #expect(unsafe run(stream, outputs: outputs) == next)
      #expect(unsafe resetStream(stream) == 0)
      var y = [Float](repeating: 0, count: outputs)
      for (index, token) in Self.tokens.enumerated() {
        #expect(unsafe stepToken(stream, token, &y) == 0)
        #expect(y == Array(whole[index * outputs..<(index + 1) * outputs]))
      }
    }
  }

  @Test func streamsOfOneModelRunOnManyThreads() throws {
    try unsafe withModel { model, outputs in
      let stream = try unsafe #require(openStream(model, 1))
      let expected = unsafe run(stream, outputs: outputs)
      unsafe closeStream(stream)
      let address = Int(bitPattern: model)
      let different = Atomic<Int>(0)
      DispatchQueue.concurrentPerform(iterations: 16) { _ in
        guard let model = unsafe OpaquePointer(bitPattern: address),
          let stream = unsafe openStream(model, 1)
        else { return }
        for _ in 0..<50 {
          unsafe _ = resetStream(stream)
          if unsafe run(stream, outputs: outputs) != expected {
            different.add(1, ordering: .relaxed)
          }
        }
        unsafe closeStream(stream)
      }
      #expect(different.load(ordering: .relaxed) == 0)
    }
  }

  @Test func badCallsSayWhatIsWrong() throws {
    #expect(unsafe openModel("model.bvq", 7) == nil)
    #expect(Self.error == "activations are 0 or 1, not 7")
    #expect(unsafe openModel("missing.bvq", 0) == nil)
    #expect(Self.error == "missing.bvq: cannot be opened: No such file or directory")
    try unsafe withModel { model, outputs in
      #expect(unsafe openStream(model, 0) == nil)
      #expect(Self.error == "threads are 1 to 256, not 0")
      let stream = try unsafe #require(openStream(model, 1))
      defer { unsafe closeStream(stream) }
      var y = [Float](repeating: 0, count: outputs)
      #expect(unsafe stepToken(stream, 1 << 40, &y) == -1)
      #expect(Self.error.hasPrefix("has no token 1099511627776: the vocabulary has"))
      #expect(unsafe stepVector(stream, y, &y) == -1)
      #expect(Self.error == "takes tokens")
      #expect(unsafe runTokens(stream, Self.tokens, -1, &y) == -1)
      #expect(Self.error == "-1 steps are not possible")
    }
    // Null is allowed here.
    closeModel(nil)
    closeStream(nil)
  }

  @Test func damagedFilesAreRefusedAndAnyNameIsOpened() throws {
    try withTemporaryFolder { folder in
      let damaged = folder.appending(path: "damaged.bvq").path
      try Self.write(to: damaged)
      let bytes = try Data(contentsOf: URL(filePath: damaged))
      for place in stride(from: 0, to: bytes.count, by: 211) {
        var changed = bytes
        changed[place] ^= 16
        try changed.write(to: URL(filePath: damaged))
        // A byte of the checksum over the whole file is for `verify` alone.
        guard let model = unsafe openModel(damaged, 0) else {
          #expect(Self.error.hasPrefix(damaged))
          continue
        }
        #expect(place >= bytes.count - 64, "byte \(place)")
        unsafe closeModel(model)
      }
      // "é" in Latin-1.
      let name = Array("\(folder.path)/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
      let file = unsafe fopen(name, "wb")
      #expect(unsafe fwrite(Array(bytes), 1, bytes.count, file) == bytes.count)
      #expect(unsafe fclose(file) == 0)
      let model = try unsafe #require(openModel(name, 0), "\(Self.error)")
      unsafe closeModel(model)
    }
  }

  /// The example of `examples/streaming`, compiled as its README says, with all warnings.
  @Test func theExampleInCRuns() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let library = Bundle.main.bundleURL
    let isBuilt = FileManager.default.fileExists(
      atPath: library.appending(path: "liblstmpack_c.so").path)
    try withTemporaryFolder { folder in
      func run(_ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
      }
      let source = root.appending(path: "examples/streaming/stream.c").path
      let compile = [
        "clang", "-std=c11", "-Wall", "-Wextra", "-Werror",
        "-I\(root.appending(path: "include").path)", source,
      ]
      guard isBuilt else {
        // A debug build of the tests alone: the header and the example still have to fit.
        #expect(try run(compile + ["-fsyntax-only"]).code == 0)
        return
      }
      let link = [
        "-o", "stream", "-L\(library.path)", "-llstmpack_c", "-Wl,-rpath,\(library.path)",
      ]
      #expect(try run(compile + link).code == 0)
      try Self.write(to: folder.appending(path: "model.bvq").path)
      let result = try run(["./stream", "model.bvq", "1", "0", "2"])
      #expect(result.code == 0)
      let lines = result.output.split(separator: "\n")
      #expect(lines.count == 3)
      #expect(lines.allSatisfy { "012".contains($0.prefix(1)) })
      #expect(try run(["./stream", "missing.bvq", "1"]).code == 1)
    }
  }
}
