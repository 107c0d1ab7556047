/// A plot of lines and points over two axes.
struct LinePlot {
  /// A number in two directions, with what is said of it.
  struct Point {
    let x: Double
    let y: Double
    let text: String
  }

  /// Points that belong together.
  struct Series {
    let name: String
    let points: [Point]
    /// Whether a line joins them.
    var isLine = true
    /// Whether each point is drawn and can be read by itself.
    var showsPoints = true
    var isDashed = false
    /// The place among the colors.
    var color = 0
  }

  /// A number on the x axis that is marked by a line across the plot.
  struct Mark {
    let x: Double
    let text: String
  }

  static let width = 420.0
  static let height = 240.0
  private static let margin = (left: 58.0, right: 14.0, top: 12.0, bottom: 40.0)

  let title: String
  let xTitle: String
  let yTitle: String
  let series: [Series]
  var marks: [Mark] = []
  var isXLogarithmic = false
  var isYLogarithmic = false
  /// How ticks are written.
  var xText: (Double) -> String = { NumberFormat.short($0) }
  var yText: (Double) -> String = { NumberFormat.short($0) }

  private var x: AxisScale {
    let values = series.flatMap { $0.points.map(\.x) } + marks.map(\.x)
    let ends = (Self.margin.left, Self.width - Self.margin.right)
    return isXLogarithmic
      ? AxisScale(logarithmic: values, from: ends.0, to: ends.1)
      : AxisScale(linear: values, from: ends.0, to: ends.1)
  }

  private var y: AxisScale {
    let values = series.flatMap { $0.points.map(\.y) }
    let ends = (Self.height - Self.margin.bottom, Self.margin.top)
    return isYLogarithmic
      ? AxisScale(logarithmic: values, from: ends.0, to: ends.1)
      : AxisScale(linear: values, from: ends.0, to: ends.1)
  }

  /// What the template `plot` shows.
  var context: [String: Any] {
    let (x, y) = (self.x, self.y)
    let number = NumberFormat.coordinate
    return [
      "title": title, "xTitle": xTitle, "yTitle": yTitle, "width": Int(Self.width),
      "height": Int(Self.height), "left": number(Self.margin.left),
      "right": number(Self.width - Self.margin.right), "top": number(Self.margin.top),
      "bottom": number(Self.height - Self.margin.bottom),
      "xMiddle": number((Self.margin.left + Self.width - Self.margin.right) / 2),
      "yMiddle": number((Self.margin.top + Self.height - Self.margin.bottom) / 2),
      "tickBottom": number(Self.height - Self.margin.bottom + 15),
      "titleBottom": number(Self.height - 6), "tickLeft": number(Self.margin.left - 6),
      "xTicks": x.ticks.compactMap { tick in
        x.place(tick).map { ["at": number($0), "text": xText(tick)] }
      },
      "yTicks": y.ticks.compactMap { tick in
        y.place(tick).map { ["at": number($0), "text": yText(tick)] }
      },
      "marks": marks.compactMap { mark in
        x.place(mark.x).map { ["at": number($0), "text": mark.text] }
      },
      "series": series.map { context($0, x, y) },
      "legend": series.count < 2
        ? [] : series.map { ["name": $0.name, "color": $0.color, "dashed": $0.isDashed] },
    ]
  }

  private func context(_ series: Series, _ x: AxisScale, _ y: AxisScale) -> [String: Any] {
    let number = NumberFormat.coordinate
    let places = series.points.compactMap { point -> (x: String, y: String, text: String)? in
      guard let across = x.place(point.x), let up = y.place(point.y) else { return nil }
      return (number(across), number(up), point.text)
    }
    var path = ""
    if series.isLine {
      for (index, place) in places.enumerated() {
        path += "\(index == 0 ? "M" : "L")\(place.x) \(place.y)"
      }
    }
    return [
      "name": series.name, "path": path, "color": series.color, "dashed": series.isDashed,
      "points": series.showsPoints
        ? places.map { ["x": $0.x, "y": $0.y, "text": $0.text] } : [],
    ]
  }
}
