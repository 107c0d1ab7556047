#!/bin/sh
# Builds the kernels and kernel_agreement.c for this machine, with sanitizers; with those of AVX-512 in plain C, lane by
# lane (AVX512/immintrin.h); and for 64-bit ARM, under emulation with and without dot products. Runs them all.
# needs: clang; AVX2 for AVX-512 in plain C; lld, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (Debian's names) for ARM
set -eu
cd "$(dirname "$0")/../.."
kernels=Sources/CPackedKernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build() {
  "${CC:-clang}" -O2 -Wall -Wextra -I "$kernels/include" "$@" "$kernels"/*.c Tests/Emulated/kernel_agreement.c -lm
}
build -g -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-pass-failed -fuse-ld=lld -o "$work/here"
"$work/here"

echo "AVX-512 in plain C"
mkdir "$work/kernels"
for file in "$kernels"/*.c "$kernels"/*.h "$kernels"/*.inc; do
  sed -e 's/target("avx512[^"]*")/target("avx2,fma")/' -e 's/__builtin_cpu_supports("avx512[a-z]*")/true/g' \
    "$file" > "$work/kernels/${file##*/}"
done
for file in "$work"/kernels/*.c; do
  case $file in */packed_avx512*) first="-I Tests/Emulated/AVX512" ;; *) first= ;; esac
  # shellcheck disable=SC2086  # two words
  "${CC:-clang}" -O2 -Wall -Wextra $first -I "$kernels/include" -c "$file" -o "${file%.c}.o"
done
"${CC:-clang}" -O2 -I "$kernels/include" "$work"/kernels/*.o Tests/Emulated/kernel_agreement.c -lm -o "$work/avx512"
"$work/avx512"

build --target=aarch64-linux-gnu -fuse-ld=lld -o "$work/arm"
for cpu in max cortex-a53; do
  echo "ARM, $cpu"
  qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu $cpu "$work/arm"
done
