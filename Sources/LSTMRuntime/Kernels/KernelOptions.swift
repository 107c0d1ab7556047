/// What packed weights are multiplied with.
public enum Activations: String, CaseIterable, Sendable {
  /// Float32: products are those of the unpacked weights.
  case float32 = "f32"
  /// Int8 with one scale for each vector and step: integer products, exact, several times faster.
  case int8 = "i8"
}

/// How products are computed.
public struct KernelOptions: Sendable, Equatable {
  /// What packed weights are multiplied with.
  public var activations: Activations
  /// The instructions that kernels use.
  public var instructions: InstructionSet

  /// Creates options.
  ///
  /// - Precondition: The machine has the instruction set.
  public init(activations: Activations = .float32, instructions: InstructionSet = .best) {
    precondition(InstructionSet.available.contains(instructions), "no \(instructions) here")
    self.activations = activations
    self.instructions = instructions
  }
}
