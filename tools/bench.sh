#!/usr/bin/env bash
# All benchmarks, on the corpus where there is one (LOWTIDE_CORPUS) and on tests/data elsewhere.
#   tools/bench.sh [SECONDS PER GRAPH]
set -euo pipefail
cd "$(dirname "$0")/.."
limit=${1:-10}
bench=build/test/bench

graphs=(tests/data/*.json)
csvs=()
if [ -e "${LOWTIDE_CORPUS:-}/graphs.tar.xz" ]; then
  mkdir -p build/corpus
  [ -d build/corpus/aten ] || tar xJf "$LOWTIDE_CORPUS/graphs.tar.xz" -C build/corpus
  graphs=(build/corpus/aten/*.json build/corpus/fused/*.json)
  csvs=("$LOWTIDE_CORPUS"/minimalloc/*.csv "$LOWTIDE_CORPUS"/idealloc/*.csv)
fi

echo "== order" && "$bench/order" "$limit" "${graphs[@]}"
echo "== layout" && "$bench/layout" "$limit" "${graphs[@]}" "${csvs[@]}"
echo "== growth" && "$bench/micro" --benchmark_min_time=0.1
