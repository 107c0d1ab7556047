/// The beginning of a text for a message, with a mark where something is left out.
///
/// - Parameters:
///   - text: Any text, from a file or another program.
///   - limit: The most Unicode scalars of it: a character may be made of any number of them.
/// - Returns: The text, or its beginning and "…".
public func quoted(_ text: some StringProtocol, limit: Int) -> String {
  let scalars = text.unicodeScalars
  guard let end = scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex),
    end < scalars.endIndex
  else { return String(text) }
  return String(String.UnicodeScalarView(scalars[..<end])) + "…"
}
