import Diagnostics
import FileSupport
import Foundation
import Testing

struct LineJournalTests {
  @Test func linesAreAdded() throws {
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "journal")
      do {
        let journal = try LineJournal(path: url.path, byteLimit: 100)
        #expect(journal.lines == [])
        try journal.append([65])
        try journal.append([66, 67])
      }
      // A line that was cut off when its writer was killed.
      try (Data(contentsOf: url) + Data([68])).write(to: url)
      let journal = try LineJournal(path: url.path, byteLimit: 100)
      #expect(journal.lines == [[65], [66, 67]])
      try journal.append([69])
      #expect(try String(contentsOf: url, encoding: .utf8) == "A\nBC\nE\n")
    }
  }

  @Test func oneWriterAtATime() throws {
    try withTemporaryFolder { folder throws in
      let path = folder.appending(path: "journal").path
      let first = try LineJournal(path: path, byteLimit: 100)
      let error = #expect(throws: DiagnosticError.self) {
        _ = try LineJournal(path: path, byteLimit: 100)
      }
      #expect(error?.problem == "is in use: another process writes to it")
      try first.append([65])
    }
  }

  @Test func whatIsNoJournalStays() throws {
    try withTemporaryFolder { folder throws in
      let url = folder.appending(path: "journal")
      for text in ["precious", String(repeating: "long\n", count: 30)] {
        try Data(text.utf8).write(to: url)
        #expect(throws: DiagnosticError.self) {
          _ = try LineJournal(path: url.path, byteLimit: 100)
        }
        #expect(try String(contentsOf: url, encoding: .utf8) == text)
      }
    }
  }
}
