import BVQ
import Diagnostics
import FileSupport
import Testing

/// What the metadata say of LSTMs, the graph and self-tests must fit the tensors and itself.
struct LSTMMetadataTests {
  /// A sample, a text in its metadata, what to put there instead, and the error.
  static let changes: [(sample: String, old: String, new: String, text: String)] = [
    (
      "float_language_model", #""hiddenSize":2"#, #""hiddenSize":3"#,
      "lstm_1/forward/input/input: expected shape [3, 3], found [2, 3]"
    ),
    (
      "float_language_model", #""inputSize":3"#, #""inputSize":0"#,
      "lstm_1/forward/input/input: expected shape [2, 0], found [2, 3]"
    ),
    (
      "float_language_model", #""weights":0"#, #""weights":1"#,
      "metadata: layers[1]: uses lstmWeights[1], there are 1"
    ),
    (
      "float_language_model", #""direction":"forward""#, #""direction":"backward""#,
      "lstm_1/backward/input/input: is missing from the tensor table"
    ),
    (
      "float_language_model", #""directions":[{"#, #""directions":[],"x":[{"#,
      "metadata: layers[1]: has 0 directions; an LSTM has one or two"
    ),
    (
      "float_language_model", #""sourceGateOrder":"#, #""merge":"sum","sourceGateOrder":"#,
      "metadata: layers[1]: needs 'merge' for two directions, and only for two"
    ),
    (
      "float_language_model", #""directions":[{"#, #""directions":[[],{"#,
      "metadata: layers[1].directions[0]: expected an object"
    ),
    (
      "bidirectional_peepholes", #""clip":3.5"#, #""clip":1e39"#,
      "metadata: layers[0].clip: expected a number within the range of float32"
    ),
    (
      "bidirectional_peepholes", #""merge":"separate""#, #""merge":"maximum""#,
      "metadata: layers[0].merge: expected one of concatenate, sum, multiply, average, separate, "
        + "found 'maximum'"
    ),
    (
      "bidirectional_peepholes", #""keepsComputedOrder":true"#, #""keepsComputedOrder":1"#,
      "metadata: layers[0].directions[1].keepsComputedOrder: expected true or false"
    ),
    (
      "bidirectional_peepholes", #""direction":"backward""#, #""direction":"forward""#,
      "metadata: layers[0]: has the direction forward twice"
    ),
    (
      "shared_weights", #""name":"b""#, #""name":"c""#,
      "c/forward/input/input: is missing from the tensor table"
    ),
    (
      "graph_and_self_tests", #""layer":2,"inputs":["x"]"#, #""layer":3,"inputs":["x"]"#,
      "metadata: graph.nodes[3]: uses layer 3, there are 3"
    ),
    (
      "graph_and_self_tests", #""shape":[null,4]"#, #""shape":[null,-4]"#,
      "metadata: graph.inputs[0].shape[1]: expected an integer of at least 0"
    ),
    (
      "graph_and_self_tests", #""operation":"keras.Dense""#, #""operations":"keras.Dense""#,
      "metadata: graph.nodes[3]: lacks the key 'operation'"
    ),
    (
      "graph_and_self_tests", #""numbers":[-1,2]"#, #""numbers":[-1,"2"]"#,
      "metadata: graph.nodes[2].attributes.numbers[1]: expected a number"
    ),
    (
      "graph_and_self_tests", #""numbers":[-1,2]"#, #""numbers":{}"#,
      "metadata: graph.nodes[2].attributes.numbers: expected a number"
    ),
    (
      "graph_and_self_tests", #""inputs":["e","",""]"#, #""inputs":["e",1]"#,
      "metadata: graph.nodes[1].inputs[1]: expected a string"
    ),
    (
      "graph_and_self_tests", #""shape":[1,1,3]"#, #""shape":[1,1,4]"#,
      "selfTest/0/0: is no self-test tensor of 4 elements, as the metadata say"
    ),
    (
      "graph_and_self_tests", #""tolerance":0.001"#, #""tolerance":"small""#,
      "metadata: selfTests[1].tolerance: expected a number within the range of float32"
    ),
    (
      "graph_and_self_tests", #"{"name":"scale","shape":[]}"#,
      #"{"name":"scale","shape":[]},{"name":"z","shape":[1]}"#,
      "selfTest/1/3: is missing from the tensor table"
    ),
  ]

  @Test(arguments: changes.indices)
  func contradictionsAreNamed(_ index: Int) throws {
    let (name, old, new, text) = Self.changes[index]
    let sample = try #require(SampleFiles.all.first { $0.name == name }?.file)
    let raw = try RawFile(sample)
    let sound = try BVQReader.read(ByteSource(name: "m", bytes: raw.assembled))
    #expect(sound == sample)
    let bytes = raw.replacing(old, with: new).assembled
    let error = try #require(throws: DiagnosticError.self) {
      try BVQReader.read(ByteSource(name: "m", bytes: bytes))
    }
    #expect(error.description == "m: \(text)")
  }

  @Test func factorsMustFitEachOther() throws {
    var raw = try RawFile(SampleFiles.lowRank)
    raw.records[1].rows = 1
    raw.records[1].payload = Array(raw.records[1].payload.prefix(1)) + [0, 0, 0x3C]
    let error = try #require(throws: DiagnosticError.self) {
      try BVQReader.read(ByteSource(name: "m", bytes: raw.assembled))
    }
    #expect(
      error.description
        == "m: lstm/forward/input/input/right: has 1 rows, its left factor 2 columns")
    raw.records.remove(at: 1)
    let missing = try #require(throws: DiagnosticError.self) {
      try BVQReader.read(ByteSource(name: "m", bytes: raw.assembled))
    }
    #expect(
      missing.description
        == "m: lstm/forward/input/input/right: is missing from the tensor table")
  }
}
