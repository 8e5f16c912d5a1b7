#!/bin/sh
# Kernel objects of a trace in `mmulab run`: every design, planted mistakes with their record numbers. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

cat >t.txt <<'T'
# mmulab trace 1
kmalloc ffff888100000000 100 bytes_alloc=128 gfp=0xcc0 call_site=0xffffffff81000010
kmalloc ffff888100000100 100 bytes_alloc=128 gfp=0xcc0 call_site=0xffffffff81000010
mark 1 "between"
S ffff888100000064 4
kfree ffff888100000000 call_site=0xffffffff81000020
S ffff888100000108 8
kfree ffff888100000000 call_site=0xffffffff81000030
cache_alloc ffff888100002000 184 bytes_alloc=192 gfp=0xcc0 call_site=0x1 "filp"
cache_alloc ffff888100003000 192 bytes_alloc=192 gfp=0xcc0 call_site=0x1 "dentry"
cache_free ffff888100002000 call_site=0x1 "dentry"
kmalloc ffff888100010000 20000 bytes_alloc=32768 gfp=0xcc0 call_site=0x1
kmalloc ffff888100010000 20000 bytes_alloc=32768 gfp=0xcc0 call_site=0x2
kfree ffff888100010000 call_site=0x1
kfree ffff8881ffff0000 call_site=0x1
kfree 0 call_site=0x1
T
for mode in timed functional; do
    for design in slub slab; do
        "$prog" run -q --check -t t.txt -s sim.mode=$mode -s slab.design=$design -s slab.red_zone=true -s slab.poison=true \
            -s slab.store_user=true -o "d-$design" >/dev/null 2>err || { fail "$design $mode"; cat err; }
        e=d-$design/events.jsonl
        # The overrun of record 3 shows when record 4 frees; record 5 writes inside a live object and is fine.
        grep -F slab_overrun $e | grep -F '"record": 4,' | grep -qF '"cause_record": 3' || { fail "$design: overrun"; cat $e; }
        grep -F slab_double_free $e | grep -F '"record": 6,' | grep -qF '"free_record": 4' || { fail "$design: double free"; cat $e; }
        grep -F slab_wrong_cache $e | grep -qF '"record": 9,' || { fail "$design: wrong cache"; cat $e; }
        grep -F slab_leaked_object $e | grep -F dentry | grep -qF '"alloc_record": 8' || { fail "$design: leak"; cat $e; }
        [ "$(grep -c . $e)" = 5 ] || { fail "$design: not 5 findings"; cat $e; }
        is "d-$design" slab.found.overrun 1
    done
    grep -v '^S ' t.txt >u.txt
    for design in slub slab slob; do
        "$prog" run -q --check -t u.txt -s sim.mode=$mode -s slab.design=$design -o "r-$design" >/dev/null 2>err || { fail "$design"; cat err; }
        is "r-$design" slab.trace.allocs 6
        is "r-$design" slab.trace.frees 6
        is "r-$design" slab.trace.duplicates 1
        is "r-$design" slab.trace.unknown_frees 2
        is "r-$design" slab.trace.null_frees 1
        is "r-$design" slab.trace.live 2
        is "r-$design" slab.large_allocs 1
        is "r-$design" slab.found.double_free 0
        is "r-$design" slab.latency.alloc_large.operations 1
        has "r-$design/proc/slabinfo" 'slabinfo - version: 2.1'
        has "r-$design/proc/marks/001-between/slabinfo" 'slabinfo - version: 2.1'
        # columns of slabs: where the bytes are adds up; paths that nothing took have none
        python3 - "r-$design/series.csv" <<'P' || fail "$design: columns of slabs"
import csv, sys
rows = list(csv.DictReader(open(sys.argv[1])))
for r in rows:
    n = {k: int(v) for k, v in r.items() if k.startswith("slab_") and k != "slab_utilisation"}
    assert n["slab_bytes"] == n["slab_pages"] * 4096, r
    assert n["slab_bytes"] == sum(n["slab_%s_bytes" % k] for k in ("requested", "rounding", "free", "tail")), r
last = rows[-1]
assert int(last["slab_objects"]) == 2 and float(last["slab_utilisation"]) > 0, last
assert int(last["slab_alloc_large_operations"]) == 1 and int(last["slab_alloc_large_cycles"]) > 0, last
assert not int(rows[0]["slab_objects"])
assert "slab_free_purge_cycles" not in last
P
    done
    is r-slub slab.dentry.objects 1
    is r-slub slab.kmalloc-128.allocs 2
    has r-slub/proc/slabinfo 'kmalloc-8k             0      0   8192'
done
# caches that a trace makes and destroys itself
cat >c.txt <<'T'
# mmulab trace 1
cache_create 120 arg2=64 slab_flags=64 call_site=0x1 "mine"
cache_create 40 arg2=0 slab_flags=0 call_site=0x1 "kept"
cache_alloc ffff888100001000 120 bytes_alloc=128 gfp=0xcc0 call_site=0x1 "mine"
cache_alloc ffff888100002000 120 bytes_alloc=128 gfp=0xcc0 call_site=0x1 "mine"
cache_free ffff888100001000 call_site=0x1 "mine"
cache_shrink 1 "mine"
cache_destroy 1 "mine"
cache_alloc ffff888100003000 120 bytes_alloc=128 gfp=0xcc0 call_site=0x1 "mine"
T
"$prog" trace check c.txt >out 2>&1 || { fail "trace check"; cat out; }
"$prog" trace convert -q c.txt c.mtr >/dev/null 2>&1 && "$prog" trace print c.mtr | grep -q 'cache_create 120 64 slab_flags=64 call_site=1 "mine"' ||
    { fail "there and back"; "$prog" trace print c.mtr; }
for mode in timed functional; do
    for design in slub slab; do
        "$prog" run -q --check -t c.txt -s sim.mode=$mode -s slab.design=$design -s slab.store_user=true -o "c-$design" >/dev/null 2>err ||
            { fail "$design $mode"; cat err; }
        e=c-$design/events.jsonl
        grep -F slab_leaked_object $e | grep -qF '"record": 6, "alloc_record": 3' || { fail "$design: object of a destroyed cache"; cat $e; }
        grep -F slab_leaked_cache $e | grep -F '"cache": "mine"' | grep -qF '"offset": 1, "record": 6, "alloc_record": 0' || { fail "$design: leaked cache"; cat $e; }
        grep -F slab_dead_cache $e | grep -qF '"record": 7, "alloc_record": 0, "free_record": 6' || { fail "$design: use of a destroyed cache"; cat $e; }
        grep -F slab_leaked_cache $e | grep -qF '"cache": "kept"' || { fail "$design: cache never destroyed"; cat $e; }
        [ "$(grep -c . $e)" = 5 ] || { fail "$design: not 5 findings: the object again at the end"; cat $e; }
    done
done
# what slob cannot do is refused, what it can goes well
"$prog" run -q -t t.txt -s slab.design=slob -s slab.red_zone=true -o no >out 2>err
[ $? = 2 ] || fail "slob with red zones"
has err 'slob has no debugging'
"$prog" run -q --check -t t.txt -s sim.mode=functional -s slab.design=slob -s slab.sanity=true -o sanity >out 2>err || { fail "slob"; cat err; }
is sanity slab.found.double_free 1
# Large kmallocs that nobody frees are leaks, with their record; a trace's caches and its mistakes are the same in a kernel's run.
cat >large.mtt <<'T'
# mmulab trace 1
cache_create 96 0 slab_flags=0 call_site=7 "mine"
kmalloc ffff888100010000 20000 bytes_alloc=32768 gfp=0xcc0 call_site=0x1
kmalloc ffff888100020000 9000 bytes_alloc=12288 gfp=0xcc0 call_site=0x1
cache_alloc ffff888100030000 96 bytes_alloc=96 gfp=0xcc0 call_site=0x1 "mine"
kmalloc ffff888100040000 16000 bytes_alloc=16384 gfp=0xcc0 call_site=0x1
kfree ffff888100020000 call_site=0x1
kfree ffff888100020000 call_site=0x1
kmalloc ffff888100050000 64 bytes_alloc=64 gfp=0xcc0 call_site=0x1
cache_shrink 7 "mine"
cache_free ffff888100030000 call_site=0x1 "mine"
cache_destroy 7 "mine"
cache_destroy 7 "mine"
T
kinds() { sed -n 's/.*"kind": "\(slab_[a-z_]*\)".*"cache": "\([^"]*\)".*"record": \([0-9]*\).*/\1 \2 \3/p' "$1"; }
debug="-s slab.store_user=true -s slab.sanity=true -s memory.size=256MiB"
for design in slub slab; do
    # shellcheck disable=SC2086
    "$prog" run -q --check -t large.mtt -s slab.design=$design $debug -o large 2>err || { fail "large, $design"; cat err; }
    e=large/events.jsonl
    [ "$(grep -F slab_leaked_object $e | grep -c kmalloc-large)" = 2 ] || { fail "$design: leaks of large kmallocs"; cat $e; }
    for record in 1 4; do
        grep -F slab_leaked_object $e | grep -F kmalloc-large | grep -qF "\"alloc_record\": $record" || { fail "$design: large leak of record $record"; cat $e; }
    done
    is large slab.found.leaked_object 3
    is large slab.trace.caches_made 1
    is large slab.found.dead_cache 1
    # shellcheck disable=SC2086
    "$prog" run -s workload.kernel.events=large.mtt -s workload.kernel.start=memory -s workload.kernel.placement=simulated \
        -s workload.kernel.level=objects -s slab.design=$design $debug -o kernel >said 2>err || { fail "large in a kernel's run"; cat err; }
    kinds $e >a
    kinds kernel/events.jsonl >b
    [ -s a ] && cmp -s a b || { fail "$design: other findings in a kernel's run"; diff a b; }
    grep -q "findings *$(wc -l <a) " said || { fail "findings are not said"; cat said; }
    for s in slab.trace.caches_made slab.found.leaked_object slab.found.dead_cache slab.found.double_free; do
        is kernel $s "$(stat_of large $s)"
    done
    # shellcheck disable=SC2086
    "$prog" run -q -t large.mtt -s slab.design=$design -o quiet 2>err || fail "large without debugging"
    is quiet slab.found.leaked_object 0
done
# Areas and pages that nobody gives back, each with the record that asked for it; a kvmalloc that kmalloc served is an object.
cat >areas.mtt <<'T'
# mmulab trace 1
vmalloc 0x1000 size=10000 gfp=0xcc0 call_site=1
vmalloc 0x2000 size=20000 gfp=0xcc0 call_site=1
alloc_pages 0x3000 size=16384 gfp=0xcc0 call_site=1
alloc_pages 0x4000 size=4096 gfp=0xcc0 call_site=1
kvmalloc 0x5000 5000 0xcc0 1
kvmalloc 0x6000 8388608 0xcc0 1
kvmalloc 0x7000 8388608 0xcc0 1
vfree 0x1000 1
free_pages 0x4000 1
kvfree 0x7000 1
vmalloc 0x2000 size=30000 gfp=0xcc0 call_site=1
T
# shellcheck disable=SC2086
for how in "-t areas.mtt" "-s workload.kernel.events=areas.mtt -s workload.kernel.start=memory -s workload.kernel.placement=simulated -s workload.kernel.level=objects"; do
    "$prog" run -q $how $debug -o areas >said 2>err || { fail "areas"; cat err; }
    sed -n 's/.*"kind": "slab_leaked_\([a-z]*\)".*"cache": "\([^"]*\)".*"offset": \([0-9]*\).*"alloc_record": \([0-9]*\).*/\1 \2 \3 \4/p' areas/events.jsonl | grep -v '^object' >got
    printf '%s\n' 'pages alloc_pages 4 2' 'area kvmalloc 8388608 5' 'area vmalloc 30000 10' | cmp -s - got || { fail "leaks of areas and pages"; cat got areas/events.jsonl; }
    for record in 4 5 10; do # and the two areas' lists of pages
        grep -F slab_leaked_object areas/events.jsonl | grep -qF "\"alloc_record\": $record" || { fail "objects left by record $record"; cat areas/events.jsonl; }
    done
    is areas slab.found.leaked_area 2
    is areas slab.found.leaked_pages 1
    is areas slab.found.leaked_object 3
    "$prog" run -q $how -o quiet >/dev/null 2>err || fail "areas without debugging"
    is quiet slab.found.leaked_area 0
done
[ $failed = 0 ] && echo "slab: PASS"
exit $failed
