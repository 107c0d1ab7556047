import FileSupport
import Foundation
import Testing

@Suite struct ShellWordTests {
  @Test(arguments: ["models/a-1_b.h5", "größe.onnx", "a=1%,x@y:z+"])
  func plainWordsStayPlain(_ word: String) {
    #expect(shellWord(word) == word)
    #expect(shellWord(word, isAlwaysQuoted: true) == "'\(word)'")
  }

  /// What a shell makes of the word is the text again.
  @Test(arguments: [
    "", "a b", "it's", "$(touch x)", "`x`", "a\\b\"c", "~/x", "*?[!]", "a\nb;c&|<>#",
    "a'\u{301};echo x;'\u{301}",
  ])
  func aShellReadsTheSameText(_ text: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "printf %s \(shellWord(text))"]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    #expect(String(decoding: output, as: UTF8.self) == text)
  }
}
