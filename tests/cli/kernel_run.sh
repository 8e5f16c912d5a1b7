#!/bin/sh
# mmulab run on the recorded kernel of the samples: the three placements, what they write, what they refuse.
# usage: kernel_run.sh SOURCE_DIR MMULAB
src=$1
mmulab=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0
fail() { echo "FAIL: $*"; status=1; }
events=$src/traces/samples/kernel/filetree/filetree.perf.xz

for placement in recorded predict simulated; do
    "$mmulab" run -s "workload.kernel.events=$events" -s workload.kernel.placement=$placement -o "$dir/$placement" \
        >"$dir/text" 2>&1 || fail "$placement: exit $? $(cat "$dir/text")"
    for file in config.json stats.json series.csv host.json proc/buddyinfo proc/pagetypeinfo; do
        [ -s "$dir/$placement/$file" ] || fail "$placement: no $file"
    done
    grep -q '"complete": true' "$dir/$placement/stats.json" || fail "$placement: not complete"
done
# Where the kernel's frames are followed, its own free blocks come out; our choice differs by little.
awk 'NR == FNR { for (o = 5; o <= 15; o++) k[$4, o] = $o; next }
     { for (o = 5; o <= 15; o++) { d = $o - k[$4, o]; off += (d < 0 ? -d : d) * 2 ^ (o - 5) } }
     END { print off; exit off > 300 }' "$src/traces/samples/kernel/filetree/after.buddyinfo" "$dir/simulated/proc/buddyinfo" \
    >"$dir/off" || fail "free blocks are off by $(cat "$dir/off") pages"
"$mmulab" stats show "$dir/predict" 2>/dev/null | grep -q 'replay.blocks.right *100.0000' || fail "not the kernel's own frames"
"$mmulab" plot free_blocks "$dir/simulated" -f term >/dev/null 2>&1 || fail "no picture"
# Page by page, and another time: the same result.
for k in 1 2; do
    "$mmulab" run -q -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=pages \
        -o "$dir/pages$k" || fail "pages: exit $?"
done
cmp -s "$dir/pages1/series.csv" "$dir/pages2/series.csv" || fail "twice is not the same"
"$mmulab" run -s "workload.kernel.events=$events" -t "$src/traces/samples/fork.mtt" -o "$dir/both" >/dev/null 2>"$dir/err"
[ $? -eq 2 ] || fail "programs and a kernel at once"
grep -q 'not both' "$dir/err" || fail "does not say why"
"$mmulab" run -s "workload.kernel.events=$dir/none" -o "$dir/none" >/dev/null 2>"$dir/err" && fail "no events went unnoticed"
[ ! -e "$dir/none" ] || fail "a folder without a result"
exit $status
