import ModelAnalysis
import Testing

@Suite struct RankCorrelationTests {
  @Test func equalValuesShareTheirRank() {
    #expect(RankCorrelation.ranks([10, 30, 20, 20, 5]) == [2, 5, 3.5, 3.5, 1])
    #expect(RankCorrelation.ranks([]) == [])
  }

  @Test func spearmanOfKnownLists() {
    func spearman(_ x: [Double], _ y: [Double]) -> Double {
      RankCorrelation.pearson(RankCorrelation.ranks(x), RankCorrelation.ranks(y))
    }
    #expect(abs(spearman([1, 2, 3, 4], [1, 4, 9, 16]) - 1) < 1e-12)
    #expect(abs(spearman([1, 2, 3, 4], [4, 3, 2, 1]) + 1) < 1e-12)
    // 1 - 6 Σd² / (n (n² - 1)) with d = 1, 1, 1, 1.
    #expect(abs(spearman([1, 2, 3, 4], [2, 1, 4, 3]) - 0.6) < 1e-12)
    #expect(spearman([1, 2, 3], [7, 7, 7]) == 0)
  }
}
