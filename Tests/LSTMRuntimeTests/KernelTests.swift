import LSTMCore
import LSTMRuntime
import TestSupport
import Testing

/// Every kernel against the encoding's own reference.
@Suite struct KernelTests {
  private static let lengths = [
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 1000,
  ]

  @Test(arguments: WeightEncodings.all.map(\.name))
  func kernelsUnpackAsTheReference(encodingName: String) throws {
    let encoding = try #require(WeightEncodings.all.first { $0.name == encodingName })
    let kernels = RowKernels.all.filter { $0.handles(encoding) }
    // Each encoding of today has a kernel of its own; the reference comes last.
    #expect(kernels.count >= 2)
    #expect(!(RowKernels.kernel(for: encoding) is ReferenceKernel))
    var numbers = SeededNumbers(seed: 3)
    for length in Self.lengths {
      for groupSize in [max(length, 1), 32, 5, 1] where groupSize <= max(length, 1) {
        let codes = (0..<length).map { _ in
          // Any pattern but those that are no finite float16.
          UInt16.random(
            in: 0..<UInt16(encoding.name == "float16" ? 0x7C00 : encoding.levelCount),
            using: &numbers)
        }
        let groups = PackedMatrix.groupsPerRow(columns: length, groupSize: groupSize)
        let parameters = (0..<groups * encoding.parametersPerGroup).map { _ in
          Float(Float16(Float.random(in: -1...1, using: &numbers)))
        }
        let row = PackedRow(
          codes: encoding.pack(codes)[...], parameters: parameters[...], groupSize: groupSize,
          encoding: encoding)
        let expected = unpacked(row, by: ReferenceKernel(), length)
        for kernel in kernels {
          #expect(
            unpacked(row, by: kernel, length).map(\.bitPattern) == expected.map(\.bitPattern),
            "\(kernel), \(length) in groups of \(groupSize)")
        }
      }
    }
  }

  /// The row, after checking that nothing was written behind it.
  private func unpacked(_ row: PackedRow, by kernel: any RowKernel, _ length: Int) -> [Float] {
    var output = [Float](repeating: 77, count: length + 8)
    unsafe output.withUnsafeMutableBufferPointer { buffer in
      let part = unsafe UnsafeMutableBufferPointer(rebasing: buffer[..<length])
      unsafe kernel.unpack(row, into: part)
    }
    #expect(output[length...].allSatisfy { $0 == 77 })
    return Array(output[..<length])
  }
}
