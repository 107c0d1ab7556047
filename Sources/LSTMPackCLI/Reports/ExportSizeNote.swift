import LSTMPackKit

/// Why an exported file is not smaller than it is, and what makes it smaller.
struct ExportSizeNote {
  let model: Model
  let format: any ExportFormat
  let form: WeightForm
  /// The bytes of the checkpoint and of what was written.
  let byteCounts: (before: Int, after: Int)

  /// The sentences; empty when the file holds the weights as they were compressed.
  var text: String {
    var sentences: [String] = []
    if let other = smallerForm, form == .float {
      sentences.append(
        format.weightForms.contains(other)
          ? "Its compressed weights are written out; --weights \(other.rawValue) keeps them as "
            + "\(Self.phrase(other)), which makes the file smaller."
          : "Files of \(format.name) hold weights written out, so this one is not smaller; a .bvq is, "
            + "and so is ONNX with --weights \(other.rawValue).")
    }
    if byteCounts.after > byteCounts.before, isSourceNarrow {
      sentences.append(
        "It is larger than the checkpoint, which has its weights in fewer than 32 bits.")
    }
    return sentences.joined(separator: " ")
  }

  /// The form that keeps what was compressed; `nil` when nothing was.
  private var smallerForm: WeightForm? {
    var bits: [Int] = []
    var hasFactors = false
    func visit(_ matrix: WeightMatrix) {
      switch matrix {
      case .dense: break
      case .packed(let packed): bits.append(packed.encoding.rowByteCount(columns: 64) / 8)
      case .product(let left, let right):
        hasFactors = true
        visit(left)
        visit(right)
      }
    }
    for (_, matrix) in model.matrices { visit(matrix) }
    guard let least = bits.filter({ $0 <= 8 }).min() else { return hasFactors ? .factors : nil }
    return least <= 2 ? .int2 : least <= 4 ? .int4 : .int8
  }

  private static func phrase(_ form: WeightForm) -> String {
    switch form {
    case .float: "floating-point numbers"
    case .factors: "low-rank factors"
    case .int2: "integers of 2 bits"
    case .int4: "integers of 4 bits"
    case .int8: "integers of 8 bits"
    }
  }

  /// Whether the checkpoint is too small to hold all weights in 32 bits.
  private var isSourceNarrow: Bool {
    let count = model.matrices.reduce(0) { $0 + $1.matrix.rows * $1.matrix.columns }
    return byteCounts.before < count * MemoryLayout<Float>.size
  }
}
