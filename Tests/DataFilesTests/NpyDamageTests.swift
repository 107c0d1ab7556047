import DataFiles
import Diagnostics
import FileSupport
import Testing

struct NpyDamageTests {
  /// An `.npy` of version 1 with a header as given.
  private func file(_ header: String, payload: [UInt8] = []) -> ByteSource {
    let length = header.utf8.count
    let bytes = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
    return ByteSource(name: "data.npy", bytes: bytes + Array(header.utf8) + payload)
  }

  private func errorText(header: String, payload: [UInt8] = []) throws -> String {
    try DataFilesTests.errorText { _ = try NpyFile.read(file(header, payload: payload)) }
  }

  @Test func everyTruncationIsAnError() throws {
    let bytes = try allBytes(try fixture(NumpyFixtures.vector))
    for count in 0..<bytes.count {
      let source = ByteSource(name: "data.npy", bytes: Array(bytes[..<count]))
      let error = try #require(throws: DiagnosticError.self) { _ = try NpyFile.read(source) }
      #expect(error.code == .malformedDataFile)
      #expect(error.file == "data.npy")
    }
  }

  @Test func everyChangedByteIsReadOrAnError() throws {
    let bytes = try allBytes(try fixture(NumpyFixtures.vector))
    for index in bytes.indices {
      for value in UInt8.min...UInt8.max {
        var copy = bytes
        copy[index] = value
        do throws(DiagnosticError) {
          _ = try NpyFile.read(ByteSource(name: "data.npy", bytes: copy))
        } catch {
          #expect(error.code.category == .malformedInput)
        }
      }
    }
  }

  @Test func saysWhatIsCutShort() throws {
    let bytes = try allBytes(try fixture(NumpyFixtures.vector))
    let texts = [
      (
        0,
        "data.npy: is not an .npy file: it does not start with '\\x93NUMPY'; "
          + "write it with numpy.save"
      ),
      (8, "data.npy: is cut short: expected 10 bytes, found 8; copy the file again"),
      (100, "data.npy: is cut short: expected 128 bytes, found 100; copy the file again"),
      (151, "data.npy: is cut short: expected 152 bytes, found 151; copy the file again"),
    ]
    for (count, text) in texts {
      let source = ByteSource(name: "data.npy", bytes: Array(bytes[..<count]))
      #expect(try DataFilesTests.errorText { _ = try NpyFile.read(source) } == text)
    }
    #expect(
      try DataFilesTests.errorText {
        _ = try NpyFile.read(ByteSource(name: "data.npy", bytes: bytes + [0, 0]))
      }
        == "data.npy: has 2 bytes after its array of shape [3]; "
        + "write one array per file; numpy.savez writes several")
  }

  @Test func refusesOtherVersions() throws {
    var bytes = try allBytes(try fixture(NumpyFixtures.vector))
    bytes[6] = 4
    let source = ByteSource(name: "data.npy", bytes: bytes)
    #expect(
      try DataFilesTests.errorText { _ = try NpyFile.read(source) }
        == "data.npy: has .npy version 4.0, expected 1.0, 2.0 or 3.0")
  }

  @Test(arguments: [
    ("'|O'", "Python objects (dtype '|O')"),
    ("'<U1'", "strings (dtype '<U1')"),
    ("'|S1'", "byte strings (dtype '|S1')"),
    ("'<c16'", "complex numbers (dtype '<c16')"),
    ("'<M8[s]'", "dates (dtype '<M8[s]')"),
    ("'<m8[s]'", "time spans (dtype '<m8[s]')"),
    ("'|V3'", "raw bytes (dtype '|V3')"),
    ("'<f16'", "floats of a size that is not read (dtype '<f16')"),
    ("'<i3'", "an unknown kind of elements (dtype '<i3')"),
  ])
  func namesTypesThatAreNotRead(type: String, name: String) throws {
    #expect(
      try errorText(header: "{'descr': \(type), 'fortran_order': False, 'shape': (1,), }\n")
        == "data.npy: holds \(name); "
        + "save it with a numeric dtype, for example array.astype('float32')")
  }

  @Test func refusesRecords() throws {
    #expect(
      try errorText(
        header: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }")
        == "data.npy: holds records (a structured dtype); "
        + "save each field as an array of its own, for example with numpy.savez")
  }

  @Test(arguments: [
    ("", "0: expected '{', found its end"),
    ("{", "1: expected a string in quotes, found its end"),
    ("{'descr", "2: expected a string in quotes, found 'descr'"),
    ("{'descr' '<f4'", "9: expected ':', found ''<f4''"),
    ("{'descr': 4}", "10: expected a string in quotes, found '4}'"),
    ("{'shape': 3}", "10: expected '(', found '3}'"),
    ("{'shape': (3)}", "12: expected ',', found ')}'"),
    ("{'shape': (-3,)}", "11: expected a size, found '-3,)}'"),
    ("{'shape': (3 4)}", "13: expected ',', found '4)}'"),
    ("{'fortran_order': 1}", "18: expected True or False, found '1}'"),
    (
      "{'order': 1}",
      "1: expected 'descr', 'fortran_order' and 'shape' once each, found ''order': 1}'"
    ),
    (
      "{'shape': (), 'shape': ()}",
      "14: expected 'descr', 'fortran_order' and 'shape' once each, found ''shape': ()}'"
    ),
    ("{'shape': ()} x", "14: expected the end, found 'x'"),
  ])
  func saysWhereTheHeaderIsDamaged(header: String, text: String) throws {
    #expect(
      try errorText(header: header)
        == "data.npy: the header is damaged at byte \(text); write the file again with numpy.save")
  }

  @Test(arguments: [
    ("{}", "the header lacks one of 'descr', 'fortran_order' and 'shape'"),
    (
      "{'descr': 'f4', 'fortran_order': False, 'shape': ()}",
      "the header has the dtype 'f4', expected one such as '<f4'"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (65536, 65536)}",
      "the array declares [65536, 65536] elements, above the limit of 2147483648"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
      "the array declares [4611686018427387904, 4] elements, above the limit of 2147483648"
    ),
    (
      // numpy refuses it, too: "array is too big".
      "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4)}",
      "the array declares [0, 4611686018427387904, 4] elements, above the limit of 2147483648"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}",
      "declares a size of '9223372036854775808', above the limit of 2147483648"
    ),
    (
      "{'shape': (" + String(repeating: "1,", count: 65) + ")}",
      "has more than 64 dimensions"
    ),
  ])
  func refusesWhatTheHeaderDeclares(header: String, text: String) throws {
    #expect(try errorText(header: header) == "data.npy: \(text)")
  }

  @Test func refusesALargeHeader() throws {
    let bytes = [0x93] + Array("NUMPY".utf8) + [2, 0, 1, 0, 16, 0]
    #expect(
      try DataFilesTests.errorText {
        _ = try NpyFile.read(ByteSource(name: "data.npy", bytes: bytes))
      } == "data.npy: has a header of 1048577 bytes, above the limit of 1048576")
  }

  @Test func readsHeadersThatPythonWouldRead() throws {
    let headers = [
      "{'descr':'<f4','fortran_order':False,'shape':(1,)}",
      "{\"shape\": (1L,), \"fortran_order\": True, \"descr\": \"=f4\",}   \n",
      " { 'descr' : '|f4' , 'fortran_order' : False , 'shape' : ( 1 , 1 ) , } ",
      "{'descr':'<f4','fortran_order':False,'shape':()}",
    ]
    for header in headers {
      #expect(try NpyFile.read(file(header, payload: [0, 0, 0x80, 0x3F])).floats == [1])
    }
    let empty = "{'descr':'<f4','fortran_order':True,'shape':(0,268435456,4)}"
    #expect(try NpyFile.read(file(empty)).count == 0)
  }
}
