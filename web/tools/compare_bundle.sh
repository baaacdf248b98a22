#!/usr/bin/env bash
# Builds the page's script, style sheet and engine and the exports' module again, elsewhere, and fails if they differ
# from those that are committed. The engine is left out where its Clang is missing, unless CONVSCOPE_REQUIRE_ALL=1.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
committed=$root/src/convscope/report/bundle
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

cd "$root/web"
for config in vite.config.ts vite.module.ts; do
  npx vite build --logLevel warn --config $config --outDir "$fresh"
done
if command -v clang++-19 >/dev/null || [ "${CONVSCOPE_REQUIRE_ALL:-}" = 1 ]; then
  "$root/native/page.sh" "$fresh/engine.wasm"
else
  echo "no clang++-19: the engine of the page is not compared"
fi

status=0
for file in "$fresh"/*; do
  name=$(basename "$file")
  if ! cmp "$file" "$committed/$name"; then
    echo "$name is not what its sources give: make page page-engine, and commit it" >&2
    status=1
  fi
done
exit $status
