#!/usr/bin/env bash
# Builds the engine's unit tests in every way that matters, warnings being errors, and runs them on every instruction set
# that this processor has, or on the one that CONVSCOPE_ISA names.
#
#   run.sh native    with GCC as released, and under the sanitizers of GCC (address, undefined behaviour) and Clang (threads)
#   run.sh wasm      for wasm32 with SIMD, run by Node
#   run.sh arm       for AArch64 with NEON, run by QEMU
#   run.sh coverage  with GCC, counting how often each branch is taken, for gcovr
#
# A build whose tools are not installed is left out with a message; with CONVSCOPE_REQUIRE_ALL=1 that is an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
# build/native-NAME is as deep as the build folder of the Python module, so that ccache sees the same relative paths.
build=build/native

missing() {
  echo "left out: $1"
  [ -z "${CONVSCOPE_REQUIRE_ALL:-}" ] || exit 1
}

# build_tests NAME [OPTION...]
build_tests() {
  local name=$1
  shift
  echo "== $name"
  cmake -S . -B "$build-$name" -DCONVSCOPE_TESTS=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON "$@" >"$build-$name.log" 2>&1 &&
    cmake --build "$build-$name" --parallel "$(nproc)" >>"$build-$name.log" 2>&1 || {
    cat "$build-$name.log"
    exit 1
  }
}

run_tests() {
  build_tests "$@"
  "$build-$1/native/tests/engine_tests"
}

# A sanitizer's first finding ends the program. UBSan's check of vptr needs run-time type information, which the engine is
# built without. fuzz/networks.py uses the same flags as `address`, so that ccache compiles the engine once for both.
address="-fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer -g1"
thread="-fsanitize=thread -g1"
export TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}"

has_sanitizers() {
  local program="$build-sanitizers-of-$1"
  for flag in address,undefined thread; do
    echo 'int main() {}' | "$1" -fsanitize=$flag -x c++ - -o "$program" 2>/dev/null && "$program" || return 1
  done
}

native() {
  local clang
  # The flags of the Python module, so that ccache compiles the engine once for both.
  run_tests g++ -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Release
  # The generic kernels, without threads and exceptions: what a target gets for which there is no instruction set.
  (unset CONVSCOPE_ISA && run_tests bare -DCMAKE_CXX_COMPILER=g++ -DCONVSCOPE_GENERIC=ON -DCONVSCOPE_THREADS=OFF \
    -DCONVSCOPE_EXCEPTIONS=OFF -DCONVSCOPE_OPTIMIZATION=-O1)
  clang=$(command -v clang++-19 || command -v clang++) || missing "Clang (Debian: clang-19, libclang-rt-19-dev)"
  clang=$(basename "${clang:-g++}")
  if ! has_sanitizers g++ || ! has_sanitizers "$clang"; then
    missing "the sanitizers of g++ or $clang"
    return
  fi
  # Each compiler builds one sanitizer. -O1 halves the time and removes less code that could be wrong. Which thread
  # computes what is decided outside the kernels, so ThreadSanitizer runs only the generic kernels.
  build_tests address -DCMAKE_CXX_COMPILER=g++ -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS="$address" -DCONVSCOPE_OPTIMIZATION=-O1
  build_tests thread -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_CXX_FLAGS="$thread" -DCONVSCOPE_GENERIC=ON \
    -DCONVSCOPE_OPTIMIZATION=-O1
  # Most tests have one thread, so both run at once.
  "$build-address/native/tests/engine_tests" &
  local address_process=$!
  (unset CONVSCOPE_ISA && "$build-thread/native/tests/engine_tests")
  wait "$address_process"
}

wasm() {
  local tool
  for tool in clang++-19 wasm-ld-19 node; do
    if ! command -v "$tool" >/dev/null; then
      missing "wasm32, which needs $tool (Debian: clang-19, lld-19, nodejs)"
      return
    fi
  done
  if [ ! -e /usr/include/wasm32-wasi/stdlib.h ] || [ ! -e /usr/include/wasm32-wasi/c++/v1/vector ]; then
    missing "wasm32 (Debian: wasi-libc, libc++-19-dev-wasm32, libc++abi-19-dev-wasm32, libclang-rt-19-dev-wasm32)"
    return
  fi
  build_tests wasm --toolchain native/wasm32.cmake
  (unset CONVSCOPE_ISA && node --no-warnings native/tests/wasi.mjs "$build-wasm/native/tests/engine_tests.wasm")
}

arm() {
  local tool
  for tool in clang++-19 ld.lld-19 qemu-aarch64; do
    if ! command -v "$tool" >/dev/null; then
      missing "AArch64, which needs $tool (Debian: clang-19, lld-19, qemu-user)"
      return
    fi
  done
  if [ ! -e /usr/aarch64-linux-gnu/include/stdlib.h ] || [ ! -e /usr/aarch64-linux-gnu/include/c++/14/vector ]; then
    missing "AArch64 (Debian: libc6-dev-arm64-cross, libgcc-14-dev-arm64-cross, libstdc++-14-dev-arm64-cross)"
    return
  fi
  build_tests arm -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=clang++-19 \
    -DCMAKE_CXX_COMPILER_TARGET=aarch64-linux-gnu -DCMAKE_EXE_LINKER_FLAGS="-fuse-ld=lld-19 -static"
  (unset CONVSCOPE_ISA && qemu-aarch64 "$build-arm/native/tests/engine_tests")
}

coverage() {
  rm -rf "$build-coverage" # old counts would include sources that no longer exist
  run_tests coverage -DCMAKE_CXX_COMPILER=g++ -DCMAKE_CXX_FLAGS="--coverage -fprofile-update=atomic" \
    -DCONVSCOPE_OPTIMIZATION=-O1
}

mkdir -p build
case "${1:-}" in
  native | wasm | arm | coverage) "$1" ;;
  *)
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
