public import Diagnostics

/// One stream through a streamed model.
///
/// It holds the states of the layers and the memory of a step, all allocated at the beginning. Not for several threads at once; it may have threads of its own.
///
/// Results do not depend on the number of threads, nor on how steps are put together to calls.
@safe public final class StreamState {
  /// Multiplications of a step for each thread from which on it pays: some 5 to 10 microseconds.
  private static let productsPerThread = 250_000
  /// The most steps that go through a layer together.
  private static let stepsPerBlock = 64
  /// The most numbers of all layers that they may compute, 64 MiB, unless one step has more.
  private static let numbersPerBlock = 1 << 24

  /// The model.
  public let model: StreamedModel
  /// How many threads a step takes.
  public let threads: Int

  private let team: StepTeam
  /// States first, then what a block of steps needs.
  private let memory: AlignedMemory<Float>
  private let stateCount: Int
  /// Where the states, and then the results, of each stage lie.
  private let places: [Place]
  private let scratch: AlignedMemory<UInt8>
  private let scratchStride: Int
  private let blockSteps: Int
  /// What each worker does, made once so that a step allocates nothing.
  private let task: @Sendable (StepWorker) -> Void
  private let current: Current
  private let tokens: AlignedMemory<Int>
  private let input: AlignedMemory<Float>

  private struct Place {
    /// h and c of an LSTM.
    var h = 0
    var c = 0
    /// The sums of its gates, `[steps, 4 · units]`, and its outputs before a projection.
    var gates = 0
    var temporary = 0
    /// The results of a block, `[steps, size]`.
    var results = 0
  }

  /// Begins a stream.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - threads: How many threads may take a step; fewer do when it is small.
  ///   - stepsAtOnce: How many steps one call may take together; longer runs are cut.
  public init(_ model: StreamedModel, threads: Int = 1, stepsAtOnce: Int = 1) {
    self.model = model
    self.threads = max(1, min(threads, model.productCount / Self.productsPerThread))
    let width = model.stages.reduce(model.inputSize) {
      if case .lstm(let lstm) = $1 { return $0 + 4 * lstm.units + lstm.outputSize }
      return $0 + ($1.size ?? 0)
    }
    let steps = max(1, min(stepsAtOnce, Self.stepsPerBlock, Self.numbersPerBlock / max(1, width)))
    blockSteps = steps
    team = StepTeam(self.threads)
    var count = 0
    func take(_ floats: Int) -> Int {
      defer { count += (floats + 15) / 16 * 16 }
      return count
    }
    var places = [Place](repeating: Place(), count: model.stages.count)
    for (index, stage) in model.stages.enumerated() {
      guard case .lstm(let lstm) = stage else { continue }
      places[index].h = take(lstm.outputSize)
      places[index].c = take(lstm.units)
    }
    stateCount = count
    var scratchCount = 0
    // A first stage that works in place needs a copy of the input.
    var last = model.stages.first?.size == nil ? take(model.inputSize * steps) : 0
    for (index, stage) in model.stages.enumerated() {
      switch stage {
      case .lstm(let lstm):
        places[index].gates = take(4 * lstm.units * steps)
        places[index].temporary = take(lstm.units)
        scratchCount = max(
          scratchCount, lstm.input.scratchByteCount(rows: steps),
          lstm.recurrent.scratchByteCount(rows: 1),
          lstm.projection?.scratchByteCount(rows: 1) ?? 0)
      case .dense(let map): scratchCount = max(scratchCount, map.scratchByteCount(rows: steps))
      case .embedding, .bias, .activation: break
      }
      if let size = stage.size { last = take(size * steps) }
      places[index].results = last
    }
    self.places = places
    memory = AlignedMemory(zeros: count)
    scratchStride = (scratchCount + 127) / 128 * 128
    scratch = AlignedMemory(zeros: scratchStride * self.threads)
    tokens = AlignedMemory(zeros: model.tokenCount == nil ? 0 : steps)
    input = AlignedMemory(zeros: model.tokenCount == nil ? model.inputSize * steps : 0)
    let current = unsafe Current()
    unsafe self.current = current
    task = { worker in unsafe current.stream?.run(current.steps, worker) }
    unsafe current.stream = self
  }

  /// A stream that goes on from the same state.
  public func clone() -> StreamState {
    let copy = StreamState(model, threads: threads, stepsAtOnce: blockSteps)
    unsafe copy.memory.start.update(from: memory.start, count: stateCount)
    return copy
  }

  /// Begins again.
  public func reset() { unsafe memory.start.update(repeating: 0, count: stateCount) }

  /// The states of the LSTM layers, h then c of each.
  public var states: [Float] { (0..<stateCount).map { unsafe memory.start[$0] } }

  /// Takes steps of tokens.
  ///
  /// - Parameters:
  ///   - tokens: The tokens.
  ///   - body: Takes the results of some of the steps in turn, `[steps, outputSize]`.
  /// - Throws: ``DiagnosticError`` with code `badData` for a token that the model does not have, before
  ///   any step is taken.
  public func run(
    tokens: UnsafeBufferPointer<Int>, _ body: (UnsafeBufferPointer<Float>) -> Void
  ) throws(DiagnosticError) {
    guard let tokenCount = model.tokenCount else {
      throw DiagnosticError(.badData, "takes vectors of \(model.inputSize) numbers, not tokens")
    }
    for index in tokens.indices {
      let token = unsafe tokens[index]
      guard (0..<tokenCount).contains(token) else {
        throw DiagnosticError(
          .badData, "has no token \(token): the vocabulary has \(tokenCount), numbered from 0")
      }
    }
    for first in stride(from: 0, to: tokens.count, by: blockSteps) {
      let steps = min(blockSteps, tokens.count - first)
      for index in 0..<steps { unsafe self.tokens.start[index] = tokens[first + index] }
      unsafe body(runBlock(steps))
    }
  }

  /// Takes steps of vectors.
  ///
  /// - Parameters:
  ///   - x: `[steps, inputSize]`.
  ///   - body: Takes the results of some of the steps in turn, `[steps, outputSize]`.
  /// - Throws: ``DiagnosticError`` with code `badData` when x is not whole steps, or the model takes
  ///   tokens.
  public func run(
    x: UnsafeBufferPointer<Float>, _ body: (UnsafeBufferPointer<Float>) -> Void
  ) throws(DiagnosticError) {
    guard model.tokenCount == nil else { throw DiagnosticError(.badData, "takes tokens") }
    let size = model.inputSize
    guard x.count % size == 0 else {
      throw DiagnosticError(
        .badData, "needs \(size) numbers for each step, found \(x.count)")
    }
    for first in stride(from: 0, to: x.count / size, by: blockSteps) {
      let steps = min(blockSteps, x.count / size - first)
      guard let start = x.baseAddress else { return }
      unsafe input.start.update(from: start + first * size, count: steps * size)
      unsafe body(runBlock(steps))
    }
  }

  private func runBlock(_ steps: Int) -> UnsafeBufferPointer<Float> {
    if threads == 1 {
      run(steps, StepWorker(index: 0, count: 1, wait: {}))
    } else {
      unsafe current.steps = steps
      team.run(task)
    }
    let results = unsafe memory.start + (places.last?.results ?? 0)
    return unsafe UnsafeBufferPointer(start: results, count: steps * model.outputSize)
  }

  /// A worker's share of a block of steps.
  private func run(_ steps: Int, _ worker: StepWorker) {
    let own = unsafe UnsafeMutableRawPointer(scratch.start + worker.index * scratchStride)
    let floats = unsafe memory.start
    var x = unsafe UnsafePointer(input.start)
    var size = model.inputSize
    if model.stages.first?.size == nil, worker.index == 0, let first = places.first {
      unsafe (floats + first.results).update(from: x, count: steps * size)
    }
    for (index, stage) in model.stages.enumerated() {
      let place = places[index]
      let y = unsafe floats + place.results
      switch stage {
      case .embedding(let table):
        if worker.index == 0 {
          for step in 0..<steps {
            unsafe table.copyRow(tokens.start[step], to: y + step * table.size)
          }
        }
        worker.wait()
      case .lstm(let lstm):
        unsafe run(lstm, place, steps, x: x, xSize: size, y: y, worker, scratch: own)
      case .dense(let map):
        let part = worker.part(of: map.outputSize)
        unsafe map.apply(
          Rows(start: x, stride: size, count: steps), outputs: part,
          to: MutableRows(start: y + part.lowerBound, stride: map.outputSize), accumulate: false,
          scratch: own)
        worker.wait()
      case .bias(let vector):
        if worker.index == 0 {
          for step in 0..<steps {
            for element in 0..<vector.count {
              unsafe y[step * vector.count + element] += vector[element]
            }
          }
        }
        worker.wait()
      case .activation(let activation):
        if worker.index == 0 {
          for step in 0..<steps { unsafe activation.apply(to: y + step * size, count: size) }
        }
        worker.wait()
      }
      unsafe x = UnsafePointer(y)
      size = stage.size ?? size
    }
  }

  private func run(
    _ lstm: StreamedLSTM, _ place: Place, _ steps: Int, x: UnsafePointer<Float>, xSize: Int,
    y: UnsafeMutablePointer<Float>, _ worker: StepWorker, scratch: UnsafeMutableRawPointer
  ) {
    let (h, c) = unsafe (memory.start + place.h, memory.start + place.c)
    let (gates, temporary) = unsafe (memory.start + place.gates, memory.start + place.temporary)
    let gateCount = 4 * lstm.units
    let part = worker.part(of: gateCount)
    unsafe lstm.bias.withUnsafeBufferPointer { bias in
      guard let bias = bias.baseAddress else { return }
      for step in 0..<steps {
        unsafe (gates + step * gateCount + part.lowerBound).update(
          from: bias + part.lowerBound, count: part.count)
      }
    }
    unsafe lstm.input.apply(
      Rows(start: x, stride: xSize, count: steps), outputs: part,
      to: MutableRows(start: gates + part.lowerBound, stride: gateCount), accumulate: true,
      scratch: scratch)
    for step in 0..<steps {
      let z = unsafe gates + step * gateCount
      unsafe lstm.recurrent.apply(
        Rows(start: h, stride: lstm.outputSize, count: 1), outputs: part,
        to: MutableRows(start: z + part.lowerBound, stride: gateCount), accumulate: true,
        scratch: scratch)
      worker.wait()
      let output = unsafe lstm.projection == nil ? h : temporary
      let units = worker.part(of: lstm.units)
      if lstm.cell.isUsual {
        unsafe VectorKernels.best.cell(z: z, units: lstm.units, part: units, c: c, h: output)
      } else {
        if worker.index == 0 { unsafe lstm.cell.apply(z: z, c: c, output: output) }
        worker.wait()
      }
      let rows = worker.part(of: lstm.outputSize)
      if let projection = lstm.projection {
        if lstm.cell.isUsual { worker.wait() }
        unsafe projection.apply(
          Rows(start: temporary, stride: lstm.units, count: 1), outputs: rows,
          to: MutableRows(start: h + rows.lowerBound, stride: lstm.outputSize), accumulate: false,
          scratch: scratch)
      }
      // These are the rows that this worker has just written, or that all have waited for.
      unsafe (y + step * lstm.outputSize + rows.lowerBound).update(
        from: h + rows.lowerBound, count: rows.count)
      worker.wait()
    }
  }
}

/// What the threads of a stream work on.
///
/// They work on parts of it that do not overlap, and the stream, which waits for them, is there as long as
/// they work.
@unsafe private final class Current: @unchecked Sendable {
  unowned(unsafe) var stream: StreamState?
  var steps = 0
}
