#!/bin/sh
# scripts/bench-alloc --quick runs every part; without the bench programs it says so. $1: sources, $2: the program, in its build folder.
set -u
MMULAB=$2
export MMULAB
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
"$1/scripts/bench-alloc" --quick -o "$dir/b.json" >"$dir/out" 2>"$dir/err" || { echo "FAIL: exit $?"; cat "$dir/out" "$dir/err"; exit 1; }
tail -n 1 "$dir/out" | grep -q '^bench-alloc: quick: 22 numbers, none judged$' || { echo "FAIL: $(tail -n 1 "$dir/out")"; exit 1; }
for part in 'buddy: events' 'bitmap: events' 'simulated-pages: replay' 'the whole command' 'pages: bytes a live' 'objects: bytes, twice' '1 TiB / 1 GiB'; do
    grep -q "$part" "$dir/out" || { echo "FAIL: no line of $part"; exit 1; }
done
python3 -c 'import json, sys
b = json.load(open(sys.argv[1]))
assert len(b["checks"]) + len(b["told"]) == 22 and b["ok"], b' "$dir/b.json" || { echo "FAIL: the JSON"; exit 1; }
cp "$2" "$dir/mmulab" || exit 1
MMULAB=$dir/mmulab "$1/scripts/bench-alloc" --quick >"$dir/out" 2>&1 && { echo "FAIL: no bench programs, and no complaint"; exit 1; }
grep -q 'bench-alloc: FAIL: .*frames_bench is not built' "$dir/out" || { echo "FAIL: $(cat "$dir/out")"; exit 1; }
