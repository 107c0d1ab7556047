/// An error that says what failed, where, and what to try.
///
/// Every lstmpack target throws this one type, so that callers catch one thing and every text is
/// built in one place. A target adds its own codes in an extension of ``Code``:
///
///     extension DiagnosticError.Code {
///       public static let truncated = Self("bvq.truncated", .malformedInput)
///     }
///
/// The text reads `file: object: problem; hint`, for example
/// `model.h5: /model_weights/lstm_1/kernel:0: expected shape [64, 512], found [64, 384]; a GRU has
/// 3 gates, an LSTM 4`. Compare ``code``, not the text: the text may improve between releases.
public struct DiagnosticError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of failure it was; names are stable.
  public var code: Code
  /// The file concerned, as the user named it.
  public var file: String?
  /// The object in the file: an HDF5 path, an ONNX node, a tensor.
  public var object: String?
  /// What was found and what was expected.
  public var problem: String
  /// What to try next.
  public var hint: String?

  /// Creates an error.
  public init(
    _ code: Code, file: String? = nil, object: String? = nil, _ problem: String, hint: String? = nil
  ) {
    self.code = code
    self.file = file
    self.object = object
    self.problem = problem
    self.hint = hint
  }

  /// The error as one line: `file: object: problem; hint`.
  public var description: String {
    var text = ""
    for part in [file, object] {
      if let part, !part.isEmpty { text += part + ": " }
    }
    text += problem
    if let hint { text += "; " + hint }
    return text
  }

  /// This error with the file named, unless it names one already.
  public func inFile(_ name: String) -> DiagnosticError {
    var copy = self
    copy.file = file ?? name
    return copy
  }

  /// This error with the object named, unless it names one already.
  public func atObject(_ name: String) -> DiagnosticError {
    var copy = self
    copy.object = object ?? name
    return copy
  }
}

extension DiagnosticError {
  /// Who has to do something about an error; decides the exit code of the command line.
  public enum Category: Hashable, Sendable {
    /// The operation could not be done: no space, no permission, a threshold missed. Exit code 1.
    case failure
    /// The arguments do not make sense. Exit code 64.
    case usage
    /// The input is damaged, hostile or of a kind that lstmpack does not read. Exit code 65.
    case malformedInput
  }

  /// A stable name for a kind of error, with its category.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The stable name, `area.kind`.
    public let name: String
    /// Who has to do something about it.
    public let category: Category

    /// Creates a code; each target keeps its codes in one extension.
    public init(_ name: String, _ category: Category) {
      self.name = name
      self.category = category
    }

    /// The stable name.
    public var description: String { name }
  }
}

extension DiagnosticError.Code {
  /// A file could not be opened, read or written.
  public static let fileAccess = Self("file.access", .failure)
  /// An output exists already and `--force` was not given.
  public static let fileExists = Self("file.exists", .failure)
  /// A size is beyond a limit that lstmpack sets.
  public static let limitExceeded = Self("limit.exceeded", .malformedInput)
}
