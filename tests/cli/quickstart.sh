#!/bin/sh
# scripts/quickstart without its installing and building. $1: the program; $2: the source folder.
set -u
command -v gnuplot >/dev/null || { echo 'skipped: no gnuplot'; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
MMULAB=$1 "$2/scripts/quickstart" --no-setup -o "$dir/q" >"$dir/out" 2>"$dir/err" || { cat "$dir/out" "$dir/err"; exit 1; }
[ "$(tail -n 1 "$dir/out")" = 'quickstart: PASS' ] || { echo 'FAIL: the last line is no verdict'; exit 1; }
for kind in free_blocks unusable_index tlb_misses cache_misses walk_latency; do
    grep -q '</svg>' "$dir/q/plots/$kind.svg" || { echo "FAIL: $kind.svg"; exit 1; }
done
for script in setup quickstart test compare-cachegrind; do
    "$2/scripts/$script" --help | grep -q "^usage: scripts/$script" || { echo "FAIL: scripts/$script --help"; exit 1; }
done
"$2/scripts/quickstart" --nonsense 2>/dev/null; [ $? = 2 ] || { echo 'FAIL: an unknown option is no usage error'; exit 1; }
echo 'quickstart: ok'
