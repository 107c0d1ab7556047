// Instruction sets: which there are, and which the machine has.
#ifndef CPK_ISA_H
#define CPK_ISA_H

#include <stdbool.h>

/// The instruction sets that kernels are written for.
typedef enum {
  /// What every machine of the architecture has; also for CPUs that are not named here.
  CPK_ISA_SCALAR = 0,
  /// x86-64 with AVX2.
  CPK_ISA_AVX2 = 1,
  /// x86-64 with AVX-512 F, BW, DQ and VL.
  CPK_ISA_AVX512 = 2,
  /// AVX-512 with VNNI, dot products of bytes.
  CPK_ISA_AVX512_VNNI = 3,
  /// 64-bit ARM, which always has NEON.
  CPK_ISA_NEON = 4,
  /// 64-bit ARM with dot products of bytes.
  CPK_ISA_NEON_DOT = 5,
} cpk_isa;

/// The number of instruction sets; they are `0 ..< CPK_ISA_COUNT`.
enum { CPK_ISA_COUNT = 6 };

/// Whether this machine, with its operating system, has an instruction set.
bool cpk_isa_is_available(cpk_isa isa);

/// Tells the processor that a loop only waits, so that a thread on the same core gets on.
static inline void cpk_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
