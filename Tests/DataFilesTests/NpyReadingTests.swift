import DataFiles
import FileSupport
import Testing

struct NpyReadingTests {
  /// What every array of the fixtures holds, by its dtype.
  private func expected(_ name: String) -> NumericArray.Elements {
    switch name.dropFirst().prefix(1) {
    case "f": .floats([0, -1.5, 2, 0.25, 1024, 65504])
    case "b": .integers([1, 0, 1, 0, 0, 1])
    case "u": .integers([0, 1, 2, 3, 100, 255])
    default: .integers([-1, 0, 1, 2, 100, -128])
    }
  }

  @Test(arguments: NumpyFixtures.arrays.keys.sorted())
  func readsEveryTypeAndOrder(name: String) throws {
    let base64 = try #require(NumpyFixtures.arrays[name])
    let array = try NpyFile.read(try fixture(base64))
    let elements = name.hasPrefix("version") ? expected("<f") : expected(name)
    #expect(array == NumericArray(shape: [2, 3], elements: elements))
  }

  @Test func rearrangesThreeDimensions() throws {
    let array = try NpyFile.read(try fixture(NumpyFixtures.cube))
    #expect(array == NumericArray(shape: [2, 3, 4], elements: .integers(Array(0..<24))))
  }

  @Test func readsShapesAtTheEdge() throws {
    #expect(
      try NpyFile.read(try fixture(NumpyFixtures.number))
        == NumericArray(shape: [], elements: .floats([2.5])))
    #expect(
      try NpyFile.read(try fixture(NumpyFixtures.vector))
        == NumericArray(shape: [3], elements: .integers([1, 2, 3])))
    #expect(
      try NpyFile.read(try fixture(NumpyFixtures.empty))
        == NumericArray(shape: [0, 3], elements: .floats([])))
  }

  @Test func readsEveryKindOfFloat16() throws {
    let values = try NpyFile.read(try fixture(NumpyFixtures.halves)).floats
    let expected: [Float] = [
      0, -0.0, 0x1p-24, 1023 * 0x1p-24, 0x1.554p-2, .infinity, -.infinity, .nan,
    ]
    #expect(values.map(\.bitPattern) == expected.map(\.bitPattern))
  }

  @Test func refusesNumbersThatDoNotFit() throws {
    #expect(
      try errorText { _ = try NpyFile.read(try fixture(NumpyFixtures.largeUInt64)) }
        == "data.npy: element 1 in file order is 9223372036854775808, which int64 does not hold; "
        + "scale the data, or save it as int64")
    #expect(
      try errorText { _ = try NpyFile.read(try fixture(NumpyFixtures.largeFloat64)) }
        == "data.npy: element 1 in file order is 1e+300, which float32 does not hold; "
        + "scale the data, or save it as float32")
  }

  @Test func convertsIntegersToFloats() throws {
    let integers = NumericArray(shape: [2], elements: .integers([-3, 1 << 40]))
    #expect(integers.floats == [-3, 0x1p40])
    #expect(integers.integers == [-3, 1 << 40])
    #expect(NumericArray(shape: [1], elements: .floats([1])).integers == nil)
  }
}
