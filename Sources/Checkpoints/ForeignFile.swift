/// Files of models that lstmpack does not read, with the way to one that it does.
struct ForeignFile {
  /// What it is.
  let kind: String
  /// What to do.
  let hint: String

  /// A pickle can run any program when it is read, so lstmpack does not.
  static let torch = ForeignFile(
    kind: "a file of PyTorch (torch.save, a pickle, which may run anything when it is read)",
    hint: "in Python, safetensors.torch.save_file(model.state_dict(), 'model.safetensors') writes "
      + "one that lstmpack reads; or export the model with torch.onnx.export")

  private static let tensorFlowLite = ForeignFile(
    kind: "a TensorFlow Lite model",
    hint: "give the Keras model from which it was converted (.keras or .h5)")

  private static let gguf = ForeignFile(
    kind: "a GGUF file", hint: "give the checkpoint from which it was converted")

  private static let pickle = ForeignFile(
    kind: "a pickle, which may run anything when it is read", hint: torch.hint)

  /// Tells by the first bytes of a file; `nil` for others.
  static func of(start: [UInt8]) -> ForeignFile? {
    if start.dropFirst(4).starts(with: Array("TFL3".utf8)) { return tensorFlowLite }
    if start.starts(with: Array("GGUF".utf8)) { return gguf }
    // The protocols 2 to 5 begin with their number.
    if start.count > 2, start[0] == 0x80, (2...5).contains(start[1]) {
      return pickle
    }
    return nil
  }

  /// Tells by the members of a zip archive; `nil` for others.
  static func of(members: [String]) -> ForeignFile? {
    if members.contains(where: { $0.hasSuffix("data.pkl") || $0.hasSuffix("constants.pkl") }) {
      return torch
    }
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
