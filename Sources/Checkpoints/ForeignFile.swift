import Diagnostics
import FileSupport

/// Files of models that lstmpack does not read, with the way to one that it does.
struct ForeignFile {
  /// What it is.
  let kind: String
  /// What to do.
  let hint: String

  /// The number of bytes examined at the beginning and at the end of a file.
  private static let searchedCount = 1 << 16

  private static let stateDictionary =
    "for weights alone, safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"

  private static let torch = ForeignFile(
    kind: "a file of PyTorch (torch.save: a pickle, which may run anything when it is read)",
    hint: "in Python, torch.onnx.export(model, (x,), 'model.onnx') with an input x writes one that "
      + "lstmpack reads; " + stateDictionary)

  private static let torchScript = ForeignFile(
    kind: "a TorchScript file of PyTorch",
    hint: "in Python, torch.onnx.export(torch.jit.load('model.pt'), (x,), 'model.onnx', "
      + "dynamo=False) with an input x writes one that lstmpack reads; " + stateDictionary)

  private static let exportedProgram = ForeignFile(
    kind: "an exported program of PyTorch (torch.export, .pt2)",
    hint: "in Python, torch.onnx.export(torch.export.load('model.pt2'), f='model.onnx', "
      + "dynamo=True) writes one that lstmpack reads")

  private static let pickle = ForeignFile(
    kind: "a pickle, which may run anything when it is read", hint: torch.hint)

  private static let source =
    "export the model that it was converted from: to .onnx, or as Keras saves it"

  /// Kinds that are told by bytes at an offset.
  private static let signatures: [(offset: Int, bytes: [UInt8], file: ForeignFile)] = [
    (
      4, Array("TFL3".utf8),
      ForeignFile(
        kind: "a TensorFlow Lite model",
        hint: "give the Keras model from which it was converted (.keras or .h5)")
    ),
    (
      4, Array("ORTM".utf8),
      ForeignFile(
        kind: "a model in the format of ONNX Runtime (.ort)",
        hint: "give the .onnx file from which it was converted")
    ),
    (
      4, Array("ET12".utf8),
      ForeignFile(
        kind: "an ExecuTorch program (.pte)",
        hint: "in Python, torch.onnx.export of the PyTorch model writes an .onnx file")
    ),
    (
      0, Array("GGUF".utf8),
      ForeignFile(
        kind: "a GGUF file", hint: "give the checkpoint from which it was converted")
    ),
    (
      0, [0x93] + Array("NUMPY".utf8),
      ForeignFile(
        kind: "an array of NumPy (.npy), no model", hint: "give it as --data beside a model")
    ),
    (
      0, Array("MATLAB 5.0 MAT-file".utf8),
      ForeignFile(
        kind: "a .mat file of MATLAB",
        hint: "in MATLAB, exportONNXNetwork(net, 'model.onnx') writes one that lstmpack reads")
    ),
  ]

  /// Kinds of JSON that are told by names and words in them, the more special ones first.
  private static let documents: [(words: [String], file: ForeignFile)] = [
    (
      ["\"state_dict\"", "\"model_data\""],
      ForeignFile(
        kind: "a model of GuitarML (JSON of a PyTorch state dict)",
        hint:
          "export the PyTorch model with torch.onnx.export; or, for its weights, in Python: d = "
          + "json.load(open('model.json'))['state_dict']; safetensors.numpy.save_file({k: numpy.array(v, "
          + "'float32') for k, v in d.items()}, 'model.safetensors')")
    ),
    (
      ["\"architecture\"", "\"weights\"", "\"config\""],
      ForeignFile(
        kind: "a model of Neural Amp Modeler (.nam: one list of all weights)",
        hint: "export the PyTorch model that it was made from with torch.onnx.export")
    ),
    (
      ["\"in_shape\"", "\"layers\""],
      ForeignFile(
        kind: "a model of RTNeural (JSON)",
        hint: "give the model that it was made from: as Keras saves it, or from PyTorch with "
          + "torch.onnx.export")
    ),
    (
      ["\"modelTopology\"", "\"weightsManifest\""],
      ForeignFile(
        kind: "a model of TensorFlow.js",
        hint:
          "tensorflowjs_converter --input_format=tfjs_layers_model --output_format=keras model.json "
          + "model.h5 writes one that lstmpack reads")
    ),
    (
      ["\"class_name\"", "\"config\""],
      ForeignFile(
        kind: "the architecture of a Keras model, without weights",
        hint: "in Python, model.save('model.keras') writes both")
    ),
    (
      ["\"weight_map\"", ".safetensors\""],
      ForeignFile(
        kind: "the index of weights in several .safetensors files",
        hint: "give one of these files, or in Python safetensors.torch.save_file all weights into "
          + "one")
    ),
  ]

  /// Tells by the contents of a file that is no zip archive; `nil` for others.
  ///
  /// - Throws: `DiagnosticError` when the file cannot be read.
  static func of(_ source: ByteSource) throws(DiagnosticError) -> ForeignFile? {
    let start = try source.bytes(in: 0..<min(source.count, searchedCount))
    for signature in signatures
    where start.dropFirst(signature.offset).starts(with: signature.bytes) {
      return signature.file
    }
    // The protocols 2 to 5 begin with their number, and what PyTorch saved before version 1.6 with a
    // number of its own.
    if start.count > 2, start[0] == 0x80, (2...5).contains(start[1]) {
      return start.dropFirst(2).starts(with: [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46]) ? torch : pickle
    }
    if isCoreML(start) {
      return ForeignFile(kind: "a Core ML model (.mlmodel)", hint: Self.source)
    }
    if start.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") {
      let end = try source.bytes(in: max(0, source.count - searchedCount)..<source.count)
      let text = String(decoding: start, as: UTF8.self) + String(decoding: end, as: UTF8.self)
      return documents.first { document in document.words.allSatisfy(text.contains) }?.file
    }
    let beginning = String(decoding: start.prefix(1024), as: UTF8.self)
    if beginning.hasPrefix("<?xml"), beginning.contains("<net ") {
      return ForeignFile(kind: "a model of OpenVINO", hint: Self.source)
    }
    return nil
  }

  /// A version from 1 to 9, then the description, which begins with that of an input.
  static func isCoreML(_ start: [UInt8]) -> Bool {
    guard start.count > 8, start[0] == 0x08, (1...9).contains(start[1]), start[2] == 0x12 else {
      return false
    }
    // The length of the description, of one to four bytes.
    let rest = start.dropFirst(3).prefix(4).drop { $0 & 0x80 != 0 }.dropFirst()
    guard let first = rest.first else { return false }
    return first == 0x0A && start[3] >= 0x20
  }

  /// Tells by the members of a zip archive; `nil` for others.
  static func of(members: [String]) -> ForeignFile? {
    func has(_ endings: String...) -> Bool {
      members.contains { member in endings.contains { member.hasSuffix($0) } }
    }
    if has("serialized_exported_program.json", "/archive_format")
      || members.contains(where: { $0.contains("models/") && $0.hasSuffix(".json") })
    {
      return exportedProgram
    }
    if has("constants.pkl") || members.contains(where: { $0.contains("/code/__torch__") }) {
      return torchScript
    }
    if has("data.pkl") { return torch }
    if !members.isEmpty, members.allSatisfy({ $0.hasSuffix(".npy") }) {
      return ForeignFile(
        kind: "an .npz of arrays",
        hint: "in Python, safetensors.numpy.save_file(dict(numpy.load('file.npz')), "
          + "'arrays.safetensors') writes one that lstmpack reads, with --map for names of your own"
      )
    }
    return nil
  }
}
