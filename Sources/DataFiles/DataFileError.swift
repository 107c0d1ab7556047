public import Diagnostics

extension DiagnosticError.Code {
  /// A file of arrays or of numbers in text is damaged or not of its kind.
  public static let malformedDataFile = Self("dataFile.malformed", .malformedInput)
  /// A file of arrays holds something that lstmpack does not read.
  public static let unsupportedDataFile = Self("dataFile.unsupported", .malformedInput)
}

/// Limits on what a file of arrays or of numbers in text may declare.
public enum DataFileLimit {
  /// Elements of an array, of a table, and of all members of an `.npz` together.
  public static let elements = 1 << 31
  /// Dimensions of an array, as in numpy.
  public static let dimensions = 64
  /// Bytes of the header of an `.npy`.
  public static let headerBytes = 1 << 20
  /// Members of an `.npz`.
  public static let members = 4096
  /// Columns of a table.
  public static let columns = 1 << 20
  /// Bytes of a file that is read as a whole: a table or an `.npz`.
  public static let fileBytes = 8 << 30
}

extension DiagnosticError {
  static func malformed(_ problem: String, hint: String? = nil) -> DiagnosticError {
    DiagnosticError(.malformedDataFile, problem, hint: hint)
  }

  static func unsupported(_ problem: String, hint: String? = nil) -> DiagnosticError {
    DiagnosticError(.unsupportedDataFile, problem, hint: hint)
  }
}

/// Bytes of a file as text for a message: in quotes, at most 40 characters, nothing that would
/// move the cursor.
func quoted(_ bytes: some Sequence<UInt8>) -> String {
  let limit = 40
  let start = Array(bytes.prefix(4 * limit + 1))
  let text = String(decoding: start, as: UTF8.self)
  let safe = text.unicodeScalars.map { scalar in
    scalar.properties.generalCategory == .control ? "\u{FFFD}" : String(scalar)
  }
  return "'" + safe.prefix(limit).joined() + (safe.count > limit ? "…'" : "'")
}
