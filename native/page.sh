#!/usr/bin/env bash
# Builds the engine of the page: src/convscope/report/bundle/engine.wasm, which is committed. The same sources and the same
# Clang give the same bytes, in whatever folder.
#
#   page.sh [FILE]   writes FILE instead
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
target=$(realpath -m "${1:-$root/src/convscope/report/bundle/engine.wasm}")
cd "$root"

for tool in cmake clang++-19 wasm-ld-19; do
  if ! command -v "$tool" >/dev/null; then
    echo "page.sh needs $tool (Debian: cmake, clang-19, lld-19, wasi-libc, libc++-19-dev-wasm32, libc++abi-19-dev-wasm32, libclang-rt-19-dev-wasm32)" >&2
    exit 1
  fi
done

build=build/page
cmake -S . -B "$build" --toolchain native/wasm32.cmake -DCONVSCOPE_PAGE=ON -DCMAKE_COMPILE_WARNING_AS_ERROR=ON >/dev/null
cmake --build "$build" --target page --parallel "$(nproc)" >/dev/null
install -m 644 "$build/engine.wasm" "$target"
echo "$target: $(stat -c %s "$target") bytes, sha256 $(sha256sum "$target" | cut -d' ' -f1)"
