#!/bin/sh
# mmulab run on the recorded objects of the samples, by each slab design: nothing is lost, neither a record nor a frame.
# usage: objects.sh SOURCE_DIR MMULAB
src=$1
mmulab=$2
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0
fail() { echo "FAIL: $*"; status=1; }
events=$src/traces/samples/kernel/filetree/objects.mtr
stat() { "$mmulab" stats show "$1" 2>/dev/null | awk -v name="$2" '$1 == name { print $2 }'; }
# A zone's columns are free blocks by order: their pages. NR chooses the row.
free_pages() {
    awk -F, -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^zone_.*_free_[0-9]+$/) { o = $i; sub(/.*_/, "", o); order[i] = o } next }
        { n = 0; for (i in order) n += $i * 2 ^ order[i]; if (NR == 2) first = n; last = n }
        END { printf "%d\n", want == "first" ? first : last }' "$1/series.csv"
}

on_lists() { awk '/ count: / { n += $2 } END { print n }' "$1/proc/zoneinfo"; }

# What the text says, counted without the program's readers.
"$mmulab" trace convert -q --to text "$events" - >"$dir/text" || fail "no text"
allocs=$(grep -cE '(^|[[:space:]])(kmalloc|cache_alloc)[[:space:]]' "$dir/text")
[ "$allocs" -gt 50000 ] || fail "only $allocs allocations in the text"
for design in slub slab slob; do
    out=$dir/$design
    "$mmulab" run -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=objects \
        -s slab.design=$design -o "$out" >"$dir/said" 2>&1 || fail "$design: exit $? $(cat "$dir/said")"
    for file in stats.json series.csv proc/slabinfo proc/kmem_callers proc/buddyinfo; do
        [ -s "$out/$file" ] || fail "$design: no $file"
    done
    [ "$(stat "$out" slab.trace.allocs)" = "$allocs" ] || fail "$design: not all allocations"
    [ $(($(stat "$out" slab.allocs) - $(stat "$out" slab.frees))) = "$(stat "$out" slab.objects)" ] || fail "$design: objects"
    [ $(($(stat "$out" slab.page_allocs) - $(stat "$out" slab.page_frees))) = "$(stat "$out" slab.pages)" ] || fail "$design: pages"
    # Frames that left the free lists are those in slabs and on the CPUs' lists, which began empty, to the last one.
    [ $(($(free_pages "$out" first) - $(free_pages "$out" last))) = $(($(stat "$out" slab.pages) + $(on_lists "$out"))) ] || fail "$design: frames"
    [ "$(on_lists "$out")" -gt 0 ] || fail "$design: no CPU's list has a page"
    hits=$(awk -F'|' '$4 ~ /^ *[0-9]+ *$/ { n += $4 } END { print n }' "$out/proc/kmem_callers")
    [ "$hits" = "$allocs" ] || fail "$design: callers have $hits of $allocs allocations"
    # Counts by latency: of every row together those by path; a bin that nothing took has no column.
    python3 - "$out/series.csv" <<'P' || fail "$design: counts by latency"
import csv, sys
for r in csv.DictReader(open(sys.argv[1])):
    bins = {k: int(v) for k, v in r.items() if k.startswith("slab_alloc_from_")}
    assert sum(bins.values()) == sum(int(v) for k, v in r.items() if k.startswith("slab_alloc_") and k.endswith("_operations")), r
assert bins and all(bins.values()), bins
P
done
awk '/getname_flags/ { found = 1 } END { exit !found }' "$dir/slub/proc/kmem_callers" || fail "callers have no names"
grep -q '^ext4_inode_cache ' "$dir/slub/proc/slabinfo" || fail "no cache of the recording in slabinfo"
# Design decides: the first fit of slob packs tighter and asks for pages more often.
[ "$(stat "$dir/slob" slab.pages)" -lt "$(stat "$dir/slub" slab.pages)" ] || fail "slob holds as much as slub"
[ "$(stat "$dir/slob" slab.page_allocs)" -gt "$(stat "$dir/slub" slab.page_allocs)" ] || fail "slob asks as rarely as slub"
for kind in slab_utilisation slab_caches alloc_latency; do
    "$mmulab" plot $kind "$dir/slub" "$dir/slab" -f term >"$dir/said" 2>&1 || grep -q gnuplot "$dir/said" || fail "$kind: $(cat "$dir/said")"
done
"$mmulab" plot slab_caches "$dir/slob" -f term >/dev/null 2>"$dir/said" && fail "slob has caches"
# kcompactd beside it: the clock of the events wakes it; what it moves is no slab's, and nothing is lost.
"$mmulab" run -q -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=objects -s buddy.compaction=true \
    -s buddy.compaction_proactiveness=100 -s buddy.compaction_interval=100ms -o "$dir/compacted" >"$dir/said" 2>&1 || fail "compaction: $(cat "$dir/said")"
[ "$(stat "$dir/compacted" compact.migrated)" -gt 1000 ] || fail "nothing was compacted"
cmp -s "$dir/slub/proc/slabinfo" "$dir/compacted/proc/slabinfo" || fail "compaction changes slabs"
[ $(($(free_pages "$dir/compacted" first) - $(free_pages "$dir/compacted" last))) = $(($(stat "$dir/compacted" slab.pages) + $(on_lists "$dir/compacted"))) ] ||
    fail "compaction lost frames"
# Another placement has no objects.
"$mmulab" run -s "workload.kernel.events=$events" -s workload.kernel.level=objects -o "$dir/none" >"$dir/said" 2>&1 && fail "objects where the kernel's frames are followed"
grep -q 'placement' "$dir/said" || fail "does not say why"
exit $status
