internal import CPackedKernels
internal import LSTMCore

/// Packed matrices of one encoding and group size, one above the other, in the order that the kernels of
/// an instruction set want for int8 activations.
///
/// Ternary codes become two bits, those of 3 bits four; the weight of each code is
/// `offset + scale × value`. Only for codebooks the value is not exact: `LevelGrid`.
@safe struct KernelWeights: Sendable {
  let kind: CodeKind
  let layout: cpk_layout
  let rows: Int
  let columns: Int
  let groupSize: Int
  let groupCount: Int
  private let codes: AlignedMemory<UInt8>
  private let levels: AlignedMemory<UInt32>
  private let uneven: AlignedMemory<UInt8>
  private let scales: AlignedMemory<Float>
  private let offsets: AlignedMemory<Float>

  /// What the kernels can take as codes.
  enum CodeKind: UInt32, Sendable {
    case one = 0
    case two = 1
    case twoWithLevels = 2
    case four = 3
    case eight = 4

    /// The kind for an encoding; `nil` when the kernels have none.
    init?(_ encoding: any WeightEncoding) {
      switch encoding {
      case is BinaryEncoding: self = .one
      case is Ternary2Encoding, is Ternary5In8Encoding: self = .two
      case is Codebook2Encoding: self = .twoWithLevels
      case let uniform as UniformEncoding: self = uniform.width == 8 ? .eight : .four
      default: return nil
      }
    }

    var width: Int {
      switch self {
      case .one: 1
      case .two, .twoWithLevels: 2
      case .four: 4
      case .eight: 8
      }
    }

    var cValue: cpk_codes { cpk_codes(rawValue) }
  }

  /// Rows in a block of the kernels.
  static let blockRows = Int(CPK_BLOCK_ROWS)

  /// The bytes that the weights take in memory.
  var byteCount: Int {
    codes.byteCount + levels.byteCount + uneven.byteCount + scales.byteCount + offsets.byteCount
  }

  /// Whether matrices can be put above each other.
  static func canStack(_ a: PackedMatrix, _ b: PackedMatrix) -> Bool {
    a.encoding.id == b.encoding.id && a.columns == b.columns && a.groupSize == b.groupSize
  }

  /// Whether the kernels take a matrix.
  static func takes(_ matrix: PackedMatrix) -> Bool {
    // Larger groups could leave the 32 bits of a sum.
    CodeKind(matrix.encoding) != nil && matrix.columns > 0
      && min(matrix.groupSize, matrix.columns) <= Int(CPK_GROUP_LIMIT)
  }

  /// Brings matrices into the kernels' order.
  ///
  /// - Precondition: There is one, the kernels take all of them, all can be stacked, and the machine has
  ///   the instruction set.
  init(_ matrices: [PackedMatrix], _ instructions: InstructionSet) {
    precondition(matrices.allSatisfy(Self.takes), "the kernels take no such matrix")
    let first = matrices[0]
    guard let kind = CodeKind(first.encoding) else { preconditionFailure("no kernel") }
    self.kind = kind
    layout = unsafe Self.layout(kind, cpk_packed_kernels_for(instructions.cValue))
    rows = matrices.reduce(0) { $0 + $1.rows }
    columns = first.columns
    groupSize = min(first.groupSize, columns)
    groupCount = cpk_group_count(columns, groupSize)
    let blocks = (rows + Self.blockRows - 1) / Self.blockRows
    let parameterCount = blocks * groupCount * Self.blockRows
    codes = AlignedMemory(
      zeros: cpk_code_byte_count(layout, kind.cValue, rows, columns, groupSize), willBeFilled: true)
    levels = AlignedMemory(zeros: kind == .twoWithLevels ? parameterCount : 0)
    uneven = AlignedMemory(zeros: kind == .twoWithLevels ? blocks : 0)
    scales = AlignedMemory(zeros: parameterCount)
    offsets = AlignedMemory(zeros: parameterCount)
    fill(matrices)
  }

  /// How codes of a kind must lie.
  private static func layout(
    _ kind: CodeKind, _ kernels: UnsafePointer<cpk_packed_kernels>
  ) -> cpk_layout {
    unsafe withUnsafeBytes(of: kernels.pointee.layout) {
      unsafe $0.load(
        fromByteOffset: Int(kind.rawValue) * MemoryLayout<cpk_layout>.stride, as: cpk_layout.self)
    }
  }

  /// Fills the blocks, several at a time.
  private func fill(_ matrices: [PackedMatrix]) {
    let blocks = (rows + Self.blockRows - 1) / Self.blockRows
    let perTask = max(1, Self.taskBytes * blocks / max(1, codes.byteCount))
    let tasks = (blocks + perTask - 1) / perTask
    let orders = matrices.map(LevelOrder.init)
    forEachTask(tasks, threads: tasks) { task in
      fill(task * perTask..<min((task + 1) * perTask, blocks), matrices, orders)
    }
  }

  /// About so many bytes of codes are filled by one task.
  private static let taskBytes = 1 << 18

  /// Fills some blocks; a block may have rows of two matrices.
  private func fill(
    _ blocks: Range<Int>, _ matrices: [PackedMatrix], _ orders: [LevelOrder?]
  ) {
    let bytesPerRow = (columns * kind.width + 7) / 8
    let copies = AlignedMemory<UInt8>(zeros: Self.blockRows * bytesPerRow)
    let pointers = unsafe AlignedMemory<UnsafePointer<UInt8>?>(zeros: Self.blockRows)
    let wanted = blocks.lowerBound * Self.blockRows..<min(blocks.upperBound * Self.blockRows, rows)
    var first = 0
    for (matrix, order) in zip(matrices, orders) {
      let own = wanted.clamped(to: first..<first + matrix.rows)
      let rowBytes = matrix.encoding.rowByteCount(columns: columns)
      let recoding = CodeRecoding(matrix.encoding, columns: columns)
      unsafe matrix.codes.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress else { return }
        for row in own {
          let inBlock = row % Self.blockRows
          let from = unsafe source + (row - first) * rowBytes
          let copy = unsafe copies.start + inBlock * bytesPerRow
          unsafe pointers.start[inBlock] = UnsafePointer(copy)
          if let recoding {
            unsafe recoding.recode(from, into: copy)
          } else if let order {
            unsafe order.recode(row - first, from: from, into: copy)
          } else if own.contains(row / Self.blockRows * Self.blockRows + Self.blockRows - 1) {
            unsafe pointers.start[inBlock] = from
          } else {
            // The block may be placed when this matrix is gone.
            unsafe copy.update(from: from, count: rowBytes)
          }
          guard inBlock == Self.blockRows - 1 || row == rows - 1 else { continue }
          for missing in inBlock + 1..<Self.blockRows { unsafe pointers.start[missing] = nil }
          unsafe cpk_place_block(
            codes.start, layout, kind.cValue, columns, groupSize, row / Self.blockRows,
            pointers.start)
        }
      }
      fillParameters(matrix, order, rows: own, firstRow: first)
      first += matrix.rows
    }
  }

  private func fillParameters(
    _ matrix: PackedMatrix, _ order: LevelOrder?, rows: Range<Int>, firstRow: Int
  ) {
    let factor = Float(sign: .plus, exponent: matrix.scaleExponent, significand: 1)
    let perGroup = matrix.encoding.parametersPerGroup
    unsafe matrix.parameters.withUnsafeBufferPointer { parameters in
      for row in rows {
        let (block, inBlock) = row.quotientAndRemainder(dividingBy: Self.blockRows)
        for group in 0..<groupCount {
          let place = (block * groupCount + group) * Self.blockRows + inBlock
          let from = ((row - firstRow) * groupCount + group) * perGroup
          let first = unsafe Float(parameters[from]) * factor
          switch kind {
          case .one:
            unsafe scales.start[place] = 2 * first
            unsafe offsets.start[place] = -first
          case .two:
            unsafe scales.start[place] = first
            unsafe offsets.start[place] = -first
          case .four, .eight:
            unsafe scales.start[place] = first
            unsafe offsets.start[place] = Float(parameters[from + 1]) * factor
          case .twoWithLevels:
            var stored = unsafe SIMD4(
              first, Float(parameters[from + 1]) * factor, Float(parameters[from + 2]) * factor,
              Float(parameters[from + 3]) * factor)
            if let places = order?.places(row: row - firstRow, group: group) {
              for index in 0..<4 {
                stored[index] = unsafe Float(parameters[places[index]]) * factor
              }
            }
            let grid = LevelGrid(stored)
            unsafe levels.start[place] = grid.values
            if !grid.isEven { unsafe uneven.start[block] = 1 }
            unsafe scales.start[place] = grid.scale
            unsafe offsets.start[place] = grid.offset
          }
        }
      }
    }
  }

  /// Calls with the matrix as the kernels want it.
  func withMatrix<Result>(_ body: (UnsafePointer<cpk_matrix>) -> Result) -> Result {
    var matrix = unsafe cpk_matrix(
      kind: kind.cValue, rows: rows, columns: columns, group_size: groupSize, codes: codes.start,
      levels: levels.start, uneven: uneven.start, scales: scales.start, offsets: offsets.start)
    return unsafe body(&matrix)
  }
}
