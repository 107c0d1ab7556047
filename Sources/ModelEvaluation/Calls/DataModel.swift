public import Diagnostics
public import LSTMCore
public import LSTMRuntime

/// A model as data are run through it: whole sequences in a call, or call by call with the states fed
/// back, as ``EvaluationData/calls`` says.
///
/// Evaluation, analysis and search run models through this and nothing else, so that they agree.
public struct DataModel: Sendable {
  /// The model.
  public let prepared: PreparedModel
  private let stepped: SteppedModel?

  /// Prepares a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - data: What will be run through it, fitted to it or to its original.
  ///   - outputs: As for `PreparedModel`.
  ///   - leavingOutSoftmax: As for `PreparedModel`.
  ///   - addingDecoderInput: As for `PreparedModel`.
  ///   - kernels: How products are computed.
  /// - Throws: ``DiagnosticError`` with code `notRunnable` for a model that cannot be run.
  public init(
    _ model: Model, on data: EvaluationData, outputs: [String]? = nil,
    leavingOutSoftmax: Bool = false, addingDecoderInput: Bool = false,
    kernels: KernelOptions = KernelOptions()
  ) throws(DiagnosticError) {
    if let calls = data.calls {
      guard !addingDecoderInput else {
        throw DiagnosticError(
          .notRunnable, "a cache is not for a model that is run call by call",
          hint: "leave out --cache-window")
      }
      let model = try SteppedModel(
        model, layout: calls, outputs: outputs, leavingOutSoftmax: leavingOutSoftmax,
        options: kernels)
      stepped = model
      prepared = model.prepared
    } else {
      stepped = nil
      prepared = try PreparedModel(
        model, outputs: outputs, leavingOutSoftmax: leavingOutSoftmax,
        addingDecoderInput: addingDecoderInput, options: kernels)
    }
  }

  /// Whether it is run call by call.
  public var isStepped: Bool { stepped != nil }

  /// The names of what a run returns.
  public var outputNames: [String] { stepped?.outputNames ?? prepared.outputNames }

  /// Runs a batch.
  ///
  /// - Parameters:
  ///   - inputs: A batch of ``DataFeed``.
  ///   - session: States and recordings.
  ///   - threads: How many threads may work; results do not depend on it.
  /// - Returns: A tensor for each output.
  /// - Throws: ``DiagnosticError`` when the inputs do not fit.
  public func run(
    _ inputs: [String: Tensor], session: inout DataSession, threads: Int = 1
  ) throws(DiagnosticError) -> [Tensor] {
    guard let stepped else {
      let outputs = try prepared.run(inputs, session: &session.run, threads: threads)
      session.runs = session.run.runs
      return outputs
    }
    if !session.carriesState { session.fed = SteppedModel.States() }
    let result = try stepped.run(
      inputs, states: &session.fed, session: &session.run, threads: threads)
    session.runs = result.runs
    return result.outputs
  }
}

/// What a model remembers on its way through data, and what it is asked to record.
public struct DataSession: Sendable {
  /// Whether each batch goes on from the states in which the last one ended.
  let carriesState: Bool
  /// What the LSTM layers recorded of the last batch.
  public internal(set) var runs: [RunSession.LSTMRun] = []
  /// As for `RunSession`.
  public var madeElements: Int { run.madeElements }
  /// As for `RunSession`.
  package var altering: LSTMAlteration? {
    get { run.altering }
    set { run.altering = newValue }
  }
  var run: RunSession
  var fed = SteppedModel.States()

  /// Creates a session.
  ///
  /// - Parameters:
  ///   - model: The model that will be run.
  ///   - carriesState: Whether each batch goes on from the states in which the last one ended.
  ///   - recording: What the LSTM layers record.
  ///   - recordsInputs: Whether to keep what the LSTM layers are given.
  ///   - prefix: As for `RunSession`.
  public init(
    for model: DataModel, carriesState: Bool = false, recording: LSTMRecording = [],
    recordsInputs: Bool = false, prefix: SharedPrefix? = nil
  ) {
    self.carriesState = carriesState
    // Call by call, states are in the model's own inputs and outputs.
    run = RunSession(
      carriesState: carriesState && !model.isStepped, recording: recording,
      recordsInputs: recordsInputs || (model.isStepped && !recording.isSubset(of: .gates)),
      prefix: prefix)
  }
}
