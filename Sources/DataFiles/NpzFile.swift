public import Diagnostics
public import FileSupport
import ZipArchive

/// Named arrays in a file, as `numpy.savez` and `numpy.savez_compressed` write it.
public enum NpzFile {
  private static let suffix = ".npy"

  /// Reads all arrays of an `.npz`.
  ///
  /// - Parameter source: The file.
  /// - Returns: The names, without `.npy`, and the arrays, in the order of the file.
  /// - Throws: ``DiagnosticError`` when the archive or a member is damaged or of a kind that is not
  ///   read, as ``NpyFile/read(_:)``, or with code `limitExceeded`.
  public static func read(
    _ source: ByteSource
  ) throws(DiagnosticError) -> [(name: String, array: NumericArray)] {
    do throws(DiagnosticError) {
      return try arrays(in: source)
    } catch { throw error.inFile(source.name) }
  }

  /// The bytes of an `.npz` whose members are stored; the same arrays give the same bytes.
  ///
  /// - Parameter arrays: The names, without `.npy`, which must differ, and the arrays.
  /// - Returns: The whole file.
  /// - Throws: ``DiagnosticError`` when two arrays have one name.
  public static func bytes(
    of arrays: [(name: String, array: NumericArray)]
  ) throws(DiagnosticError) -> [UInt8] {
    try ZipWriter.bytes(
      of: arrays.map { name, array in
        let header = NpyFile.header(of: array)
        return unsafe ZipMember(
          name: name + suffix, byteCount: header.count + array.byteCount
        ) { unsafe NpyFile.write(header, array, to: $0) }
      })
  }

  private static func arrays(
    in source: ByteSource
  ) throws(DiagnosticError) -> [(name: String, array: NumericArray)] {
    guard source.count <= DataFileLimit.fileBytes else {
      throw DiagnosticError(
        .limitExceeded,
        "has \(source.count) bytes, above the limit of \(DataFileLimit.fileBytes)")
    }
    // libzip takes no bytes at all for an archive without members.
    guard source.count > 0 else {
      throw .malformed("is empty", hint: "write the file with numpy.savez")
    }
    let archive = try ZipArchive(bytes: try source.bytes(in: 0..<source.count))
    let members = try archive.memberNames()
    guard members.count <= DataFileLimit.members else {
      throw DiagnosticError(
        .limitExceeded,
        "has \(members.count) members, above the limit of \(DataFileLimit.members)")
    }
    guard Set(members).count == members.count else {
      throw .malformed("has two members of one name")
    }
    var total = 0
    var arrays: [(name: String, array: NumericArray)] = []
    for member in members {
      let array = try array(ofMember: member, in: archive)
      total += array.count
      guard total <= DataFileLimit.elements else {
        throw DiagnosticError(
          .limitExceeded,
          "has more than \(DataFileLimit.elements) elements in its members")
      }
      arrays.append((name: String(member.dropLast(suffix.count)), array: array))
    }
    return arrays
  }

  private static func array(
    ofMember member: String, in archive: borrowing ZipArchive
  ) throws(DiagnosticError) -> NumericArray {
    guard member.hasSuffix(suffix), let bytes = try archive.bytes(ofMember: member) else {
      throw DiagnosticError.malformed(
        "expected a member that ends in .npy", hint: "write the file with numpy.savez"
      ).atObject(member)
    }
    do throws(DiagnosticError) {
      return try NpyFile.array(in: ByteSource(name: member, bytes: bytes))
    } catch { throw error.atObject(member) }
  }
}
