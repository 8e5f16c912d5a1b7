#!/bin/sh
# Where the axis of a replayed kernel's pictures begins: at the first row; of objects at the first in slabs. $1: the program, $2: samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

# The picture itself needs gnuplot, the script does not: without it exit code 1.
first() { # FOLDER KIND: the left end of the axis
    "$prog" plot "$2" "$1" -x time >out 2>err
    sed -n 's/^set xrange \[\([0-9.e+-]*\):.*/\1/p' "$1/plots/$2.gp" | head -n 1
}
row() { # FOLDER AWK-CONDITION: milliseconds of the first row of which it holds
    awk -F, -v OFMT=%.9g 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next } '"$2"' { print $at["time_ps"] / 1e9; exit }' "$1/series.csv"
}
same() { awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b > 0 && a - b < 1e-6 * b && b - a < 1e-6 * b) }' || fail "$1: the axis begins at \"$2\", not $3"; }

kernel=$samples/kernel/filetree
"$prog" run -q -s workload.kernel.events="$kernel/objects.mtr" -s workload.kernel.placement=simulated -s workload.kernel.level=objects -o objects ||
    fail "run objects"
for kind in slab_bytes slab_utilisation; do
    # shellcheck disable=SC2016
    same $kind "$(first objects $kind)" "$(row objects '$at["slab_requested_bytes"] > 0')"
done
"$prog" run -q -s workload.kernel.events="$kernel/filetree.perf.xz" -s workload.kernel.placement=simulated -o blocks || fail "run blocks"
same memory_use "$(first blocks memory_use)" "$(row blocks 1)"
"$prog" trace gen uniform -n 20000 -s size=8MiB -o t.mtr 2>/dev/null && "$prog" run -q -t t.mtr -s memory.size=64MiB -o program || fail "run a program"
[ "$(first program memory_use)" = 0 ] || fail "a program's axis begins at $(first program memory_use)"
verdict plot_begin
