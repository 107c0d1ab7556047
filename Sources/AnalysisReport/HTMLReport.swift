public import Diagnostics
internal import Mustache
public import OrderedJSON

/// The page of an analysis: one file that needs nothing else.
///
/// Everything on it stands in the document, and it can be read without scripts.
public enum HTMLReport {
  /// Makes the page.
  ///
  /// - Parameter document: What `analyze --json` prints; formats/report describes it.
  /// - Returns: HTML.
  /// - Throws: ``DiagnosticError`` with code `badReport` for another document.
  public static func page(for document: JSONValue) throws(DiagnosticError) -> String {
    let report = try ReportDocument(document)
    var context: [String: Any] = [
      "file": report.file, "styles": PageStyles.text, "script": PageScript.text,
      "verdict": report.verdict + report.notes.map { "Note: \($0)." }, "next": report.nextCommand,
      "plan": report.plan,
      "lstmBytes": NumberFormat.bytes(report.lstmByteCount), "heat": HeatMap(report).context,
      "spectra": SpectrumSection(report).context,
    ]
    // Sections without content are left out.
    context["origin"] = report.origin.map { ["text": $0] }
    context["gates"] = GateSection(report).context
    context["drift"] = DriftSection(report).context
    context["frontier"] = FrontierSection(report).context
    context["firstOrder"] = FirstOrderSection(report).context
    context["left"] = LeftOutSection(report).context
    do {
      let library = MustacheLibrary(
        templates: try PageTemplates.all.mapValues {
          try MustacheTemplate(string: $0)
        })
      guard let page = library.render(context, withTemplate: "page") else {
        throw DiagnosticError(.badReport, "the page cannot be made")
      }
      return page
    } catch {
      throw error as? DiagnosticError
        ?? DiagnosticError(.badReport, "the page cannot be made: \(error)")
    }
  }
}
