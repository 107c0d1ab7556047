import Foundation

@main
enum Mutate {
  static func main() {
    do {
      let options = try Options(Array(CommandLine.arguments.dropFirst()))
      exit(try run(options) ? 0 : 1)
    } catch let error as UsageError {
      print("\(error.problem)\n\(Options.usage)")
    } catch { print(error) }
    exit(2)
  }

  /// Returns whether all is well.
  private static func run(_ options: Options) throws -> Bool {
    if let index = options.only {
      return try runOne(index, options)
    }
    if let first = options.first {
      Worker(options: options, originals: try options.originals()).run(from: first)
      return true
    }
    let report = try Parent(options: options).run()
    print(report.text(format: options.format))
    return !report.hasFindings && report.count == options.count
  }

  private static func runOne(_ index: Int, _ options: Options) throws -> Bool {
    let originals = try options.originals()
    let mutation = Mutation(of: originals, format: options.format, seed: options.seed, index: index)
    print(mutation.about)
    if let path = options.keep { try Data(mutation.bytes).write(to: URL(filePath: path)) }
    print(
      "refused, ms, peak, limit:",
      Worker(options: options, originals: originals).measured(mutation))
    return true
  }
}
