#include "cpk_isa.h"

#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#if defined(__x86_64__)
static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
      && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

bool cpk_isa_is_available(cpk_isa isa) {
  switch (isa) {
    case CPK_ISA_SCALAR:
      return true;
#if defined(__x86_64__)
    // These also ask whether the operating system saves the wide registers.
    case CPK_ISA_AVX2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case CPK_ISA_AVX512:
      return has_avx512();
    case CPK_ISA_AVX512_VNNI:
      return has_avx512() && __builtin_cpu_supports("avx512vnni");
#elif defined(__aarch64__)
    case CPK_ISA_NEON:
      return true;
    case CPK_ISA_NEON_DOT:
#if defined(__linux__)
      return (getauxval(AT_HWCAP) & (1ul << 20)) != 0;  // HWCAP_ASIMDDP
#elif defined(__APPLE__)
      return true;  // since the first of them
#else
      return false;
#endif
#endif
    default:
      return false;
  }
}
