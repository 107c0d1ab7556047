internal import Diagnostics

/// The constants and limits of the container; `formats/bvq/SPEC.md` is normative.
///
/// The limits are there so that a file cannot make its reader allocate or loop without bound; each
/// has a test at and beyond it.
public enum BVQFormat {
  /// The first eight bytes; the line endings show a file that went through a text-mode transfer.
  public static let magic: [UInt8] = [0x89, 0x42, 0x56, 0x51, 0x0D, 0x0A, 0x1A, 0x0A]
  /// The major version that is read and written; a reader refuses any other.
  public static let majorVersion = 1
  /// The minor version that is written; a reader accepts any.
  public static let minorVersion = 0
  /// The required feature that the metadata name tensors which stand for others.
  public static let sharedFeature: UInt32 = 1 << 0
  /// The required-feature bits that this reader knows.
  public static let knownFeatures = sharedFeature
  /// The bytes of the header.
  public static let headerByteCount = 64
  /// The bytes of one record of the tensor table.
  public static let recordByteCount = 64
  /// Tensors begin at multiples of this many bytes.
  public static let alignment = 64
  /// The bytes of the SHA-256 at the end.
  public static let trailerByteCount = 32
  /// The most bytes of JSON.
  public static let maximumMetadataByteCount = 16 << 20
  /// The most tensors.
  public static let maximumTensorCount = 1 << 18
  /// The most bytes of one tensor name.
  public static let maximumNameByteCount = 4096
  /// The most bytes of all tensor names together.
  public static let maximumNamePoolByteCount = 16 << 20
  /// The most elements of a tensor, and of a matrix that two factors stand for.
  public static let maximumElementCount = 1 << 31
  /// The most sizes in the shape of an opaque tensor.
  public static let maximumShapeRank = 64
  /// The powers of two that parameters may be multiplied by: those that are normal float32 numbers.
  public static let scaleExponents = -126...127

  /// The next multiple of ``alignment``, or `offset` when it is one.
  static func aligned(_ offset: Int) -> Int { offset.dividedRoundingUp(by: alignment) * alignment }
}
