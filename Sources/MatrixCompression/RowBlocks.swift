import LSTMCore

/// About this many elements make a block: enough to hide the cost of handing it out, few enough
/// that threads finish together.
private let elementsPerBlock = 1 << 18

/// The rows that kernels take together.
let rowsTakenTogether = 32

/// Calls `body` for consecutive blocks of rows, on several threads.
///
/// Blocks begin at multiples of `rowsTakenTogether`. Which rows make a block depends on the shape
/// alone, not on the number of threads.
func forEachRowBlock(
  _ rows: Int, columns: Int, threads: Int, _ body: @Sendable (Range<Int>) -> Void
) {
  let parts = elementsPerBlock / max(columns, 1) / rowsTakenTogether
  let rowsPerBlock = max(1, parts) * rowsTakenTogether
  let blocks = rows == 0 ? 0 : (rows - 1) / rowsPerBlock + 1
  forEachTask(blocks, threads: threads) { block in
    body(block * rowsPerBlock..<min(rows, (block + 1) * rowsPerBlock))
  }
}
