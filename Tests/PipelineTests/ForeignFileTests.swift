import Foundation
import LSTMPackKit
import TestSupport
import Testing

/// Files of other tools are named for what they are, with the way to one that lstmpack reads.
@Suite struct ForeignFileTests {
  private static let json: [(text: String, kind: String, way: String)] = [
    (
      #"{"model_data": {"model": "SimpleRNN", "unit_type": "LSTM"}, "state_dict": {"rec.weight_ih_l0": [[0.1]]}}"#,
      "is a model of GuitarML", "torch.onnx.export; or, for its weights, in Python: d = json.load("
    ),
    (
      #"{"version": "0.5.0", "metadata": {}, "architecture": "LSTM", "config": {"num_layers": 1}, "weights": [0.1, 0.2]}"#,
      "is a model of Neural Amp Modeler", "torch.onnx.export"
    ),
    (
      #"{"in_shape": [null, null, 1], "layers": [{"type": "lstm", "shape": [null, null, 8]}]}"#,
      "is a model of RTNeural", "torch.onnx.export"
    ),
    (
      #" {"format": "layers-model", "modelTopology": {}, "weightsManifest": []}"#,
      "is a model of TensorFlow.js", "tensorflowjs_converter"
    ),
    (
      #"{"class_name": "Sequential", "config": {"layers": []}}"#,
      "is the architecture of a Keras model, without weights", "model.save('model.keras')"
    ),
    (
      #"{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}"#,
      "is the index of weights in several .safetensors files", "give one of these files"
    ),
  ]

  @Test(arguments: json.indices)
  func documentsAreNamed(index: Int) throws {
    let (text, kind, way) = Self.json[index]
    // Large ones, too: what tells them is at either end.
    let long = text.replacingOccurrences(
      of: "0.1", with: [String](repeating: "0.1", count: 60_000).joined(separator: ", "))
    for text in [text, long] { try expect(Data(text.utf8), kind, way) }
  }

  private static let binary: [(bytes: [UInt8], kind: String, way: String)] = [
    (
      [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19],
      "is a file of PyTorch (torch.save: a pickle", "torch.onnx.export(model, (x,), 'model.onnx')"
    ),
    ([0x80, 0x04, 0x95, 0, 0, 0, 0], "is a pickle, which may run anything", "torch.onnx.export"),
    ([0x1C, 0, 0, 0] + Array("TFL3".utf8), "is a TensorFlow Lite model", "(.keras or .h5)"),
    ([0x1C, 0, 0, 0] + Array("ORTM".utf8), "is a model in the format of ONNX Runtime", ".onnx"),
    ([0x1C, 0, 0, 0] + Array("ET12".utf8), "is an ExecuTorch program", "torch.onnx.export"),
    (
      [0x08, 0x04, 0x12, 0x90, 0x01, 0x0A, 0x20, 0x0A, 0x05] + Array("input".utf8),
      "is a Core ML model", ".onnx"
    ),
    ([0x93] + Array("NUMPY".utf8), "is an array of NumPy", "--data"),
    (
      Array(#"<?xml version="1.0"?><net name="m" version="11">"#.utf8), "is a model of OpenVINO",
      ".onnx"
    ),
  ]

  @Test(arguments: binary.indices)
  func filesAreNamed(index: Int) throws {
    let (bytes, kind, way) = Self.binary[index]
    try expect(Data(bytes), kind, way)
  }

  @Test(arguments: [
    (
      ["m/data.pkl", "m/version", "m/data/0"], "is a file of PyTorch (torch.save",
      "torch.onnx.export"
    ),
    (
      ["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"], "is a TorchScript file of PyTorch",
      "torch.jit.load"
    ),
    (
      ["m/archive_format", "m/models/model.json", "m/data/weights/weight_0"],
      "is an exported program of PyTorch", "torch.export.load"
    ),
    (["weight.npy", "bias.npy"], "is an .npz of arrays", "safetensors.numpy.save_file"),
  ])
  func archivesAreNamed(members: [String], kind: String, way: String) throws {
    try withTemporaryFolder { folder in
      for member in members {
        let file = folder.appending(path: member)
        try FileManager.default.createDirectory(
          at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data([0]).write(to: file)
      }
      let zip = Process()
      zip.executableURL = URL(filePath: "/usr/bin/env")
      // Files that are named to zipfile lose their folders; folders do not.
      let roots = Set(members.map { String($0.prefix { $0 != "/" }) }).sorted()
      zip.arguments = ["python3", "-m", "zipfile", "-c", "model.pt"] + roots
      zip.currentDirectoryURL = folder
      try zip.run()
      zip.waitUntilExit()
      try #require(zip.terminationStatus == 0)
      try expect(try Data(contentsOf: folder.appending(path: "model.pt")), kind, way)
    }
  }

  private func expect(_ bytes: Data, _ kind: String, _ way: String) throws {
    try withTemporaryFolder { folder in
      try bytes.write(to: folder.appending(path: "file"))
      let run = try CommandRun(["inspect", "file"], in: folder)
      #expect(run.exitCode == 65)
      #expect(run.errors.hasPrefix("error: file: \(kind)"), "\(run.errors)")
      #expect(run.errors.contains(way), "\(run.errors)")
    }
  }
}
