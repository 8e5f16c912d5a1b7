#!/bin/sh
# A run on an aged machine: the index at its first row, the event, the seed, a saved warm-up, targets out of reach. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

{
    echo '# mmulab trace 1'
    echo 'T 0 1'
    echo 'mmap 0x10000000 length=819200 prot=3 flags=0x22 fd=-1 offset=0 result=0x10000000 file_id=0'
    i=0
    while [ $i -lt 200 ]; do
        printf 'S %x 8\n' $((0x10000000 + i * 4096))
        i=$((i + 1))
    done
} >t.mtt
run() { # folder, then settings
    out=$1
    shift
    "$prog" run -q --check -t t.mtt -s memory.size=512MiB "$@" -o "$out"
}
for recipe in holes sizes stripes churn; do
    run $recipe -s memory.ageing.recipe=$recipe -s memory.ageing.target=0.7 -s memory.ageing.unmovable=0.2 || fail "run $recipe"
    # first row: within 0.01 in the large zone; an event that says so, first of all
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        NR == 2 { u = $at["zone_dma32_unusable_9"]; print "unusable at the start: " u; exit !(u >= 0.69 && u <= 0.71) }' \
        $recipe/series.csv >row || { cat row; fail "$recipe: index at the start"; }
    head -n 1 $recipe/events.jsonl >event
    grep -q "\"kind\": \"aged\", \"recipe\": \"$recipe\", \"seed\": 1, \"order\": 9, \"target\": 0.7000, \"reached\": 0.\(69\|70\|71\)" event &&
        grep -q '"zone": "DMA32", "aged": true' event || { cat event; fail "$recipe: the event"; }
done
run again -s memory.ageing.recipe=churn -s memory.ageing.target=0.7 -s memory.ageing.unmovable=0.2 || fail "run again"
diff -r -x host.json churn again >diff.out || { head diff.out; fail "the same seed, another result"; }
run other -s memory.ageing.recipe=churn -s memory.ageing.target=0.7 -s memory.ageing.unmovable=0.2 -s sim.seed=2 || fail "run other"
cmp -s churn/proc/buddyinfo other/proc/buddyinfo && fail "another seed, the same free lists"

# off: nothing of it anywhere
run off || fail "run off"
grep -q aged off/events.jsonl && fail "an event although nothing was aged"

# the state of an aged machine is part of a saved warm-up
for n in 1 2; do
    run warm$n -s memory.ageing.recipe=holes -s sim.warmup=100 -s sim.mode=functional -s sim.checkpoint=warm.state || fail "run warm$n"
done
grep -q '"warm_up": "loaded"' warm2/host.json || fail "the warm-up was not loaded"
diff -r -x host.json warm1 warm2 >diff.out || { head diff.out; fail "a loaded warm-up differs"; }

# out of reach: what was reached, and no result
"$prog" run -q -t t.mtt -s memory.size=16MiB -s memory.ageing.recipe=holes -s memory.ageing.order=10 -s memory.ageing.target=0.9 -o far 2>far.err &&
    fail "a target out of reach was reached"
grep -q 'cannot bring the unusable-free index of order 10 to 0.900: reached was 1.000 with 0 of' far.err || { cat far.err; fail "the message"; }
[ -e far/stats.json ] && fail "a result although the machine could not be built"
"$prog" run -q -t t.mtt -s memory.ageing.recipe=rust -o rust 2>rust.err && fail "an unknown recipe"
grep -q churn rust.err || { cat rust.err; fail "the message does not name the recipes"; }
exit $failed
