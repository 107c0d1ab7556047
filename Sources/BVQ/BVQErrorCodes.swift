public import Diagnostics

extension DiagnosticError.Code {
  /// A file does not begin as a `.bvq` does.
  public static let bvqMagic = Self("bvq.magic", .malformedInput)
  /// A `.bvq` has a major version that this reader does not know.
  public static let bvqVersion = Self("bvq.version", .malformedInput)
  /// A `.bvq` needs a feature or an encoding that this reader does not know.
  public static let bvqFeature = Self("bvq.feature", .malformedInput)
  /// A `.bvq` ends too early or too late.
  public static let bvqLength = Self("bvq.length", .malformedInput)
  /// A field of the header contradicts the others.
  public static let bvqHeader = Self("bvq.header", .malformedInput)
  /// The JSON of a `.bvq` lacks something or says something impossible.
  public static let bvqMetadata = Self("bvq.metadata", .malformedInput)
  /// A record of the tensor table is impossible, or contradicts the metadata.
  public static let bvqTensor = Self("bvq.tensor", .malformedInput)
  /// A checksum differs: the bytes are not those that were written.
  public static let bvqChecksum = Self("bvq.checksum", .malformedInput)
  /// Bytes that must be zero are not.
  public static let bvqPadding = Self("bvq.padding", .malformedInput)
  /// The bytes of a tensor hold a code or a number that is not allowed.
  public static let bvqValue = Self("bvq.value", .malformedInput)
  /// A model has something that a `.bvq` cannot hold.
  public static let bvqUnsupportedModel = Self("bvq.unsupportedModel", .failure)
}
