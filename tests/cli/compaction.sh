#!/bin/sh
# Compaction in a run: huge pages by direct compaction, checked; what it needs is said. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

# 30 huge pages fill the machine; of each the upper half goes; then 8 more are touched.
{
    echo '# mmulab trace 1'
    echo "T 0 1"
    i=0
    while [ $i -lt 31 ]; do
        printf 'S %x 8\n' $((0x40000000 + i * 2097152))
        i=$((i + 1))
    done
    i=0
    while [ $i -lt 31 ]; do
        printf 'munmap 0x%x length=1048576 result=0\n' $((0x40000000 + i * 2097152 + 1048576))
        i=$((i + 1))
    done
    i=0
    while [ $i -lt 8 ]; do
        printf 'S %x 8\n' $((0x80000000 + i * 2097152))
        i=$((i + 1))
    done
    i=0 # what was moved is still there, without another fault
    while [ $i -lt 31 ]; do
        printf 'L %x 8\n' $((0x40000000 + i * 2097152))
        i=$((i + 1))
    done
} >t.mtt

run() { "$prog" run -q -t t.mtt -s sim.mode=functional -s sim.checks=true -s memory.size=64MiB -s vm.page_size=2MiB "$@"; }

run -o off || fail "run without compaction"
run -s buddy.compaction=true -s vm.huge_defrag=true -o on || fail "run with compaction"
run -s buddy.compaction=true -s vm.huge_defrag=true -o again || fail "run again"
cmp -s on/stats.json again/stats.json || fail "two runs differ"
[ "$(stat_of on vm.mapped_2m)" -gt "$(stat_of off vm.mapped_2m)" ] || fail "compaction won no huge page: $(stat_of on vm.mapped_2m), $(stat_of off vm.mapped_2m)"
[ "$(stat_of on compact.migrated)" -ge 512 ] || fail "nothing was moved"
[ "$(stat_of on compact.migrated)" = "$(stat_of on compact.invalidations)" ] || fail "pages moved are not translations dropped"
[ "$(stat_of on vm.faults_minor)" -le "$(stat_of off vm.faults_minor)" ] || fail "pages were lost"
grep -q '"compact": {' off/stats.json && fail "statistics of what does not exist"

# warm state with compaction under way: saved, loaded, the same result
for o in alone saves loads; do
    set --
    [ $o = alone ] || set -- -s sim.checkpoint=states/
    run -s buddy.compaction=true -s vm.huge_defrag=true -s sim.warmup=36 -s sim.warmup_mode=functional "$@" -o $o || fail "warm-up: $o"
done
grep -q '"warm_up": "loaded"' loads/host.json || fail "the warm state was not loaded"
cmp -s alone/stats.json loads/stats.json || fail "loaded, the result is another"
[ "$(stat_of loads compact.migrated)" -gt 0 ] || fail "nothing was moved after the warm-up"

# in time: the same moves, paid for; slower than without, faster if it cost nothing
timed() { "$prog" run -q -t t.mtt -s sim.checks=true -s memory.size=64MiB -s vm.page_size=2MiB -s cpu.model=inorder -s cpu.window=1 "$@"; }
timed -s buddy.compaction=true -s vm.huge_defrag=true -o timed || fail "timed run"
timed -s buddy.compaction=true -s vm.huge_defrag=true -s buddy.migrate_cycles=20000cyc -o slow || fail "timed run, slow migration"
for s in compact.migrated compact.pte_stores compact.migrate_scanned compact.free_scanned vm.mapped_2m vm.faults_minor; do
    [ "$(stat_of timed $s)" = "$(stat_of on $s)" ] || fail "$s: timed $(stat_of timed $s), functional $(stat_of on $s)"
done
awk -v a="$(stat_of timed sim.cycles)" -v b="$(stat_of slow sim.cycles)" -v n="$(stat_of timed compact.migrated)" 'BEGIN { d = (b - a) / (n * 18000); exit !(d > 0.999 && d < 1.001) }' ||
    fail "migration that costs 18,000 cycles more a page: $(stat_of timed sim.cycles), $(stat_of slow sim.cycles) cycles"

# in the background: aged memory whose score is above the mark is compacted until it is not, in both modes
{
    echo '# mmulab trace 1'
    echo "T 0 1"
    i=0
    while [ $i -lt 3000 ]; do
        printf 'S %x 8\n' $((0x40000000 + i % 300 * 4096))
        i=$((i + 1))
    done
} >idle.mtt
aged() { "$prog" run -q -t idle.mtt -s sim.checks=true -s memory.size=256MiB -s memory.ageing.recipe=holes -s memory.ageing.target=0.97 \
    -s memory.ageing.free=0.4 -s buddy.compaction=true -s buddy.compaction_interval=100ns "$@"; }
score() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "zone_dma32_unusable_9") c = i; next } NR == 2 { print $c } END { print $c }' "$1/series.csv" | tr '\n' ' '; }
for mode in functional timed; do
    aged -s sim.mode=$mode -o aged_$mode || fail "aged, $mode"
    aged -s sim.mode=$mode -s buddy.compaction_proactiveness=0 -o idle_$mode || fail "aged, proactiveness 0, $mode"
    aged -s sim.mode=$mode -s buddy.kcompactd=false -o none_$mode || fail "aged, no kcompactd, $mode"
    [ "$(stat_of aged_$mode compact.proactive_runs)" -ge 1 ] || fail "$mode: no proactive compaction"
    [ "$(stat_of aged_$mode compact.migrated)" -gt 1000 ] || fail "$mode: proactive compaction moved nothing"
    [ "$(stat_of aged_$mode compact.daemon_migrate_scanned)" = "$(stat_of aged_$mode compact.migrate_scanned)" ] || fail "$mode: not all was kcompactd's"
    [ "$(stat_of idle_$mode compact.proactive_runs)" = 0 ] || fail "$mode: proactiveness 0"
    [ "$(stat_of none_$mode compact.migrated)" = 0 ] || fail "$mode: kcompactd is off"
    score aged_$mode >score.txt
    awk '{ exit !($1 > 0.9 && $2 <= 0.81) }' score.txt || { cat score.txt; fail "$mode: the unusable index at the start and the end"; }
done
[ "$(stat_of aged_timed sim.cycles)" -gt "$(stat_of idle_timed sim.cycles)" ] || fail "kcompactd on the program's only core costs nothing"
grep -q "^compact_migrate_scanned $(stat_of aged_timed compact.migrate_scanned)\$" aged_timed/proc/vmstat || fail "proc/vmstat"

refused() { what=$1; shift; run "$@" -o refused 2>err.txt && fail "$what was accepted"; grep -q "$what" err.txt || { cat err.txt; fail "$what: not said"; }; }
refused vm.huge_defrag -s vm.huge_defrag=true
refused compaction -s buddy.compaction=true -s buddy.allocator=textbook
[ $failed = 0 ] && echo "ok: $(stat_of on vm.mapped_2m) huge pages with, $(stat_of off vm.mapped_2m) without; $(stat_of on compact.migrated) pages moved"
exit $failed
