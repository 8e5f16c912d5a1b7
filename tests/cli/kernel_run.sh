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
# The map over time: its free frames are those of the free lists, nothing is lost.
xzcat "$src/traces/samples/kernel/filetree/before.pfnmap.xz" 2>/dev/null | awk '{ n[$3] += $2; all += $2 } END { print n["reserved"], all }' >"$dir/want"
for placement in predict simulated; do
    python3 - "$dir/$placement" "$dir/want" <<'P' || fail "$placement: memory over time"
import csv, sys
memory, series = (list(csv.DictReader(open("%s/%s.csv" % (sys.argv[1], n)))) for n in ("fragmentation", "series"))
want = open(sys.argv[2]).read().split()
for m, s in ((memory[0], series[0]), (memory[-1], series[-1])):
    free = sum(int(v) << int(k.rsplit("_", 1)[1]) for k, v in s.items() if k.startswith("zone_") and "_free_" in k)
    pages = {k[6:]: int(v) for k, v in m.items() if k.startswith("pages_") and k != "pages_unmovable"}
    assert pages["free"] == free, (pages, free)
    if want:
        # all but the hole of 1 GiB below 4 GiB, and frame 0, which is in no zone; how much is reserved: cli_unmanaged
        assert pages["reserved"] > int(want[0]) and sum(pages.values()) == int(want[1]) - (1 << 18) - 1, (pages, want)
assert int(memory[-1]["sim_references"]) > int(memory[0]["sim_references"])
P
done
# Page by page, and another time: the same result.
for k in 1 2; do
    "$mmulab" run -q -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=pages \
        -o "$dir/pages$k" || fail "pages: exit $?"
done
cmp -s "$dir/pages1/series.csv" "$dir/pages2/series.csv" || fail "twice is not the same"
stat() { "$mmulab" stats show "$dir/$1" 2>/dev/null | awk -v n="$2" '$1 == n { print $2 }'; }
# ... through the lists of both CPUs, which hold at the end what did not go back to the zone; refills are few, as the kernel's.
[ "$(stat pages1 pcp.hits)" -gt 13000 ] || fail "pages pass by the per-CPU lists"
[ "$(awk '/count:/ { n += $2 } END { print n }' "$dir/pages1/proc/zoneinfo")" -gt 1000 ] || fail "the lists are empty"
# What both files tell is the same; what a recorded kernel's blocks are used for is in neither.
[ "$(awk '/^MemFree:/ { print $2 / 4 }' "$dir/pages1/proc/meminfo")" = "$(awk '/pages free/ { n += $3 } END { print n }' "$dir/pages1/proc/zoneinfo")" ] ||
    fail "meminfo has another number of free pages than zoneinfo"
! grep -q '^AnonPages\|^Slab' "$dir/pages1/proc/meminfo" || fail "meminfo tells of uses that are guesses"
[ "$(stat pages1 replay.simulated.listed_before)" -gt 1500 ] || fail "what stood on the kernel's lists is not seen"
# The free blocks are nearer to the kernel's than if nothing had changed.
kernel=$src/traces/samples/kernel/filetree
off() { awk 'NR == FNR { for (o = 5; o <= 15; o++) k[$4, o] = $o; next }
             { for (o = 5; o <= 15; o++) { d = $o - k[$4, o]; n += (d < 0 ? -d : d) * 2 ^ (o - 5) } } END { print n }' "$kernel/after.buddyinfo" "$1"; }
[ "$(off "$dir/pages1/proc/buddyinfo")" -lt "$(off "$kernel/before.buddyinfo")" ] || fail "a simulated kernel is farther off than none"
# In a small and worn memory: the slow path, compaction, failures; nothing is lost sight of.
small() {
    name=$1
    shift
    "$mmulab" run -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=pages \
        -s workload.kernel.start=memory -s memory.size=56MiB -s memory.min_free=1MiB -s cpu.count=2 -s memory.ageing.recipe=churn \
        -s memory.ageing.free=0.6 "$@" -o "$dir/$name" >"$dir/text" 2>&1 || fail "small memory: exit $? $(cat "$dir/text")"
    [ "$(stat "$name" buddy.failures)" = "$(stat "$name" replay.simulated.failures)" ] || fail "$name: failures are not counted alike"
}
small plain
small direct -s buddy.compaction=true -s buddy.kcompactd=false
small background -s buddy.compaction=true
[ "$(stat plain buddy.slow_paths)" -gt 0 ] && [ "$(stat plain replay.simulated.failures)" -gt 0 ] || fail "no slow path in small memory"
[ "$(stat plain replay.simulated.frees_failed)" -gt 0 ] || fail "the free of what was not had"
[ "$(stat plain replay.simulated.moved)" -eq 0 ] || fail "moved without compaction"
[ "$(stat direct compact.stall)" -gt 0 ] && [ "$(stat direct replay.simulated.moved)" -gt 0 ] || fail "no direct compaction"
[ "$(stat direct replay.simulated.failures)" -eq 0 ] || fail "direct compaction helps nobody"
[ "$(stat background compact.daemon_migrate_scanned)" -gt 0 ] && [ "$(stat background replay.simulated.failures)" -eq 0 ] || fail "kcompactd sleeps"
"$mmulab" run -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.start=memory -o "$dir/x" >/dev/null 2>"$dir/err"
[ $? -eq 2 ] || fail "blocks from the machine's memory"
# Marks: by number, by time, and what a script wrote into trace_marker. The state at a mark is that of a recording which ends there.
if xzcat "$events" >"$dir/whole.perf" 2>/dev/null; then
    awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^[0-9]+\.[0-9]+:$/) { print $i "\t" $0; break } }' "$dir/whole.perf" | sort -s -n -k1,1 | cut -f2- >"$dir/all.perf"
    head -n 20000 "$dir/all.perf" >"$dir/cut.perf"
    last=$(tail -n 1 "$dir/cut.perf" | grep -o '[0-9]*\.[0-9]*: ' | head -n 1)
    { cat "$dir/cut.perf"; echo "sh-7 [000] ..... ${last}tracing_mark_write: half way"; tail -n +20001 "$dir/all.perf"; } >"$dir/marked.perf"
    for name in cut marked; do
        for placement in simulated predict; do
            level=pages
            [ $placement = simulated ] || level=blocks
            "$mmulab" run -s "workload.kernel.events=$dir/$name.perf" -s "workload.kernel.before=$kernel/before" -s workload.kernel.level=$level \
                -s workload.kernel.placement=$placement -s "output.mark_events=[20000, 1, 20000]" -s "output.mark_times=[0s, 450ms]" \
                -o "$dir/$name-$placement" >"$dir/text" 2>&1 || fail "$name: exit $? $(cat "$dir/text")"
        done
    done
    for placement in simulated predict; do
        set -- "$dir/marked-$placement"/proc/marks/*
        [ $# -eq 4 ] || fail "marks: $*"
        for mark in "$dir/marked-$placement"/proc/marks/*-event-20000 "$dir/marked-$placement"/proc/marks/*-half_way; do
            for file in buddyinfo zoneinfo pagetypeinfo unusable_index; do
                cmp -s "$mark/$file" "$dir/cut-$placement/proc/$file" || fail "$mark/$file is not the state of a recording that ends there"
            done
        done
        cmp -s "$mark/buddyinfo" "$dir/marked-$placement/proc/buddyinfo" && fail "$placement: the mark shows the end"
        grep -q '"kind": "marks_not_met", "marks": 2' "$dir/marked-$placement/events.jsonl" || fail "marks before the state stands are not told"
    done
fi
"$mmulab" run -s output.mark_events=[5] -t "$src/traces/samples/fork.mtt" -o "$dir/x" >/dev/null 2>&1 && fail "a program marked by number"
"$mmulab" run -s "workload.kernel.events=$events" -t "$src/traces/samples/fork.mtt" -o "$dir/both" >/dev/null 2>"$dir/err"
[ $? -eq 2 ] || fail "programs and a kernel at once"
grep -q 'not both' "$dir/err" || fail "does not say why"
"$mmulab" run -s "workload.kernel.events=$dir/none" -o "$dir/none" >/dev/null 2>"$dir/err" && fail "no events went unnoticed"
[ ! -e "$dir/none" ] || fail "a folder without a result"
exit $status
