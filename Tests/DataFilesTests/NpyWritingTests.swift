import DataFiles
import FileSupport
import Testing

struct NpyWritingTests {
  @Test(arguments: ["<f4 C", "<i8 C"])
  func writesTheBytesOfNumpy(name: String) throws {
    let source = try fixture(try #require(NumpyFixtures.arrays[name]))
    #expect(NpyFile.bytes(of: try NpyFile.read(source)) == (try allBytes(source)))
  }

  @Test(arguments: [NumpyFixtures.number, NumpyFixtures.vector, NumpyFixtures.empty])
  func writesTheBytesOfNumpyForShapesAtTheEdge(base64: String) throws {
    let source = try fixture(base64)
    #expect(NpyFile.bytes(of: try NpyFile.read(source)) == (try allBytes(source)))
  }

  @Test func readsWhatItWrites() throws {
    let ones = Array(repeating: 1, count: 64)
    let shapes = [[], [0], [1], [7], [2, 3], [1, 0, 4], [2, 3, 5], ones]
    for shape in shapes {
      let count = shape.reduce(1, *)
      let floats = (0..<count).map { Float($0) / 3 - 1 }
      let integers = (0..<count).map { Int64($0) << 40 - 7 }
      for elements in [NumericArray.Elements.floats(floats), .integers(integers)] {
        let array = NumericArray(shape: shape, elements: elements)
        let bytes = NpyFile.bytes(of: array)
        #expect(try NpyFile.read(ByteSource(name: "a", bytes: bytes)) == array)
      }
    }
  }
}
