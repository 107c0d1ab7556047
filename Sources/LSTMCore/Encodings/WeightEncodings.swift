/// The encodings that lstmpack knows.
public enum WeightEncodings {
  /// Every encoding, by its number on disk.
  ///
  /// A new encoding is one line here.
  public static let all: [any WeightEncoding] = [
    Float16Encoding(),
    BinaryEncoding(),
    Ternary2Encoding(),
    Ternary5In8Encoding(),
    Codebook2Encoding(),
    UniformEncoding.uniform3,
    UniformEncoding.uniform4,
    UniformEncoding.uniform8,
  ]

  /// The encoding with a number on disk; `nil` when there is none.
  public static func encoding(id: UInt16) -> (any WeightEncoding)? {
    all.first { $0.id == id }
  }
}
