public import LSTMCore
public import OrderedJSON

/// What a `.bvq` holds.
public struct BVQFile: Equatable, Sendable {
  /// The model: dense, packed and factored matrices alike.
  public var model: Model
  /// The program that wrote the file.
  public var producer: BVQProducer
  /// The settings that reproduce the run, without time stamps, paths and host names.
  public var settings: JSONObject
  /// Inputs with the outputs that the model has for them.
  public var selfTests: [SelfTest]

  /// Creates the contents of a file.
  public init(
    model: Model, producer: BVQProducer, settings: JSONObject = JSONObject(),
    selfTests: [SelfTest] = []
  ) {
    self.model = model
    self.producer = producer
    self.settings = settings
    self.selfTests = selfTests
  }
}

/// The program that wrote a file.
public struct BVQProducer: Equatable, Sendable {
  /// Its name, for example `lstmpack`.
  public var name: String
  /// Its version, for example `0.1.0`.
  public var version: String

  /// Creates a producer.
  public init(name: String = "lstmpack", version: String) {
    self.name = name
    self.version = version
  }
}
