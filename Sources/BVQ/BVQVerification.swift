public import Diagnostics
public import FileSupport

/// What ``BVQReader/verify(_:)`` found.
public struct BVQVerification: Equatable, Sendable {
  /// One thing that was checked.
  public struct Part: Equatable, Sendable {
    /// `header`, `metadata and tensor table`, `model`, a tensor's name, or `trailer`.
    public var name: String
    /// What is wrong with it; `nil` when it is sound.
    public var problem: DiagnosticError?
  }

  /// Everything that was checked, in the order of the file.
  ///
  /// When the header or the table is damaged, what depends on them was not checked and is not
  /// listed.
  public internal(set) var parts: [Part] = []

  /// Every problem, in the order of the file.
  public var problems: [DiagnosticError] { parts.compactMap(\.problem) }

  /// Whether nothing is wrong.
  public var isSound: Bool { parts.allSatisfy { $0.problem == nil } }

  /// Runs a check and notes how it went.
  fileprivate mutating func check<Result>(
    _ name: String, file: String, _ body: () throws(DiagnosticError) -> Result
  ) -> Result? {
    do throws(DiagnosticError) {
      let result = try body()
      parts.append(Part(name: name, problem: nil))
      return result
    } catch {
      parts.append(Part(name: name, problem: error.atObject(name).inFile(file)))
      return nil
    }
  }
}

extension BVQReader {
  /// Checks every byte of a file: header, metadata, table, each tensor and the SHA-256 at the end.
  ///
  /// It does not stop at the first problem, and keeps at most one tensor in memory.
  ///
  /// - Returns: What was checked and what is wrong. A file that cannot be read any more is a problem
  ///   of the part where it happened.
  public static func verify(_ source: ByteSource) -> BVQVerification {
    var report = BVQVerification()
    let file = source.name
    let header = report.check("header", file: file) { () throws(DiagnosticError) in
      let header = try BVQHeader(reading: source)
      try BVQContents.checkFeatures(header, source)
      return header
    }
    guard let header else { return report }
    let contents = report.check(
      "metadata and tensor table", file: file
    ) { () throws(DiagnosticError) in
      let contents = try BVQContents(header: header, source: source)
      try TensorLoader(contents: contents, source: source).checkPaddingBeforePayload()
      return contents
    }
    if let contents {
      _ = report.check("model", file: file) { () throws(DiagnosticError) in
        try ModelPlan(metadata: contents.metadata, tensors: contents.tensors)
      }
      let loader = TensorLoader(contents: contents, source: source)
      for (index, tensor) in contents.tensors.enumerated() {
        _ = report.check(tensor.name, file: file) { () throws(DiagnosticError) in
          try loader.load(index)
        }
      }
    }
    _ = report.check("trailer", file: file) { () throws(DiagnosticError) in
      try checkTrailer(header, source)
    }
    return report
  }

  private static func checkTrailer(
    _ header: BVQHeader, _ source: ByteSource
  ) throws(DiagnosticError) {
    let hash = SHA256()
    var offset = 0
    while offset < header.trailerOffset {
      let end = min(header.trailerOffset, offset + (1 << 20))
      hash.update(try source.bytes(in: offset..<end))
      offset = end
    }
    let found = hexadecimal(hash.finalize())
    let stored = hexadecimal(
      try source.bytes(in: header.trailerOffset..<header.fileByteCount))
    guard found == stored else {
      throw DiagnosticError(
        .bvqChecksum, "has the SHA-256 \(stored), the bytes before it have \(found)",
        hint: "the file is damaged; copy it again")
    }
  }
}
