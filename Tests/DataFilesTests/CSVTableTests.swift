import DataFiles
import Diagnostics
import FileSupport
import Testing

struct CSVTableTests {
  private func read(_ text: String, separator: Character? = nil) throws -> CSVTable {
    try CSVTable.read(
      ByteSource(name: "data.csv", bytes: Array(text.utf8)), separator: separator?.asciiValue)
  }

  @Test(arguments: [
    "1,2\n3,4\n", "1,2\n3,4", "1;2\r\n3;4\r\n", "1\t2\r3\t4", "1 2\n3 4", "  1   2  \n 3\t4 ",
    " 1 , 2 \n\n   \n3\t,4", "# by hand\n1,2\n  # more\n3,4\n#", "\u{FEFF}1,2\n3,4",
    "\"1\",\"2\"\n\"3\" , \"4\"", "\"1\" \"2\"\n3 \"4\"", "+1.0,2.\n.3e1,40E-1", "1, 2\n3, 4",
  ])
  func readsNumbers(text: String) throws {
    let table = try read(text)
    #expect(table.header == nil)
    #expect(table.columns == 2)
    #expect(table.rowCount == 2)
    #expect(table.elements == [1, 2, 3, 4])
  }

  @Test(arguments: [
    ("a,b\n1,2", ["a", "b"]),
    (",b\n1,2", ["", "b"]),
    ("\"a, b\",\"say \"\"hi\"\"\"\n1,2", ["a, b", "say \"hi\""]),
    ("\"two\nlines\",b\n1,2", ["two\nlines", "b"]),
    ("\"a;b\tc\",\"x y\"\n1,2", ["a;b\tc", "x y"]),
    ("time (s);größe\n1;2", ["time (s)", "größe"]),
    ("#\"\n\n a b\n1 2", ["a", "b"]),
    ("\tb\n1\t2", ["", "b"]),
  ])
  func readsHeaders(text: String, header: [String]) throws {
    let table = try read(text)
    #expect(table.header == header)
    #expect(table.elements == [1, 2])
  }

  @Test func takesTheSeparatorItIsGiven() throws {
    #expect(try read("a b;c\n1;2", separator: ";").header == ["a b", "c"])
    #expect(try read("one name\n1", separator: ",").header == ["one name"])
    #expect(try read("1\t2 3", separator: " ").elements == [1, 2, 3])
    #expect(try read("1|2", separator: "|").elements == [1, 2])
  }

  @Test(arguments: [
    ("1,2\n3,abc", "line 2: column 2: expected a number, found 'abc'"),
    ("a,b\n\n#\n1,2\n3,1x", "line 5: column 2: expected a number, found '1x'"),
    ("\"a\nb\"\n1\n-", "line 4: column 1: expected a number, found '-'"),
    ("1,2\n3,1e", "line 2: column 2: expected a number, found '1e'"),
    ("1,2\n3,0x1p3", "line 2: column 2: expected a number, found '0x1p3'"),
    ("1,2\n3,1.2.3", "line 2: column 2: expected a number, found '1.2.3'"),
    ("1,2\n3,\"a\"\"\u{1B}b\"", "line 2: column 2: expected a number, found 'a\"\u{FFFD}b'"),
    (
      "1;2\n3;1,5",
      "line 2: column 2: expected a number, found '1,5'; write decimals with a point"
    ),
    (
      "1,2\n3,",
      "line 2: column 2: expected a number, found nothing; "
        + "fill in the value or leave out the row"
    ),
    (
      "1,,3",
      "line 1: column 2: expected a number, found nothing; "
        + "fill in the value or leave out the row"
    ),
    (
      "1,NaN",
      "line 1: column 2: expected a finite number, found 'NaN'; "
        + "fill in the value or leave out the row"
    ),
    (
      "-inf 2",
      "line 1: column 1: expected a finite number, found '-inf'; "
        + "fill in the value or leave out the row"
    ),
    (
      "1e39",
      "line 1: column 1: expected a finite number, found '1e39'; float32 ends at 3.4028235e+38"
    ),
    ("1,2\n\n3", "line 3: expected 2 columns as in line 1, found 1"),
    ("a\n1,2", "line 2: expected 1 column as in line 1, found 2"),
    ("1,\"2", "line 1: column 2: the quote is not closed"),
    (
      "\"1\"x,2",
      "line 1: column 1: expected the end of the cell after the closing quote, found 'x'"
    ),
    (
      "NA,b\n1,2",
      "line 1: column 1: expected a number, found 'NA'; where the first line is a header, no name is a number"
    ),
    (
      "1,b\n1,2",
      "line 1: column 2: expected a number, found 'b'; where the first line is a header, no name is a "
        + "number"
    ),
    ("", "is empty; expected lines of numbers with separators between them"),
    ("\u{FEFF}\n \n# 1\n", "is empty; expected lines of numbers with separators between them"),
    ("a,b\n", "has a header but no rows of numbers"),
  ])
  func saysWhatIsWrong(text: String, error: String) throws {
    #expect(try errorText { _ = try read(text) } == "data.csv: " + error)
  }

  @Test func refusesOtherEncodings() throws {
    for bytes in [[0xFF, 0xFE, 0x31, 0], [0xFE, 0xFF, 0, 0x31]] as [[UInt8]] {
      #expect(
        try errorText { _ = try CSVTable.read(ByteSource(name: "data.csv", bytes: bytes)) }
          == "data.csv: is text in UTF-16; save it as UTF-8")
    }
    let latin1 = ByteSource(name: "data.csv", bytes: [0x61, 0x2C, 0xE4, 0x0A, 0x31, 0x2C, 0x32])
    #expect(
      try errorText { _ = try CSVTable.read(latin1) }
        == "data.csv: line 1: column 2: the name is not UTF-8; save it as UTF-8")
  }

  @Test func refusesTooManyColumns() throws {
    let text = String(repeating: ",", count: 1 << 20)
    #expect(
      try errorText { _ = try read(text) } == "data.csv: line 1: has more than 1048576 columns")
  }

  @Test func everyPrefixAndChangedByteIsReadOrAnError() throws {
    let bytes = Array("\u{FEFF}# c\n\"a \"\"b\",c\r\n1.5,-2e3\n\"3\",4\n".utf8)
    for index in bytes.indices {
      _ = try? CSVTable.read(ByteSource(name: "data.csv", bytes: Array(bytes[..<index])))
      for value in UInt8.min...UInt8.max {
        var copy = bytes
        copy[index] = value
        do throws(DiagnosticError) {
          _ = try CSVTable.read(ByteSource(name: "data.csv", bytes: copy))
        } catch {
          #expect(error.code.category == .malformedInput)
        }
      }
    }
  }
}
