internal import CPackedKernels

/// The instruction sets that kernels are written for.
///
/// Which one is used is a value that is handed down; ``best`` is what this machine has.
public enum InstructionSet: String, CaseIterable, Sendable {
  /// What every machine of the architecture has.
  case scalar
  /// x86-64 with AVX2 and FMA.
  case avx2
  /// x86-64 with AVX-512 F, BW, DQ and VL.
  case avx512
  /// AVX-512 with VNNI, dot products of bytes.
  case avx512vnni
  /// 64-bit ARM.
  case neon
  /// 64-bit ARM with dot products of bytes.
  case neondot

  /// Those that this machine, with its operating system, has.
  public static let available = allCases.filter { cpk_isa_is_available($0.cValue) }

  /// The one whose kernels are fastest here.
  public static let best = available.last ?? .scalar

  /// The same in C.
  var cValue: cpk_isa {
    switch self {
    case .scalar: CPK_ISA_SCALAR
    case .avx2: CPK_ISA_AVX2
    case .avx512: CPK_ISA_AVX512
    case .avx512vnni: CPK_ISA_AVX512_VNNI
    case .neon: CPK_ISA_NEON
    case .neondot: CPK_ISA_NEON_DOT
    }
  }
}
