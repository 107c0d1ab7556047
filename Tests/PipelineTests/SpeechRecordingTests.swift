import BenchmarkData
import Foundation
import LSTMPackKit
import Testing

/// What the benchmarks read of a recording.
@Suite struct SpeechRecordingTests {
  /// A WAV file of 16-bit samples, with a chunk before them that nobody reads.
  private static func wav(_ samples: [Int16], channels: UInt8 = 1) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let data = samples.flatMap { number(Int($0), 2) }
    let format =
      number(1, 2) + [channels, 0] + number(16000, 4) + number(32000, 4) + number(2, 2)
      + number(16, 2)
    let chunks =
      Array("WAVE".utf8) + Array("LIST".utf8) + number(3, 4) + [1, 2, 3, 0] + Array("fmt ".utf8)
      + number(16, 4) + format + Array("data".utf8) + number(data.count, 4) + data
    return Array("RIFF".utf8) + number(chunks.count, 4) + chunks
  }

  private static func source(_ bytes: [UInt8]) -> ByteSource {
    ByteSource(name: "x.wav", bytes: bytes)
  }

  @Test func samplesAreReadAndCutIntoFrames() throws {
    let numbers = (0..<1200).map { Int16($0 * 16) }
    let recording = try SpeechRecording(wav: Self.source(Self.wav(numbers)))
    #expect(recording.samples == numbers.map { Float($0) / 32768 })
    #expect(recording.half(0).count == 600 && recording.half(1).first == recording.samples[600])
    let frames = SpeechRecording.sileroFrames(recording.samples)
    #expect(frames.dims == [1, 2, 576])
    let values = try #require(frames.floats)
    #expect(values[..<64].allSatisfy { $0 == 0 })
    #expect(Array(values[64..<576]) == Array(recording.samples[..<512]))
    #expect(Array(values[576...]) == Array(recording.samples[448..<1024]))
  }

  /// A wave of eight periods in a block has half its samples' count at the eighth frequency, and nothing elsewhere.
  @Test func magnitudesAreThoseOfTheFourierTransform() throws {
    let samples = (0..<768).map { Float(cos(2 * Double.pi * 8 * Double($0) / 512)) }
    let magnitudes = SpeechRecording.magnitudes(samples)
    #expect(magnitudes.dims == [1, 3, 257])
    for (index, value) in try #require(magnitudes.floats).enumerated() {
      #expect(abs(value - (index % 257 == 8 ? 256 : 0)) < 1e-2)
    }
  }

  @Test func otherFilesAreRefused() {
    for bytes in [
      [], Array("RIFF".utf8), Self.wav([1, 2], channels: 2), Array(Self.wav([1, 2]).dropLast(12)),
    ] {
      #expect(throws: DiagnosticError.self) { try SpeechRecording(wav: Self.source(bytes)) }
    }
  }
}
