import Diagnostics
import FileSupport
import HDF5
import LSTMCore

/// One HDF5 file, or several that are read as one: the shards of Keras 3.
///
/// A path is looked up in each file in turn; groups are the union of those of the files.
struct HDF5Store {
  private let files: [HDF5File]

  init(_ files: [HDF5File]) { self.files = files }

  func kind(of path: String) throws(DiagnosticError) -> HDF5MemberKind? {
    for file in files { if let kind = try file.kind(of: path) { return kind } }
    return nil
  }

  func members(of group: String) throws(DiagnosticError) -> [HDF5Member] {
    var members: [HDF5Member] = []
    for file in try files(with: group) {
      members += try file.members(of: group).filter { !members.contains($0) }
    }
    return members
  }

  func datasets(below group: String) throws(DiagnosticError) -> [String] {
    var paths: [String] = []
    for file in try files(with: group) {
      paths += try file.datasets(below: group)
    }
    return paths
  }

  func string(
    ofAttribute name: String, at path: String
  ) throws(DiagnosticError) -> String? {
    for file in try files(with: path) {
      if let text = try file.string(ofAttribute: name, at: path) { return text }
    }
    return nil
  }

  func strings(
    ofAttribute name: String, at path: String
  ) throws(DiagnosticError) -> [String]? {
    try files[0].strings(ofAttribute: name, at: path)
  }

  func info(ofDataset path: String) throws(DiagnosticError) -> HDF5DatasetInfo {
    try files(with: path)[0].info(ofDataset: path)
  }

  func floats(ofDataset path: String) throws(DiagnosticError) -> [Float] {
    try files(with: path)[0].floats(ofDataset: path)
  }

  func littleEndianBytes(ofDataset path: String) throws(DiagnosticError) -> [UInt8] {
    try files(with: path)[0].littleEndianBytes(ofDataset: path)
  }

  /// The files that have a path; the first, which then says what is missing, when none has.
  private func files(with path: String) throws(DiagnosticError) -> [HDF5File] {
    guard files.count > 1 else { return files }
    var found: [HDF5File] = []
    for file in files { if try file.kind(of: path) != nil { found.append(file) } }
    return found.isEmpty ? [files[0]] : found
  }
}

extension HDF5File {
  /// Opens a file or bytes.
  ///
  /// - Throws: As `HDF5File.init`.
  static func open(_ source: ByteSource) throws(DiagnosticError) -> HDF5File {
    if let path = source.path { return try HDF5File(path: path) }
    return try HDF5File(bytes: try source.bytes(in: 0..<source.count))
  }

  /// Whether the signature of HDF5 stands where it may.
  ///
  /// - Throws: `DiagnosticError` when the source cannot be read.
  static func isHDF5(_ source: ByteSource) throws(DiagnosticError) -> Bool {
    try hasSignature(byteCount: source.count) { (range) throws(DiagnosticError) in
      try source.bytes(in: range)
    }
  }
}

extension SourceTensor.ElementType {
  /// The type of the elements of a dataset; `nil` when they are not numbers.
  init?(_ elementClass: HDF5ElementClass) {
    switch elementClass {
    case .float(2): self = .float16
    case .float(4): self = .float32
    case .float(8): self = .float64
    case .bfloat16: self = .bfloat16
    case .integer(1, true): self = .int8
    case .integer(2, true): self = .int16
    case .integer(4, true): self = .int32
    case .integer(8, true): self = .int64
    case .integer(1, false): self = .uint8
    case .integer(2, false): self = .uint16
    case .integer(4, false): self = .uint32
    case .integer(8, false): self = .uint64
    case .float, .integer, .other: return nil
    }
  }
}
