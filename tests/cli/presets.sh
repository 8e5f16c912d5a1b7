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
    # 4 GiB of a real machine lie on both sides of the hole below 4 GiB, all of it present; the made-up ones have none.
    hole=$(sed -n 's/.*"pci_hole": "\([0-9]*\)GiB".*/\1/p' "$file")
    awk -v hole="${hole:-0}" '/^Node/ { zone = $4 } /present/ { n[zone] += $2 }
        END { exit !(n["Normal"] == hole * 262144 && n["DMA"] + n["DMA32"] + n["Normal"] == 1048575) }' out/proc/zoneinfo ||
        { echo "FAIL: $name: its zones do not fit a hole of ${hole:-0} GiB"; failed=1; }
    case $name in
    @cachegrind | @default | @functional) [ -z "$hole" ] || { echo "FAIL: $name has a hole"; failed=1; } ;;
    *) [ -n "$hole" ] || { echo "FAIL: $name, a real machine, has no hole"; failed=1; } ;;
    esac
    rm -rf out
done
[ $failed = 0 ] && echo 'presets: ok'
exit $failed
