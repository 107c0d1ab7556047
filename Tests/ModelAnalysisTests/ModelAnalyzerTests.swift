import LSTMCore
import MatrixCompression
import ModelAnalysis
import TestSupport
import Testing

@Suite struct ModelAnalyzerTests {
  /// A model whose input matrices are all this matrix.
  private func model(inputMatrix: Matrix) -> Model {
    var model = Model.seeded(inputSize: inputMatrix.columns, hiddenSize: inputMatrix.rows)
    model.updateMatrices { path, matrix in
      if path.role == .input, path.layer == "both" { matrix = .dense(inputMatrix) }
    }
    return model
  }

  private func analyze(_ matrix: Matrix) throws -> MatrixAnalysis {
    try #require(try ModelAnalyzer(threads: 2).analyze(model(inputMatrix: matrix)).first)
  }

  @Test func theSpectrumOfADiagonalMatrix() throws {
    var matrix = Matrix(zeros: 4, 4)
    for (index, value) in [4, 2, 1, 1].enumerated() { matrix[index, index] = Float(value) }
    let analysis = try analyze(matrix)
    for (found, expected) in zip(analysis.singularValues, [4.0, 2, 1, 1]) {
      #expect(abs(found - expected) < 1e-6)
    }
    #expect(abs(analysis.stableRank - 22.0 / 16) < 1e-6)
    // p = 1/2, 1/4, 1/8, 1/8: an entropy of 1.75 bits.
    #expect(abs(analysis.effectiveRank - 3.363585661014858) < 1e-5)
    #expect(analysis.breakEvenRank == 2)
    #expect(abs(analysis.energy(atRank: 1) - 16.0 / 22) < 1e-6)
    #expect(analysis.energy(atRank: 4) == 1)
    #expect(analysis.rank(keepingEnergy: 0.9) == 2)
    #expect(analysis.rank(keepingEnergy: 0.95) == 3)
    #expect(analysis.deadRows == 0)
  }

  @Test func zeroMatricesHaveNoRankAndNoError() throws {
    let analysis = try analyze(Matrix(zeros: 8, 8))
    #expect(analysis.stableRank == 0)
    #expect(analysis.effectiveRank == 0)
    #expect(analysis.energy(atRank: 0) == 1)
    #expect(analysis.quantizationErrors.allSatisfy { $0.relativeError == 0 })
    #expect(analysis.kurtosis == 0)
  }

  @Test func deadRowsAreCounted() throws {
    var numbers = SeededNumbers(seed: 3)
    var matrix = numbers.matrix(8, 8)
    for column in 0..<8 {
      matrix[2, column] = 0
      matrix[5, column] = 1e-8
    }
    #expect(try analyze(matrix).deadRows == 2)
  }

  @Test func errorsFallWithTheBits() throws {
    var numbers = SeededNumbers(seed: 5)
    let analysis = try analyze(numbers.matrix(40, 64))
    let errors = try ["1", "ternary", "2", "3", "4", "8"].map {
      try #require(analysis.relativeError(of: $0))
    }
    #expect(errors == errors.sorted(by: >))
    // Twelve uniform numbers added are nearly normal: kurtosis 2.9 in the mean.
    #expect((2.5...3.3).contains(analysis.kurtosis))
  }

  @Test func everyLSTMMatrixIsAnalysedOnceInOrder() throws {
    let model = Model.seeded()
    let analyses = try ModelAnalyzer(threads: 2).analyze(model)
    #expect(analyses.map(\.path) == model.matrices.map(\.path).filter(\.isLSTM))
    let alone = try ModelAnalyzer(threads: 1).analyze(model)
    #expect(alone == analyses)
  }

  @Test func theVerdictNamesTheGateThatDiffers() throws {
    var model = Model.seeded()
    model.updateMatrices { path, matrix in
      guard path.gate == .forget, case .dense(var dense) = matrix else { return }
      // Two values only: any bit width holds them.
      for index in dense.elements.indices { dense.elements[index] = index % 3 == 0 ? 0.5 : -0.5 }
      matrix = .dense(dense)
    }
    let verdict = Verdict(try ModelAnalyzer(threads: 2).analyze(model))
    #expect(
      verdict.sentences[1].hasPrefix(
        "By the error of its weights the forget gate bears low bits best (0.0 % at 2 bits)"))
    #expect(verdict.nextCommand.first == "quantize")
  }

  @Test func aLowRankModelIsAdvisedLowRank() throws {
    var model = Model.seeded()
    var numbers = SeededNumbers(seed: 11)
    model.updateMatrices { path, matrix in
      guard path.isLSTM else { return }
      matrix = .dense(
        numbers.matrix(matrix.rows, 2).multiplied(by: numbers.matrix(2, matrix.columns)))
    }
    let verdict = Verdict(try ModelAnalyzer(threads: 2).analyze(model))
    #expect(verdict.nextCommand == ["lowrank", "--energy", "0.98"])
  }
}
