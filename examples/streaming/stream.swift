// stream MODEL.bvq TOKEN...: the likeliest token after each step.
import LSTMPackKit

let arguments = CommandLine.arguments
let file = try ModelFile(source: ByteSource(path: arguments[1]))
let stream = StreamState(try StreamedModel(file.model))
let tokens = arguments.dropFirst(2).compactMap { Int($0) }
try tokens.withUnsafeBufferPointer { tokens in
  try stream.run(tokens: tokens) { scores in
    let best = scores.indices.max { scores[$0] < scores[$1] } ?? 0
    print(best, scores[best])
  }
}
