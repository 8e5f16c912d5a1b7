#!/bin/sh
# Every preset loads, runs and is listed. $1: the program; $2: the source folder.
set -u
prog=$1
src=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0
"$prog" config presets >list || failed=1
for file in "$src"/configs/presets/*.json; do
    name=@$(basename "$file" .json)
    grep -q "^ *$name " list || { echo "FAIL: $name is not listed"; failed=1; }
    "$prog" config check "$name" >/dev/null || { echo "FAIL: config check $name"; failed=1; }
    "$prog" run "$name" -q --check -t "$src/traces/samples/small.lackey" -o out || { echo "FAIL: run $name"; failed=1; }
    grep -q '"references": 4544' out/stats.json || { echo "FAIL: $name did not replay all"; failed=1; }
    rm -rf out
done
[ $failed = 0 ] && echo 'presets: ok'
exit $failed
