#!/bin/sh
# Builds the kernels and kernel_agreement.c for this machine, with sanitizers, and for 64-bit ARM, and runs both, the
# second one under emulation with and without dot products.
# needs: clang; lld, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user (Debian's names) for ARM
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
build --target=aarch64-linux-gnu -fuse-ld=lld -o "$work/arm"
for cpu in max cortex-a53; do
  echo "ARM, $cpu"
  qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu $cpu "$work/arm"
done
