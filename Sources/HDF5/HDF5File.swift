internal import CHDF5
public import Diagnostics
import Synchronization

/// An HDF5 file open for reading.
///
/// Paths are absolute and name objects inside the file. Soft links, external links and external or
/// virtual data are refused: nothing outside the file is ever opened. Every method throws
/// ``DiagnosticError`` with the object named.
public final class HDF5File: Sendable {
  /// Limits on what a file may declare.
  public enum Limit {
    /// Members of one group, and datasets in all.
    public static let members = 100_000
    /// Levels of groups.
    public static let depth = 64
    /// Bytes of one attribute.
    public static let attributeBytes = 64 << 20
    /// Declared bytes of one dataset.
    public static let datasetBytes = 8 << 30
    /// Declared bytes up to which a dataset may be however much larger than what is stored.
    public static let smallDatasetBytes = 8 << 20
    /// How much larger than stored a dataset above that may declare itself; deflate makes zeros 1032 times
    /// smaller.
    public static let expansion = 1100
  }

  let identifier: hid_t

  /// The size above which bytes in memory go through a file: libhdf5 would copy them three times.
  private static let largestImage = 8 << 20

  /// Opens a file.
  ///
  /// - Parameter path: Its path.
  /// - Throws: ``DiagnosticError`` with code `malformedHDF5` when libhdf5 cannot open it.
  public init(path: String) throws(DiagnosticError) {
    identifier = try HDF5Library.use { () throws(DiagnosticError) in
      try HDF5Library.checked(
        unsafe H5Fopen(path, lp_h5_read_only(), lp_h5_default()),
        "cannot be opened as HDF5; it may be cut short or damaged", object: nil)
    }
  }

  /// Opens a file for changes.
  init(editing path: String) throws(DiagnosticError) {
    identifier = try HDF5Library.use { () throws(DiagnosticError) in
      try HDF5Library.checked(
        unsafe H5Fopen(path, lp_h5_read_write(), lp_h5_default()), "cannot be opened for writing",
        object: nil)
    }
  }

  /// Opens a file that is in memory.
  ///
  /// - Parameter bytes: All its bytes; a large number of them goes into a temporary file, which is
  ///   removed at once.
  /// - Throws: As ``init(path:)``.
  public init(bytes: [UInt8]) throws(DiagnosticError) {
    if bytes.count > Self.largestImage {
      let copy = try TemporaryCopy(bytes)
      // An open file stays readable when its name is gone.
      identifier = try HDF5Library.use { () throws(DiagnosticError) in
        try HDF5Library.checked(
          unsafe H5Fopen(copy.path, lp_h5_read_only(), lp_h5_default()),
          "cannot be opened as HDF5; it may be cut short or damaged", object: nil)
      }
      return
    }
    identifier = try HDF5Library.use { () throws(DiagnosticError) in
      let access = try HDF5Library.checked(
        H5Pcreate(lp_h5_file_access()), "cannot be opened as HDF5", object: nil)
      defer { H5Pclose(access) }
      let step: Int = 1 << 20
      guard H5Pset_fapl_core(access, step, false) >= 0 else {
        throw HDF5Library.failure("cannot be opened as HDF5")
      }
      var copy = bytes
      let status = unsafe copy.withUnsafeMutableBytes { buffer in
        unsafe H5Pset_file_image(access, buffer.baseAddress, buffer.count)
      }
      guard status >= 0 else { throw HDF5Library.failure("cannot be opened as HDF5") }
      return try HDF5Library.checked(
        unsafe H5Fopen(Self.nextMemoryName(), lp_h5_read_only(), access),
        "cannot be opened as HDF5; it may be cut short or damaged", object: nil)
    }
  }

  private static let memoryFiles = Atomic<Int>(0)

  /// A name for a file in memory: libhdf5 takes two open ones of the same name for the same file.
  static func nextMemoryName() -> String {
    "memory-\(memoryFiles.add(1, ordering: .relaxed).newValue)"
  }

  private static let dataObserver = Mutex<(@Sendable () -> Void)?>(nil)

  /// Whether libhdf5 is at work in this process; a signal handler may ask.
  public static var isLibraryAtWork: Bool { HDF5Library.isInUse }

  /// Calls a function once, before the first elements of a dataset of any file are read.
  ///
  /// Before that libhdf5 goes through the structure of a file, which is where damage makes it fill the
  /// memory; the sizes of datasets are checked.
  public static func whenDataAreRead(_ body: @escaping @Sendable () -> Void) {
    dataObserver.withLock { $0 = body }
  }

  /// Tells whoever waits for it.
  static func dataAreRead() {
    let body = dataObserver.withLock { observer in
      defer { observer = nil }
      return observer
    }
    body?()
  }

  deinit {
    let identifier = identifier
    _ = try? HDF5Library.use { () throws(DiagnosticError) in H5Fclose(identifier) }
  }

  /// Whether some bytes are an HDF5 file: its signature stands at 0, 512, 1024, 2048 and so on.
  ///
  /// - Parameters:
  ///   - byteCount: The number of bytes.
  ///   - read: Reads a range of them.
  /// - Returns: Whether the signature was found.
  /// - Throws: What `read` throws.
  public static func hasSignature(
    byteCount: Int, read: (Range<Int>) throws(DiagnosticError) -> [UInt8]
  ) throws(DiagnosticError) -> Bool {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    var offset = 0
    while offset + signature.count <= byteCount {
      if try read(offset..<offset + signature.count) == signature { return true }
      offset = offset == 0 ? 512 : offset * 2
    }
    return false
  }
}
