#!/bin/sh
# What makes a point itself: the contents of a kernel's snapshot, the code. And what a dry run says of points that it cannot know.
# $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
points() { for p in "$1"/points/*; do basename "$p"; done; }

# A recorded kernel: its snapshot belongs to the point, whether it is named or lies beside the events.
cp -r "$samples/kernel/filetree" kernel && chmod -R u+w kernel
mkdir else && cp kernel/before.* kernel/times.json* else/ 2>/dev/null
cat >k.json <<'END'
{
    "workload": { "kernel": { "events": "kernel/objects.mtr", "placement": "simulated", "level": "objects" } },
    "sweep": { "axes": { "slab.design": ["slub", "slob"] } }
}
END
expect 0 sweep k.json --dry-run -o one; has out 'estimate from trying 2 points'; has out '  disk '; has out '  memory '
hasnt out 'not tried to their end'
expect 0 sweep k.json -o one; has out '2 points: 2 ok'
expect 0 sweep k.json -o one; has out '2 were there already'
expect 0 sweep k.json --dry-run -o one; has out '0 to simulate'
expect 0 sweep k.json -s workload.kernel.before=else/before -o two; has out '2 points: 2 ok'
file=$(find kernel -name 'before.buddyinfo*' | head -n 1)
mv "$file" kept
case $file in
*.xz) xz -dc kept | sed 's/  *\([0-9][0-9]*\) *$/ 1/' | xz >"$file" ;;
*.zst) zstd -qdc kept | sed 's/  *\([0-9][0-9]*\) *$/ 1/' | zstd -q >"$file" ;;
*) sed 's/  *\([0-9][0-9]*\) *$/ 1/' kept >"$file" ;;
esac
expect 0 sweep k.json --dry-run -o one; has out '2 to simulate'
cp kept "$file"
expect 0 sweep k.json --dry-run -o one; has out '0 to simulate'
expect 2 sweep k.json -s workload.kernel.before=else/nothing -o three; has err 'there is no snapshot of that name'
expect 0 sweep k.json --backend commands -o later
echo >>kernel/before.extra
sh out >o2 2>&1
grep -q 'was changed after the sweep was planned' o2 || fail "a snapshot that changes meanwhile: $(cat o2)"
rm kernel/before.extra

# The code: a plan of other code is refused by a worker.
code=$("$prog" --version | sed -n 's/.*(code \([0-9a-f]*\),.*/\1/p')
[ ${#code} = 16 ] || fail "--version names no code: $("$prog" --version)"
grep -q "\"code\": \"$code\"" one/sweep.json || fail 'the plan does not hold the code'
hasnt one/results.csv "$code"
sed -i "s/$code/0123456789abcdef/" one/sweep.json
expect 1 point one 0; has err 'planned by other code'
expect 0 sweep k.json -o one; has out '2 were there already'

# A dry run of a sweep that has some points, under other numbers; a trace that none of them has replayed is tried.
cp "$samples/small.din" "$samples/small.pin" .
printf '{ "sim": {"mode": "functional"}, "sweep": { "axes": {"mmu.stlb.entries": [%s]}, "traces": [%s] } }\n' '240, 360' '"small.din"' >s.json
expect 0 sweep s.json -o part
printf '{ "sim": {"mode": "functional"}, "sweep": { "axes": {"mmu.stlb.entries": [%s]}, "traces": [%s] } }\n' '120, 240, 360' '"small.din", "small.pin"' >s.json
expect 0 sweep s.json --dry-run -o part
has out '6 points, 4 to simulate'
has out 'estimate from 2 finished points (their host.json) and trying 3 points'

# Points that cannot work have their own seed.
printf '{ "sim": {"mode": "functional", "seed": 7}, "sweep": { "axes": {"mmu.stlb.entries": [100, 120]}, "traces": ["small.din"] } }\n' >s.json
expect 3 sweep s.json -o seeds
awk -F, '/,failed,/ { if ($4 != 7) exit 1; n++ } END { exit n != 1 }' seeds/results.csv || fail "the seed of a refused point: $(grep failed seeds/results.csv)"
printf '{ "sim": {"mode": "functional"}, "sweep": { "axes": {"mmu.stlb.entries": [100, 120], "sim.seed": [3, 4]}, "traces": ["small.din"] } }\n' >s.json
expect 3 sweep s.json -o seeds2
[ "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seed") c = i } /,failed,/ { print $c }' seeds2/results.csv | tr '\n' ' ')" = '3 4 ' ] ||
    fail "seeds of refused points: $(grep failed seeds2/results.csv)"
verdict sweep_identity
