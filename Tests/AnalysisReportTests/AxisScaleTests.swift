import AnalysisReport
import Testing

@Suite struct AxisScaleTests {
  @Test func linearTicksAreRound() {
    let scale = AxisScale(linear: [0.3, 9.2], from: 0, to: 100)
    #expect(scale.range == 0...10)
    #expect(scale.ticks == [0, 2, 4, 6, 8, 10])
    #expect(scale.place(5) == 50)
    #expect(AxisScale(linear: [-3, 4], from: 0, to: 1).range == -3...4)
  }

  @Test func logarithmicTicksArePowersOfTen() throws {
    let scale = AxisScale(logarithmic: [0.02, 3, 0], from: 100, to: 0)
    #expect(abs(scale.range.lowerBound - 0.01) < 1e-9 && abs(scale.range.upperBound - 10) < 1e-9)
    #expect(scale.ticks.count == 4)
    #expect(abs(try #require(scale.place(0.1)) - 200.0 / 3) < 1e-9)
    #expect(scale.place(0) == nil)
    #expect(scale.place(.nan) == nil)
  }

  @Test(arguments: [[], [0.0], [.infinity], [1e300, 1e-300], [7, 7]])
  func anyNumbersMakeAScale(values: [Double]) {
    for scale in [
      AxisScale(linear: values, from: 0, to: 100), AxisScale(logarithmic: values, from: 0, to: 100),
    ] {
      #expect((1...20).contains(scale.ticks.count))
      for tick in scale.ticks {
        let place = scale.place(tick)
        #expect(place.map { (0...100).contains($0) } ?? false)
      }
    }
  }
}
