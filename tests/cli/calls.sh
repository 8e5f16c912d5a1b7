#!/bin/sh
# Calls of the kernel's allocators: made up in a file and in a run, by hand, what cannot be. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
refused() { # a word of the message, then the command
    word=$1
    shift
    "$@" >out 2>err
    [ $? = 2 ] || fail "not refused with 2: $*"
    grep -qF -- "$word" err || { fail "no \"$word\" for: $*"; cat err; }
}
memory="-s memory.size=512MiB -s cpu.count=2"

# The same options, the same file; another seed, another one. A file is a trace without mistakes.
gen() { "$prog" trace gen calls -q -n 3000 --threads 2 -s block_interval=20ms "$@" || fail "gen $*"; }
for how in kmalloc pages vmalloc kvmalloc cache mempool; do
    gen -s connections=$how -o $how.mtr
    "$prog" trace check $how.mtr >out 2>&1 || { fail "check $how"; cat out; }
done
gen -s connections=cache -o again.mtr
cmp -s cache.mtr again.mtr || fail "the same options, another file"
gen -s connections=cache -s seed=2 -o other.mtr
cmp -s cache.mtr other.mtr && fail "another seed, the same file"
for way in power_of_two=true chunk=64KiB pool=50 together=16 free_cpu=any long_share=0.1 wave=1 tail=5s; do
    gen -s $way -o way.mtr --force
    "$prog" trace check way.mtr >out 2>&1 || { fail "check $way"; cat out; }
    cmp -s kmalloc.mtr way.mtr && fail "$way changes nothing"
done
# Whoever serves them, the load is the same: sizes and times of requests. Chunks hold what they should.
sizes() { "$prog" trace convert -q --to text "$1" - | awk '$1 == "time" { t = $2 } $1 == "kmalloc" { print t, $3 } $1 == "cache_alloc" { print t, $3 }'; }
sizes kmalloc.mtr >a
sizes cache.mtr >b
[ "$(wc -l <a)" -gt 3000 ] || fail "only $(wc -l <a) requests"
grep -v ' \(65536\|131072\|262144\|524288\|1048576\|2097152\|4194304\)$' a >a.small
grep -v ' \(65536\|131072\|262144\|524288\|1048576\|2097152\|4194304\)$' b >b.small
[ "$(wc -l <a.small)" = 3000 ] || fail "$(wc -l <a.small) connections of 3000"
cmp -s a.small b.small || fail "another allocator, another load"

# In a run, or as a file: the same trace, the same statistics, byte for byte; twice the same.
for how in kmalloc mempool kvmalloc; do
    # shellcheck disable=SC2086
    "$prog" run $memory -s workload.calls.count=3000 -s workload.calls.block_interval=20ms -s workload.calls.connections=$how -o "made-$how" >said 2>err ||
        { fail "run $how"; cat err; }
    # shellcheck disable=SC2086
    "$prog" run -q $memory -s workload.kernel.events=$how.mtr -s workload.kernel.start=memory -s workload.kernel.placement=simulated \
        -s workload.kernel.level=objects -o file-$how || fail "run file $how"
    grep -v '"config_hash"' made-$how/stats.json >x
    grep -v '"config_hash"' file-$how/stats.json >y
    cmp -s x y || { fail "$how: as a file it is another run"; diff x y | head; }
    for f in series.csv fragmentation.csv memory_map.csv proc/buddyinfo proc/slabinfo proc/kmem_callers; do
        [ -s made-$how/$f ] || fail "no $f"
        cmp -s made-$how/$f file-$how/$f || fail "$how: $f differs"
    done
done
grep -q 'requests ' said && grep -q 'asked for' said || { fail summary; cat said; }
grep -q 'connection ' made-mempool/proc/kmem_callers || fail "connections are not named in kmem_callers"
# shellcheck disable=SC2086
"$prog" run -q $memory -s workload.calls.count=3000 -s workload.calls.block_interval=20ms -s workload.calls.connections=kmalloc -o again || fail again
diff -r -x host.json made-kmalloc again >out || { fail "twice the same is not the same"; head out; }
is made-kmalloc calls.unknown_frees 0
is made-kmalloc calls.missed_frees 0
is made-kmalloc calls.failures 0
# requests = given back + alive + refused
[ $(($(stat_of made-kmalloc calls.allocs))) = $(($(stat_of made-kmalloc calls.live) + $(stat_of made-kmalloc slab.frees) + $(stat_of made-kmalloc calls.failures))) ] ||
    fail "requests are lost"
[ "$(stat_of made-kmalloc calls.small_alloc.operations)" = 3000 ] || fail "latencies of small requests"
[ "$(stat_of made-kvmalloc vmalloc.kvmalloc_fallbacks)" = 0 ] || fail "kvmalloc of connections fell back"

# By hand.
cat >hand.mtt <<'T'
# mmulab trace 1
clock 1000
site 1 "driver"
mempool_create 3 arg2=2 size=256 call_site=1 "bio"
alloc_pages 0x1000 size=5000 gfp=0xcc0 call_site=1
vmalloc 0x2000 size=10000 gfp=0xcc0 call_site=1
kvmalloc 0x3000 20000 0xcc0 1
mempool_alloc 0x4000 3 0xcc0 1
cache_alloc 0x5000 100 0 0xcc0 1 "inode"
time 1000000
free_pages 0x1000 1
vfree 0x2000 1
vfree 0x9000 1
time 2000000
mempool_resize 3 4
mempool_free 0x4000 3 1
mempool_destroy 3
mark 1 "end"
T
for design in slub slab; do
    # shellcheck disable=SC2086
    "$prog" run -q $memory -s slab.design=$design -s workload.kernel.events=hand.mtt -s workload.kernel.start=memory -s workload.kernel.placement=simulated \
        -s workload.kernel.level=objects -o hand 2>err || { fail "by hand"; cat err; }
    is hand calls.allocs 5
    is hand calls.live 2
    is hand calls.live_bytes 20100
    is hand calls.peak_live_bytes 35356
    is hand calls.mean_live_bytes 27856
    is hand calls.unknown_frees 1
    is hand calls.table_bytes 8192
    is hand mempool.allocs 1
    is hand slab.latency.alloc_vmalloc.operations 1
    is hand slab.latency.free_vfree.operations 1
    is hand slab.latency.free_pages.operations 1
    is hand slab.latency.alloc_large.operations 1
    rm -rf "hand-$design"
    cp -r hand "hand-$design"
done
grep -q 'driver ' hand/proc/kmem_callers || fail "no caller"
# The same calls in a program's trace: performed in the machine's slab, with the same books as in a kernel's.
for mode in functional timed; do
    for design in slub slab; do
        "$prog" run --check -t hand.mtt -s sim.mode=$mode -s cpu.count=2 -s memory.size=512MiB -s slab.design=$design -o "program-$design" >said 2>err || { fail "program $mode $design"; cat err; }
        grep -q 'requests of memory, 0 got none' said || { fail "program: no summary"; cat said; }
        for s in allocs failures frees unknown_frees missed_frees live live_bytes peak_live_bytes held_bytes peak_held_bytes table_bytes large_allocs; do
            is "program-$design" calls.$s "$(stat_of "hand-$design" calls.$s)"
        done
        for s in mempool.allocs mempool.frees vmalloc.allocs slab.latency.alloc_vmalloc.operations slab.latency.free_vfree.operations \
            slab.latency.free_pages.operations slab.latency.alloc_large.operations; do
            is "program-$design" $s "$(stat_of "hand-$design" $s)"
        done
        [ -s "program-$design/proc/vmallocinfo" ] && [ -s "program-$design/proc/marks/001-end/vmallocinfo" ] || fail "program: no vmallocinfo"
        cmp -s "program-$design/proc/vmallocinfo" "hand-$design/proc/vmallocinfo" || fail "program: another vmallocinfo"
        head -1 "program-$design/series.csv" | grep -q calls_live_bytes || fail "program: no columns of calls"
    done
done
"$prog" run -q -t kmalloc.mtr -s memory.size=512MiB -o plain 2>err || { fail "objects only"; cat err; }
[ -z "$(stat_of plain calls.allocs)" ] && ! grep -q calls_ plain/series.csv && [ ! -e plain/proc/vmallocinfo ] || fail "calls where there are none"
for mode in functional timed; do
    "$prog" run -t hand.mtt -s sim.mode=$mode -s mmu.enabled=false -o none >said 2>err || { fail "no MMU, $mode"; cat err; }
    is none calls_left_out.records "$("$prog" trace print hand.mtt | grep -cE 'alloc|free|mempool')"
    grep -q 'left out.*without an MMU' said || { fail "no MMU: not said"; cat said; }
done
for how in mempool kvmalloc pages vmalloc; do
    for mode in functional timed; do
        "$prog" run -q --check -t $how.mtr -s sim.mode=$mode -s cpu.count=2 -s memory.size=512MiB -o "p-$how" 2>err || { fail "program $how"; cat err; }
        is "p-$how" calls.failures 0
        [ "$(stat_of "p-$how" calls.allocs)" -gt 3000 ] || fail "program $how: $(stat_of "p-$how" calls.allocs) requests"
    done
done
"$prog" trace convert -q hand.mtt hand.mtr && "$prog" trace convert -q hand.mtr back.mtt && "$prog" trace print hand.mtt >a && "$prog" trace print back.mtt >b &&
    cmp -s a b || fail "text and binary differ"

# An aged machine refuses large blocks, kvmalloc does not; compaction costs time and helps.
aged="-s memory.size=256MiB -s memory.ageing.recipe=churn -s memory.ageing.target=0.95 -s memory.ageing.free=0.4 -s workload.calls.count=20000 -s workload.calls.connection_interval=100us -s workload.calls.block_interval=100ms"
for way in kmalloc pages vmalloc kvmalloc; do
    # shellcheck disable=SC2086
    "$prog" run -q $aged -s workload.calls.blocks=$way -o aged-$way || fail "aged $way"
done
# shellcheck disable=SC2086
"$prog" run -q $aged -s buddy.compaction=true -o aged-compact || fail "aged, compacted"
head -n 1 aged-kmalloc/events.jsonl | grep -q '"kind": "aged", "recipe": "churn"' || fail "the event"
[ "$(stat_of aged-kmalloc calls.large_failures)" -gt 5 ] || fail "aged memory serves all blocks"
is aged-kmalloc calls.failures "$(stat_of aged-kmalloc calls.large_failures)"
is aged-vmalloc calls.failures 0
is aged-kvmalloc calls.failures 0
[ "$(stat_of aged-kvmalloc vmalloc.kvmalloc_fallbacks)" -gt 5 ] || fail "kvmalloc never falls back"
[ "$(stat_of aged-compact calls.large_failures)" -lt "$(stat_of aged-kmalloc calls.large_failures)" ] || fail "compaction does not help"
[ "$(stat_of aged-compact calls.large_alloc.p99)" -gt "$(stat_of aged-kmalloc calls.large_alloc.p99)" ] || fail "compaction is free"
[ "$(stat_of aged-compact compact.migrated)" -gt 0 ] || fail "nothing was moved"

# A sweep of them can be estimated.
cat >s.json <<'END'
{"workload": {"calls": {"count": 200}}, "memory": {"size": "64MiB"},
 "sweep": {"axes": {"workload.calls.connections": ["kmalloc", "cache"]}}}
END
"$prog" sweep s.json --dry-run -o swept >out 2>err || { fail "dry run of a sweep"; cat err; }
grep -qF 'estimate from trying 2 points' out || { fail "no estimate"; cat out; }

# What cannot be, and says why.
refused 'did you mean' "$prog" trace gen calls -n 5 -o x.mtr -s conections=cache
refused 'expected one of' "$prog" trace gen calls -n 5 -o x.mtr -s connections=slab
refused 'workload.calls.connection_life' "$prog" trace gen calls -n 5 -o x.mtr -s connection_life=2
refused 'larger than the largest' "$prog" trace gen calls -n 5 -o x.mtr -s connection_min=8KiB
refused 'larger than the largest' "$prog" trace gen calls -n 5 -o x.mtr -s block_max=4KiB
refused 'a chunk must hold' "$prog" trace gen calls -n 5 -o x.mtr -s chunk=4KiB
refused 'not from both' "$prog" trace gen calls -n 5 -o x.mtr -s chunk=64KiB -s pool=5
refused 'chunks come from' "$prog" trace gen calls -n 5 -o x.mtr -s chunk=64KiB -s connections=cache
refused 'long_share' "$prog" trace gen calls -n 5 -o x.mtr -s long_share=1.5
refused 'blocks' "$prog" trace gen calls -n 5 -o x.mtr -s blocks=cache
refused 'calls' "$prog" trace gen call -n 5 -o x.mtr
refused 'how many' "$prog" trace gen calls -o x.mtr
refused 'not both' "$prog" run -s workload.calls.count=5 -s workload.kernel.events=hand.mtt -o x
refused 'not both' "$prog" run -s workload.calls.count=5 -t hand.mtt -o x
refused 'pages or objects' "$prog" run -s workload.kernel.events=hand.mtt -s workload.kernel.start=memory -s workload.kernel.placement=simulated -o x
refused 'memory' "$prog" run -s workload.calls.count=5 -s memory.size=4KiB -o x
[ -e x.mtr ] && fail "a file although nothing was made"
"$prog" trace gen --help >help 2>&1 || fail help
for word in calls connection_life free_cpu 'kmalloc pages vmalloc kvmalloc cache mempool' workload.calls; do
    grep -qF -- "$word" help || fail "help does not name $word"
done
[ $failed = 0 ] && echo "calls: PASS"
exit $failed
