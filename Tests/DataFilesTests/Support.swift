import Diagnostics
import FileSupport
import Foundation
import Testing

/// The bytes of a fixture.
func fixture(_ base64: String) throws -> ByteSource {
  let data = try #require(Data(base64Encoded: base64, options: .ignoreUnknownCharacters))
  return ByteSource(name: "data.npy", bytes: Array(data))
}

/// All bytes of a source.
func allBytes(_ source: ByteSource) throws -> [UInt8] {
  try source.bytes(in: 0..<source.count)
}

/// The text of the error that a body throws.
func errorText(_ body: () throws -> Void) throws -> String {
  try #require(throws: DiagnosticError.self, performing: body).description
}
