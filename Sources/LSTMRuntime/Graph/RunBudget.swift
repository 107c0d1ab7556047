internal import Diagnostics
internal import FileSupport
internal import Synchronization

/// How much one run of a graph may hold and compute, so that no file can fill the memory or run for ever.
///
/// Held are the values that nodes hand on as long as a later node or an output needs them. What is given to a
/// run, and the weights, do not count: they are there already. Without a limit of the user's the budget grows
/// with the weights and the inputs, for what an honest node makes and computes is bounded by their product.
public struct RunBudget: Sendable, Equatable {
  /// The most bytes of values at one time.
  public let memory: Int
  /// The most operations: multiplications with an addition, and ``operationsPerElement`` for each element that
  /// a node reads or makes.
  public let operations: Int
  /// Whether the user said how much memory there is.
  public let isGiven: Bool

  /// The bytes that every run may hold.
  public static let smallMemory = 8 << 20
  /// The operations for each byte.
  public static let operationsPerByte = 128
  /// What an element that is read or made counts.
  public static let operationsPerElement = 8

  /// The limit of the user for this process, such as `--max-memory`; `nil` when there is none.
  public static var givenMemory: Int? {
    get { given.withLock { $0 } }
    set { given.withLock { $0 = newValue } }
  }

  /// The maximum number of elements of a run's synthetic inputs, whose shapes a file alone declares.
  public static var syntheticElements: Int {
    givenMemory.map { $0 / MemoryLayout<Int64>.stride } ?? 1 << 21
  }

  /// The same for a run that compares what was written with the model.
  public static var comparedElements: Int {
    givenMemory.map { $0 / MemoryLayout<Int64>.stride } ?? 1 << 19
  }

  /// The same for a run that the user asks for without data: one sequence of a model may be long and wide.
  public static var generatedElements: Int {
    givenMemory.map { $0 / MemoryLayout<Int64>.stride }
      ?? max(1 << 21, min(1 << 26, machineMemory / 64))
  }

  /// The same for an input whose batch is filled up around what the user gives.
  ///
  /// - Parameter given: The elements that are given.
  /// - Returns: The maximum number of elements.
  public static func filledElements(given: Int) -> Int {
    max(syntheticElements, min(saturatingProduct(given, 256), machineMemory / 64))
  }

  private static let given = Mutex<Int?>(nil)

  /// Half of the memory that this process may have: the most bytes where the user has not given a limit.
  static let machineMemory = SystemMemory.byteLimit / 2

  /// The budget of a run.
  ///
  /// - Parameters:
  ///   - modelBytes: The bytes of the weights and constants.
  ///   - inputElements: The elements of all inputs.
  ///   - given: The user's limit in bytes; `nil` when there is none.
  public init(modelBytes: Int, inputElements: Int, given: Int? = Self.givenMemory) {
    let natural = saturatingSum(
      Self.smallMemory, saturatingProduct(modelBytes, saturatingSum(4, inputElements)))
    isGiven = given != nil
    memory = given ?? min(natural, Self.machineMemory)
    operations = saturatingProduct(Self.operationsPerByte, max(natural, given ?? 0))
  }
}
