public import Diagnostics
public import FileSupport
internal import Foundation
public import LSTMCore

extension DiagnosticError.Code {
  /// A recording that is not what the benchmarks read.
  public static let badRecording = Self("benchmark.recording", .malformedInput)
}

/// A recording of one channel, and what speech models make of it before they read it.
public struct SpeechRecording: Sendable {
  /// The samples, −1 to 1.
  public let samples: [Float]

  /// Reads a WAV file of one channel of 16-bit samples: RIFF chunks, `fmt ` and `data`.
  ///
  /// - Throws: ``DiagnosticError`` when it is none.
  public init(wav source: ByteSource) throws(DiagnosticError) {
    let bytes = try source.bytes(in: 0..<source.count)
    func error(_ problem: String) -> DiagnosticError {
      DiagnosticError(
        .badRecording, file: source.name, problem, hint: "give a WAV of one channel, 16 bits")
    }
    func number(_ offset: Int, bytes count: Int) -> Int {
      (0..<count).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    guard bytes.count >= 12, Array(bytes[0..<4]) == Array("RIFF".utf8),
      Array(bytes[8..<12]) == Array("WAVE".utf8)
    else { throw error("is no RIFF file of the kind WAVE") }
    var offset = 12
    var isRead = false
    while offset + 8 <= bytes.count {
      let name = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
      let start = offset + 8
      let count = min(number(offset + 4, bytes: 4), bytes.count - start)
      if name == "fmt " {
        // Format 1 is PCM.
        guard count >= 16, number(start, bytes: 2) == 1, number(start + 2, bytes: 2) == 1,
          number(start + 14, bytes: 2) == 16
        else { throw error("has samples of another kind") }
        isRead = true
      } else if name == "data" {
        guard isRead else { throw error("has samples before it says of which kind") }
        samples = (0..<count / 2).map {
          Float(Int16(truncatingIfNeeded: number(start + 2 * $0, bytes: 2))) / 32768
        }
        return
      }
      offset = start + count + count % 2
    }
    throw error("has no samples")
  }

  /// The samples of one half.
  public func half(_ index: Int) -> [Float] {
    let middle = samples.count / 2
    return Array(index == 0 ? samples[..<middle] : samples[middle...])
  }

  /// Frames of 512 samples after the last 64 of the one before, as Silero's detector of speech reads them.
  ///
  /// - Returns: `[1, frames, 576]`.
  public static func sileroFrames(_ samples: [Float]) -> Tensor {
    let count = samples.count / 512
    var elements = [Float](repeating: 0, count: 64)
    elements.reserveCapacity(count * 576)
    for frame in 0..<count {
      if frame > 0 { elements += samples[frame * 512 - 64..<frame * 512] }
      elements += samples[frame * 512..<(frame + 1) * 512]
    }
    return Tensor([1, count, 576], elements)
  }

  /// Magnitudes of the discrete Fourier transform of blocks of 512 samples, 128 apart, as DTLN's first model reads
  /// them.
  ///
  /// - Returns: `[1, blocks, 257]`.
  public static func magnitudes(_ samples: [Float]) -> Tensor {
    let size = 512
    let angles = (0..<size).map { 2 * Double.pi * Double($0) / Double(size) }
    let (cosines, sines) = (angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) })
    let count = samples.count < size ? 0 : (samples.count - size) / 128 + 1
    var elements: [Float] = []
    elements.reserveCapacity(count * (size / 2 + 1))
    for block in 0..<count {
      let start = block * 128
      for bin in 0...size / 2 {
        var (real, imaginary): (Float, Float) = (0, 0)
        for index in 0..<size {
          let phase = bin * index % size
          real += samples[start + index] * cosines[phase]
          imaginary += samples[start + index] * sines[phase]
        }
        elements.append((real * real + imaginary * imaginary).squareRoot())
      }
    }
    return Tensor([1, count, size / 2 + 1], elements)
  }
}
