#!/bin/sh
# A program's run whose memory starts as a recorded kernel's: free blocks and indices as the kernel printed them, from the page map
# and from /proc's files alone. usage: snapshot_start.sh SOURCE_DIR MMULAB
set -u
src=$1
prog=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0
fail() { echo "FAIL: $*"; failed=1; }
sample=$src/traces/samples/kernel/filetree

printf '# mmulab trace 1\nT 0 1\n' >none.mtt
printf 'mmap 0x10000000 length=8192 prot=3 flags=0x22 fd=-1 offset=0 result=0x10000000 file_id=0\nS 10000000 8\n' >>none.mtt
# sim.limit=0 would be "no limit": the series' first row and the event show the start, before the first reference.
start() { # folder snapshot settings
    out=$1
    snap=$2
    shift 2
    "$prog" run -q --check -t none.mtt -s memory.ageing.snapshot="$snap" "$@" -o "$out" || fail "run $out"
}
mkdir files
cp "$sample/before.buddyinfo" "$sample/before.pagetypeinfo" "$sample/before.zoneinfo" files/
start map "$sample/before"
start proc files/before
start again files/before
start other files/before -s sim.seed=2
diff -r -x host.json proc again >diff.out || { head diff.out; fail "the same seed, another result"; }
for run in map proc other; do
    head -n 1 $run/events.jsonl | grep -q '"kind": "snapshot".*"blocks_unlike_buddyinfo": 0,' || { head -n 1 $run/events.jsonl; fail "$run: the event"; }
    python3 - $run/series.csv "$sample/before.buddyinfo" "$sample/before.unusable_index" "$sample/before.extfrag_index" <<'P' || fail "$run: not as the kernel printed"
import csv, sys
row = next(csv.DictReader(open(sys.argv[1])))
compared = 0
for path, name, of in ((sys.argv[2], "free", str), (sys.argv[3], "unusable", str), (sys.argv[4], "extfrag", str)):
    for line in open(path):
        w = line.split()
        zone = w[3].lower()
        for order, kernel in enumerate(w[4:]):
            key = {"free": f"zone_{zone}_free_{order}", "unusable": f"zone_{zone}_unusable_{order}", "extfrag": f"zone_{zone}_extfrag_{order}"}[name]
            if key not in row:
                continue
            assert float(row[key]) == float(kernel) or abs(float(row[key]) - float(kernel)) < 0.001, (key, row[key], kernel)
            compared += 1
print(compared, "numbers compared")
sys.exit(compared < 33)
P
done
"$prog" run @skylake-sp -q -t none.mtt -s memory.ageing.snapshot="$sample/before" -o preset || fail "with a preset, which has a hole of its own"
cmp -s preset/proc/zoneinfo map/proc/zoneinfo || fail "a preset's hole changes a snapshot's zones"
cmp -s proc/memory_map.csv other/memory_map.csv && fail "another seed, the same places"
"$prog" run -q -t none.mtt -s memory.ageing.snapshot="$sample/before" -s memory.size=1GiB -o c 2>err && fail "two sizes of memory"
grep -q memory.size err && grep -q memory.ageing.snapshot err || { cat err; fail "both keys are not named"; }
"$prog" run -q -t none.mtt -s memory.ageing.snapshot=nowhere/before -o c 2>err && fail "a snapshot that is not there"
grep -q 'cannot start as this snapshot' err || { cat err; fail "what is missing is not named"; }
exit $failed
