public import Diagnostics
public import FileSupport
internal import OrderedJSON

extension DiagnosticError.Code {
  /// Data, labels or a vocabulary that cannot be used.
  public static let badEvaluationData = Self("evaluation.badData", .malformedInput)
}

/// The tokens of a language model, numbered from 0.
public struct Vocabulary: Sendable {
  /// The token that stands for the end of a line, when the vocabulary has it.
  public static let endOfLine = "<eos>"
  /// The tokens that stand for words that are not in the vocabulary.
  private static let unknownTokens = ["<unk>", "<UNK>", "[UNK]", "<oov>", "\u{FFFD}"]
  /// One token of a text in so many may become the unknown one.
  private static let unknownShare = 10
  /// The most bytes of a vocabulary.
  private static let byteLimit = 64 << 20

  /// The tokens, by number; empty for a number that has none.
  public let tokens: [String]
  /// Whether tokens are characters of a text, not its words and the ends of its lines.
  public let isOfCharacters: Bool
  /// How many different tokens of the text `<unk>` was made of; `nil` when none was made.
  public private(set) var tokensMadeUnknown: Int?
  private let numbers: [String: Int]
  private let unknown: Int?

  /// The number of tokens.
  public var count: Int { tokens.count }

  /// Reads a vocabulary: a JSON list of tokens, a JSON object with the number of each token, or text
  /// with a token a line.
  ///
  /// - Throws: ``DiagnosticError`` with code `badEvaluationData`, with the file named.
  public init(_ source: ByteSource) throws(DiagnosticError) {
    guard source.count <= Self.byteLimit else {
      throw Self.error("has \(source.count) bytes, too many for a vocabulary").inFile(source.name)
    }
    let bytes = try source.bytes(in: 0..<source.count)
    do throws(DiagnosticError) {
      try self.init(tokens: try Self.tokens(of: bytes))
    } catch { throw error.inFile(source.name) }
  }

  /// Makes a vocabulary of what a text has, in the order in which tokens first stand there.
  ///
  /// A model that has never seen `<unk>` cannot read a text with other tokens. So tokens that the text
  /// has once become `<unk>`: all of them, or in a short text the last ones, which are one token in
  /// ten. A text that has such a token itself keeps all others.
  ///
  /// - Parameters:
  ///   - source: UTF-8 text.
  ///   - isOfCharacters: Whether tokens are characters, not words and ends of lines.
  ///   - makesUnknown: Whether to make an `<unk>`.
  /// - Throws: ``DiagnosticError`` with the file named when it is empty or no text.
  public init(
    of source: ByteSource, isOfCharacters: Bool, makesUnknown: Bool = false
  ) throws(DiagnosticError) {
    let bytes = try source.bytes(in: 0..<source.count)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Self.error("is not UTF-8 text").inFile(source.name)
    }
    var tokens: [String] = []
    var counts: [String: Int] = [:]
    var total = 0
    func add(_ token: String) {
      total += 1
      counts[token, default: 0] += 1
      if counts[token] == 1 { tokens.append(token) }
    }
    if isOfCharacters {
      for scalar in text.unicodeScalars { add(String(scalar)) }
    } else {
      for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
        for word in line.split(whereSeparator: { $0.properties.isWhitespace }) { add(String(word)) }
        // Every line ends, the last one, too, but not the nothing after its end.
        if !line.isEmpty || !tokens.isEmpty { add(Self.endOfLine) }
      }
    }
    guard tokens.contains(where: { $0 != Self.endOfLine }) else {
      throw Self.error("is empty").inFile(source.name)
    }
    var made: Int?
    if makesUnknown, !tokens.contains(where: Self.unknownTokens.contains) {
      let once = tokens.filter { counts[$0] == 1 && $0 != Self.endOfLine }
      let rare = Set(once.suffix(total / Self.unknownShare))
      // It is where the first of them was.
      let place = tokens.firstIndex(where: rare.contains) ?? tokens.count
      tokens.insert(Self.unknownTokens[0], at: place)
      tokens.removeAll(where: rare.contains)
      made = rare.count
    }
    do throws(DiagnosticError) {
      try self.init(tokens: tokens, isOfCharacters: isOfCharacters)
    } catch {
      throw error.inFile(source.name)
    }
    tokensMadeUnknown = made
  }

  /// The vocabulary as a JSON list of tokens.
  public var json: String { JSONValue.array(tokens.map { .string($0) }).serialized() }

  /// Makes a vocabulary of tokens.
  ///
  /// - Parameters:
  ///   - tokens: The tokens, by number.
  ///   - isOfCharacters: Whether they are characters. When `nil` they are if every one but those in
  ///     brackets is one character, and a blank or line end is among them, or no `<eos>`: words can be
  ///     of one character, too.
  /// - Throws: ``DiagnosticError`` when there are none, or one stands twice.
  public init(tokens: [String], isOfCharacters: Bool? = nil) throws(DiagnosticError) {
    guard !tokens.isEmpty else { throw Self.error("has no tokens") }
    var numbers: [String: Int] = [:]
    for (number, token) in tokens.enumerated() where !token.isEmpty {
      if let first = numbers[token] {
        throw Self.error("has the token '\(token)' twice, as \(first) and \(number)")
      }
      numbers[token] = number
    }
    self.tokens = tokens
    self.numbers = numbers
    unknown = Self.unknownTokens.lazy.compactMap { numbers[$0] }.first
    let isShort = tokens.allSatisfy {
      $0.unicodeScalars.count <= 1 || ($0.hasPrefix("<") && $0.hasSuffix(">"))
    }
    self.isOfCharacters =
      isOfCharacters
      ?? (isShort
        && (numbers[" "] != nil || numbers["\n"] != nil || numbers[Self.endOfLine] == nil))
  }

  /// The same tokens, read as characters or as words.
  public func reading(characters: Bool) -> Vocabulary {
    Vocabulary(self, isOfCharacters: characters)
  }

  private init(_ other: Vocabulary, isOfCharacters: Bool) {
    tokens = other.tokens
    numbers = other.numbers
    unknown = other.unknown
    tokensMadeUnknown = other.tokensMadeUnknown
    self.isOfCharacters = isOfCharacters
  }

  /// What the numbers of tokens must be below: some may be left out, but a few tokens must not make a
  /// model of millions.
  private static func numberLimit(tokens: Int) -> Int { 1024 + 64 * tokens }

  private static func error(_ problem: String) -> DiagnosticError {
    DiagnosticError(.badEvaluationData, problem)
  }

  private static func tokens(of bytes: [UInt8]) throws(DiagnosticError) -> [String] {
    let first = bytes.first { !" \n\r\t".utf8.contains($0) }
    guard first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw error("is not UTF-8 text")
      }
      var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      if lines.last?.isEmpty == true { lines.removeLast() }
      return lines.map { String($0.last == "\r" ? $0.dropLast() : $0) }
    }
    let json = try JSONValue.parse(bytes)
    if let list = json.arrayValue {
      let tokens = list.compactMap(\.stringValue)
      guard tokens.count == list.count else { throw error("is a list of other things than texts") }
      return tokens
    }
    var numbered: [(String, Int)] = []
    let members = json.objectValue?.members ?? []
    let limit = numberLimit(tokens: members.count)
    for member in members {
      guard let number = member.value.intValue, number >= 0 else {
        throw error("has no number from 0 for the token '\(member.key)'")
      }
      guard number < limit else {
        throw error(
          "has the number \(number) for the token '\(member.key)': expected numbers below \(limit) "
            + "for its \(members.count) tokens")
      }
      numbered.append((member.key, number))
    }
    var tokens = [String](repeating: "", count: (numbered.map(\.1).max() ?? -1) + 1)
    for (token, number) in numbered {
      guard tokens[number].isEmpty else {
        throw error("has the number \(number) for '\(tokens[number])' and '\(token)'")
      }
      tokens[number] = token
    }
    return tokens
  }

  /// The number of a token; that of the unknown one when there is none.
  func number(of token: String) -> Int? { numbers[token] ?? unknown }

  /// The numbers of the tokens of a text: words between spaces with `<eos>` at the end of each line,
  /// or characters.
  ///
  /// - Parameter source: UTF-8 text.
  /// - Returns: One number for each token.
  /// - Throws: ``DiagnosticError`` that names line and token when the vocabulary lacks one and has no
  ///   `<unk>`.
  public func numbers(in source: ByteSource) throws(DiagnosticError) -> [Int] {
    let bytes = try source.bytes(in: 0..<source.count)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Self.error("is not UTF-8 text").inFile(source.name)
    }
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    let isTerminated = lines.last?.isEmpty == true
    if isTerminated { lines.removeLast() }
    let lineEnd =
      isOfCharacters ? numbers["\n"] ?? numbers[Self.endOfLine] : numbers[Self.endOfLine]
    var result: [Int] = []
    for (index, line) in lines.enumerated() {
      do throws(DiagnosticError) {
        if isOfCharacters {
          for scalar in line { try append(String(scalar), to: &result) }
        } else {
          for word in line.split(whereSeparator: { $0.properties.isWhitespace }) {
            try append(String(word), to: &result)
          }
        }
      } catch { throw error.atObject("line \(index + 1)").inFile(source.name) }
      // Words end a last line without a line end, too; of characters there are just those that stand
      // there.
      if let lineEnd, !isOfCharacters || index + 1 < lines.count || isTerminated {
        result.append(lineEnd)
      }
    }
    guard !result.isEmpty else { throw Self.error("is empty").inFile(source.name) }
    return result
  }

  /// The number of the token that a line of a stream holds.
  ///
  /// - Throws: ``DiagnosticError`` when there is no such token.
  public func number(ofStep line: String) throws(DiagnosticError) -> Int {
    var result: [Int] = []
    let words = line.split(whereSeparator: \.isWhitespace)
    let token = isOfCharacters ? line : words.count == 1 ? String(words[0]) : line
    try append(token.isEmpty ? "\n" : token, to: &result)
    return result[0]
  }

  private func append(_ token: String, to numbers: inout [Int]) throws(DiagnosticError) {
    guard let number = number(of: token) else {
      throw DiagnosticError(
        .badEvaluationData, "the token '\(token)' is not in the vocabulary of \(count)",
        hint: "give the vocabulary that the model was trained with, or one with <unk>")
    }
    numbers.append(number)
  }
}
