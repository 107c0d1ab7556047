import Diagnostics
import LSTMCore
import MatrixCompression

/// The factors of gate matrices that a plan factors together (``FactorLayout``), by matrix.
struct GateFactors: Sendable {
  /// What factoring a group gave its matrices; the error where the rank saves nothing.
  private(set) var results: [MatrixPath: Result<WeightMatrix, DiagnosticError>] = [:]

  /// Nothing factored together.
  init() {}

  /// Factors every group of a model.
  ///
  /// Groups are the matrices of one direction of an LSTM with the same treatment: the gates of one matrix when stacked,
  /// those of both when joint. Where the two matrices do not have the same gates in it, each is stacked alone.
  ///
  /// - Throws: ``DiagnosticError`` as `LowRank`, but for ranks that save nothing.
  init(of model: Model, by plan: CompressionPlan, threads: Int) throws(DiagnosticError) {
    let groups = Self.groups(of: model, by: plan)
    let made = try mapTasks(groups.count, threads: threads) { (index) throws(DiagnosticError) in
      try groups[index].factored()
    }
    for own in made { results.merge(own) { first, _ in first } }
  }

  /// What a treatment says of factors: the rank or the energy, and the layout.
  private struct Wish: Equatable {
    var truncation: Treatment
    var layout: FactorLayout

    init?(_ treatment: Treatment?) {
      switch treatment {
      case .rank(_, let layout), .energy(_, let layout):
        guard layout != .gate, let treatment else { return nil }
        truncation = treatment
        self.layout = layout
      case .steps(let steps):
        guard let first = Wish(steps.first) else { return nil }
        self = first
      case nil, .keep, .quantize, .round: return nil
      }
    }
  }

  /// Matrices that are factored together.
  private struct Group {
    var wish: Wish
    /// Side by side: the gates of each matrix, one below the other, in the same order.
    var roles: [[(path: MatrixPath, matrix: Matrix)]]

    func factored() throws(DiagnosticError) -> [MatrixPath: Result<WeightMatrix, DiagnosticError>] {
      var results: [MatrixPath: Result<WeightMatrix, DiagnosticError>] = [:]
      let factors: WeightMatrix
      do throws(DiagnosticError) {
        switch wish.truncation {
        case .energy(let share, _): factors = try LowRank.truncate(together, energy: share)
        case .rank(let rank, _): factors = try LowRank.truncate(together, rank: rank)
        default: return [:]
        }
      } catch {
        guard error.code == .rankTooHigh else { throw error.atObject(roles[0][0].path.description) }
        for (path, _) in roles.joined() { results[path] = .failure(error) }
        return results
      }
      guard case .product(.dense(let left), .dense(let right)) = factors else { return [:] }
      var column = 0
      for gates in roles {
        let columns = gates[0].matrix.columns
        let shared = WeightMatrix.dense(right.columns(column..<column + columns))
        var row = 0
        for (path, matrix) in gates {
          results[path] = .success(
            .product(left: .dense(left.rows(row..<row + matrix.rows)), right: shared))
          row += matrix.rows
        }
        column += columns
      }
      return results
    }

    private var together: Matrix {
      let rows = roles[0].reduce(0) { $0 + $1.matrix.rows }
      let columns = roles.reduce(0) { $0 + $1[0].matrix.columns }
      var elements: [Float] = []
      elements.reserveCapacity(rows * columns)
      for gate in roles[0].indices {
        for row in 0..<roles[0][gate].matrix.rows {
          for gates in roles { elements += gates[gate].matrix.row(row) }
        }
      }
      return Matrix(rows: rows, columns: columns, elements: elements)
    }
  }

  private static func groups(of model: Model, by plan: CompressionPlan) -> [Group] {
    var groups: [Group] = []
    for (path, matrix) in model.matrices {
      guard path.gate != nil, case .dense(let dense) = matrix,
        let wish = Wish(plan.treatment(of: path))
      else { continue }
      // Gates of a matrix follow each other, and so do the matrices of a direction.
      if let last = groups.indices.last(where: { index in
        guard let other = groups[index].roles[0].first?.path else { return false }
        return groups[index].wish == wish && other.layer == path.layer
          && other.direction == path.direction && other.role == path.role
      }) {
        groups[last].roles[0].append((path, dense))
      } else {
        groups.append(Group(wish: wish, roles: [[(path, dense)]]))
      }
    }
    var joined: [Group] = []
    for group in groups {
      let path = group.roles[0][0].path
      let partner = joined.firstIndex { other in
        let first = other.roles[0][0].path
        return group.wish.layout == .joint && other.wish == group.wish && other.roles.count == 1
          && first.layer == path.layer && first.direction == path.direction
          && other.roles[0].map(\.path.gate) == group.roles[0].map(\.path.gate)
      }
      if let partner {
        joined[partner].roles.append(group.roles[0])
      } else {
        joined.append(group)
      }
    }
    return joined
  }
}

extension Matrix {
  /// Some of the rows.
  fileprivate func rows(_ range: Range<Int>) -> Matrix {
    Matrix(
      rows: range.count, columns: columns,
      elements: Array(elements[range.lowerBound * columns..<range.upperBound * columns]))
  }

  /// Some of the columns.
  fileprivate func columns(_ range: Range<Int>) -> Matrix {
    Matrix(
      rows: rows, columns: range.count,
      elements: (0..<rows).flatMap { row($0).dropFirst(range.lowerBound).prefix(range.count) })
  }
}
