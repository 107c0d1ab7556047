package import LSTMCore

/// One row of a packed matrix.
package struct PackedRow {
  /// The codes, as the encoding lays them out.
  package let codes: ArraySlice<UInt8>
  /// The parameters of the row's groups, exponent applied.
  package let parameters: ArraySlice<Float>
  /// The elements of a group.
  package let groupSize: Int
  /// The bit layout.
  package let encoding: any WeightEncoding

  /// Creates a row.
  package init(
    codes: ArraySlice<UInt8>, parameters: ArraySlice<Float>, groupSize: Int,
    encoding: any WeightEncoding
  ) {
    self.codes = codes
    self.parameters = parameters
    self.groupSize = groupSize
    self.encoding = encoding
  }
}

/// Unpacks the rows of packed matrices into float32.
///
/// What it writes is exactly what the encoding's reference says (`KernelTests` compares them).
package protocol RowKernel: Sendable {
  /// Whether it unpacks this encoding.
  func handles(_ encoding: any WeightEncoding) -> Bool

  /// Unpacks one row.
  ///
  /// - Parameters:
  ///   - row: The codes and parameters.
  ///   - output: As many elements as the row has columns.
  func unpack(_ row: PackedRow, into output: UnsafeMutableBufferPointer<Float>)
}

/// The kernels.
package enum RowKernels {
  /// Every kernel, fastest first; a new kernel is one line here.
  ///
  /// An encoding that none of the others handles runs through its reference.
  package static let all: [any RowKernel] = [
    TableKernel(), UniformKernel(), Float16Kernel(), Ternary5In8Kernel(), ReferenceKernel(),
  ]

  /// The kernel for an encoding.
  package static func kernel(for encoding: any WeightEncoding) -> any RowKernel {
    all.first { $0.handles(encoding) } ?? ReferenceKernel()
  }
}
