import ArgumentParser
import LSTMPackKit

extension TuningBudget: @retroactive ExpressibleByArgument {
  public init?(argument: String) { self.init(words: argument) }
}
