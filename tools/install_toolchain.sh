#!/bin/sh
# Install what the tests and checks use beyond Python: host compilers with clang's libFuzzer, cmake,
# cppcheck, the ARM cross compiler, and emulators: QEMU, and node for one of the RP2040's; OpenSSL for
# certificates. Does nothing where all of it is there already.
set -eu

missing=
for tool in gcc g++ clang cmake cppcheck arm-none-eabi-gcc qemu-system-arm node npm openssl; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
fuzzer=libclang_rt.fuzzer-$(uname -m).a # clang answers with the name alone where it is not there
[ "$(clang -print-file-name="$fuzzer" 2>/dev/null)" != "$fuzzer" ] || missing="$missing libFuzzer"
[ -n "$missing" ] || { echo "toolchain: complete"; exit 0; }

packages="gcc g++ clang libclang-rt-dev cmake cppcheck gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm openssl"
# node may be here from elsewhere, and Debian's npm would not go with it
command -v node >/dev/null || packages="$packages nodejs"
command -v npm >/dev/null || packages="$packages npm"
if ! command -v apt-get >/dev/null; then
    echo "toolchain: missing$missing; install them with your system's package manager" >&2
    echo "           (on Debian the packages are: $packages)" >&2
    exit 1
fi
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
echo "toolchain: installing for$missing"
$as_root apt-get update -qq
# without recommendations: those of the cross compiler are a C++ library of 1.5 GB
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $packages >/dev/null
