#!/bin/sh
# What people do wrong with a recorded kernel: each is told with the file, what is wrong and what to do, and leaves nothing half done.
# $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
kernel=$samples/kernel/filetree
xz -dc "$kernel/filetree.perf.xz" >all.perf || { echo 'skipped: no xz'; exit 77; }
head -n 400 all.perf >some.perf

# The requests of a file from the machine's memory: needs no snapshot, and takes moments.
memory() { # memory CODE EVENTS OPTION...
    code=$1; events=$2; shift 2
    rm -rf k
    expect "$code" run -q -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -s workload.kernel.level=pages \
        -s workload.kernel.start=memory -s memory.size=64MiB -o k "$@"
}
memory 0 some.perf
empty err

# What is no recording leaves no result.
printf '<html>404</html>\n' >page.perf
memory 2 page.perf; has err 'page.perf: error: this is no trace of a known format'
: >nothing.perf
memory 1 nothing.perf; has err 'nothing.perf: error: the trace is empty'
[ ! -e k ] || fail 'a file that is no recording leaves a result'
expect 2 run -q -s "workload.kernel.events=$samples/gzip.mtr" -s "workload.kernel.before=$kernel/before" -o k
has err "gzip.mtr: error: this holds no events of a kernel; they are recorded with mmulab record --kernel; programs' traces are replayed with -t"
expect 2 run -q -s workload.kernel.events=some.perf -o k
has err 'before.pfnmap is missing or empty; a replay starts from the page map and zoneinfo of one moment: workload.kernel.before names them'
head -n 3 all.perf >early.perf
expect 1 run -q -s workload.kernel.events=early.perf -s "workload.kernel.before=$kernel/before" -o k
has err 'early.perf: error: the recording ends before the snapshot was taken, by what times.json says; is it whole, and do'

# Lines that end as Windows has it; lines that are not understood, and events that were lost.
sed 's/$/\r/' some.perf >dos.perf
memory 0 dos.perf; empty err
mv k dos; memory 0 some.perf
cmp -s dos/series.csv k/series.csv || fail 'CR LF changes the result'
sed '7s/pfn=0x/pfn=zz/; 9s/order=/ordre=/' some.perf >bad.perf
memory 0 bad.perf
has err 'mmulab run: warning: bad.perf:7: the first of 2 lines (of 400) that were not understood and are left out'
{ head -n 20 some.perf; echo 'perf 1 [000] 2816.3: PERF_RECORD_LOST lost 77'; } >lost.perf
memory 0 lost.perf; has err 'lost.perf: 77 events were lost while recording'
sed '3s/order=0/order=30/' some.perf >order.perf
memory 0 order.perf
[ "$(stat_of k replay.simulated.allocs)" = "$(grep -c mm_page_alloc: some.perf)" ] || fail 'a request of order 30 is not counted as one'
is k replay.simulated.failures 1

# The folder of a recording stands for its events; another folder is told.
mkdir rec; cp "$kernel"/before.* "$kernel"/times.json rec; cp all.perf rec/rec.perf
expect 0 run -q -s workload.kernel.events=rec -o folder; empty err
expect 0 run -q -s workload.kernel.events=rec/rec.perf -o file
grep -v config_hash folder/stats.json >a
grep -v config_hash file/stats.json | cmp -s - a || fail 'a folder is not its events'
mkdir hollow
expect 2 run -q -s workload.kernel.events=hollow -o k
has err 'hollow: error: this folder holds no recording of a kernel; name a file of events'

# Values that a kernel's run does not use are told; those of a preset are not.
expect 0 run -q @zen4 -s workload.kernel.events=rec -s buddy.allocator=best_fit -s memory.size=1GiB -s memory.nodes=2 -s cpu.count=4 \
    -s slab.design=slob -s mmu.dtlb.entries=144 -o k
[ "$(wc -l <err)" = 5 ] || fail "warnings: $(cat err)"
has err "buddy.allocator: not used: the kernel's own choices are followed; workload.kernel.placement=simulated has an allocator that chooses"
has err 'memory.size, memory.nodes: not used: the snapshot tells what memory it is; workload.kernel.start=memory takes'
has err 'cpu.count: not used'; has err 'slab.design: not used'; has err 'mmu.dtlb.entries: not used: no program runs'
expect 0 run -q -s workload.kernel.events=rec -s workload.kernel.placement=simulated -s buddy.allocator=best_fit -s buddy.compaction=true -o k
has err 'buddy.compaction: not used: only the free lists are ours; workload.kernel.level=pages has a whole kernel'
hasnt err allocator
memory 0 some.perf -s buddy.allocator=best_fit -s cpu.count=2 -s sim.seed=3; empty err
expect 0 run -q -s workload.calls.count=100 -s slab.design=slab -s memory.size=64MiB -s cpu.count=2 -o k; empty err

expect 0 run -q @functional -t "$samples/small.lackey" -s memory.ageing.target=0.5 -s workload.calls.blocks=pages -s workload.kernel.placement=recorded -o k
[ "$(wc -l <err)" = 3 ] || fail "warnings of a program's run: $(cat err)"
has err 'memory.ageing.target: not used: no memory.ageing.recipe is named'
expect 0 run -q @functional -t "$samples/small.lackey" -s memory.ageing.target=0.5 -s memory.ageing.recipe=holes -s memory.size=16MiB -o k; empty err

# Values that contradict each other.
expect 2 run -q -s workload.kernel.events=rec -s workload.kernel.level=pages -o k
has err 'pages served by a whole kernel need the placement "simulated"'
expect 2 run -q -s workload.kernel.events=rec -s workload.kernel.start=memory -o k
has err 'it needs the placement "simulated" and the level "pages" or "objects"'
expect 2 run -q -s workload.kernel.events=rec -s memory.ageing.recipe=churn -o k
has err 'which cannot be aged; the start "memory" takes the machine'

# Numbers of a zone that contradict each other; pagetypeinfo of other types, which leaves memory in thousands of pieces.
sed 's/managed  2850816/managed  99999999/' rec/before.zoneinfo >z && cp z rec/before.zoneinfo
expect 1 run -q -s workload.kernel.events=rec -o k; has err 'rec/before.zoneinfo:'; has err 'there are more pages managed than present'
cp "$kernel/before.zoneinfo" rec
mkdir other; cp "$kernel/before.zoneinfo" "$kernel/before.buddyinfo" other
sed 's/Movable/Other/' "$kernel/before.pagetypeinfo" >other/before.pagetypeinfo
expect 0 run -q @functional -t "$samples/small.lackey" -s memory.ageing.snapshot=other/before -o k

echo '{}' >rec/times.json
expect 2 run -q -s workload.kernel.events=rec -o k; has err 'rec/times.json: error: the four times'; has err 'without this file the whole recording is replayed'
cp "$kernel/times.json" rec

# Calls start from memory that is as a recorded machine's; --check looks at a kernel's memory.
expect 0 run -q -s workload.calls.count=300 -s "memory.ageing.snapshot=$kernel/before" --check -o k; empty err
head -n 1 k/events.jsonl | grep -q '"kind": "snapshot", .*"places": "page map", .*"free_pages": 2304395' || fail "not the snapshot's memory: $(head -n 1 k/events.jsonl)"
for placement in recorded predict simulated; do
    expect 0 run -q --check -s workload.kernel.events=rec -s workload.kernel.placement=$placement -o k
done
memory 0 some.perf --check; empty err

# A full disk (a limit on the size of files, where nothing can be mounted): the file and a remedy, and nothing half written.
if [ "$(id -u)" = 0 ] && mkdir disk && mount -t tmpfs -o size=100k tmpfs disk 2>/dev/null; then
    trap 'umount "$dir/disk"; rm -rf "$dir"' EXIT
    head -c 99k /dev/zero >disk/fill
    expect 1 run -q -s workload.kernel.events=rec -o disk/k
    grep -qE 'cannot write disk/k/[a-z_/.]+: No space left on device; free some space or name another folder with -o$' err || fail "full disk: $(cat err)"
    expect 1 trace gen uniform -n 100000 -o disk/x.mtt
    has err 'disk/x.mtt: error: cannot write: No space left on device; free some space, or write the file elsewhere'
    expect 1 validate --json disk/v.json rec
    has err 'disk/v.json: error: cannot write: No space left on device; free some space'
    [ "$(find disk -type f)" = disk/fill ] || fail "left on a full disk: $(find disk -type f)"
fi
(ulimit -f 16 && "$prog" trace gen uniform -n 100000 -o limit.mtt) >out 2>err && fail 'a file beyond ulimit -f'
[ ! -e limit.mtt ] || fail 'half a file beyond ulimit -f'

verdict mistakes_kernel
