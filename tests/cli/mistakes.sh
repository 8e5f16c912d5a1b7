#!/bin/sh
# What people do wrong: each is told with what is wrong and what to do, ends with the right code, and breaks nothing that
# was there. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
small=$samples/small.lackey
cat >s.json <<'END'
{ "sim": { "mode": "functional" }, "sweep": { "axes": { "mmu.dtlb.entries": [16, 32] } } }
END

# A run into the folder of a sweep: the sweep stays as it is.
expect 0 sweep s.json -q -t "$small" -o swept
cp -r swept before
expect 2 run -q -t "$small" -o swept
has err 'the folder "swept" holds a sweep; name a new folder with -o'
diff -r before swept >d || { fail 'a run changed the folder of a sweep'; cat d; }

# A sweep of nothing, and of a file that is not there: told before anything runs, and no folder is left.
expect 2 sweep s.json -q -o nothing
has err 'there is nothing to replay; name traces with -t'
echo '{ "sweep": { "axes": { "mmu.dtlb.entries": [16, 32] }, "traces": ["gone.mtr"] } }' >gone.json
expect 2 sweep gone.json -q -o nothing
has err 'gone.mtr: error: the file that "trace" names cannot be read: No such file or directory; paths in a configuration are relative'
expect 2 sweep s.json -q -t . -o nothing
has err '.: error: what "trace" names is no file'
[ ! -e nothing ] || fail 'a sweep that was refused leaves a folder'
echo '{ "sweep": { "axes": { "workload.calls.count": [100, 200] } } }' >calls.json # an axis that says what is replayed
expect 0 sweep calls.json -q -o calls

# Recordings of a kernel that are not whole, or hold nothing of what is asked for: no silent result of nothing.
kernel=$samples/kernel/filetree
replay() { # replay CODE EVENTS OPTION...
    code=$1; events=$2; shift 2
    rm -rf k
    expect "$code" run -q -s "workload.kernel.events=$events" -s workload.kernel.placement=simulated -o k "$@"
}
mkdir rec; cp "$kernel"/before.* "$kernel"/times.json rec
if xz -dc "$kernel/filetree.perf.xz" 2>/dev/null | head -c 300000 >rec/a.perf && [ -s rec/a.perf ]; then
    replay 0 rec/a.perf
    has err 'warning: nothing was replayed: rec/a.perf holds no event between the two snapshots that times.json tells of; is it whole?'
    has err 'warning: rec/a.perf is incomplete: the last line has no line end: the file may be cut off there; what is there was replayed'
    expect 0 run -q -t rec/a.perf -o k # as programs: there is none in it
    has err 'warning: no reference was replayed: there is none in the traces; a recorded kernel is replayed with -s workload.kernel.events='
fi
head -c 100000 "$kernel/filetree.perf.xz" >rec/b.perf.xz
replay 1 rec/b.perf.xz
has err 'rec/b.perf.xz: error: record '
grep -qE '; the first [1-9][0-9]* events were replayed; their results are in k, marked incomplete$' err || fail "of a cut recording: $(cat err)"
replay 0 "$kernel/objects.mtr"
has err 'objects.mtr holds no events of pages (mm_page_alloc, mm_page_free, ...); objects are replayed with -s workload.kernel.level=objects'
replay 0 "$kernel/filetree.perf.xz" -s workload.kernel.level=objects
has err 'filetree.perf.xz holds no events of objects (kmalloc'
replay 0 "$kernel/filetree.perf.xz"
empty err
replay 0 "$kernel/objects.mtr" -s workload.kernel.level=objects
empty err
replay 2 "$kernel/filetree.perf.xz" -s sim.warmup=10
has err "sim.warmup counts references of programs; a kernel's events are replayed whole; leave it out"

# Parts of a trace in which nothing lies, and traces without a good part: no empty file, no silence.
for part in '--from 99999999' '--thread 9' '--from 2 --count 5 --thread 9'; do
    # shellcheck disable=SC2086
    expect 2 trace slice "$small" part.mtr $part
    has err 'small.lackey: error: no record is in what was asked for'
    # shellcheck disable=SC2086
    expect 2 trace print "$small" $part
    empty out; has err 'no record is in what was asked for'
done
expect 2 trace print "$samples/gzip.mtr" --from 99999999 --no-names
has err 'no record is in what was asked for'
expect 2 trace print "$small" --from 99999999
has err ': there are 4,566, numbered from 0; mmulab trace info FILE tells'
expect 2 trace slice "$small" part.mtr --count 0; has err '--count: at least one record'
expect 1 trace convert --format champsim "$small" part.mtr; has err 'the first 0 records are good'
[ ! -e part.mtr ] || fail 'a trace of nothing was written'

# Comparing and drawing: what is not there, damaged, or not for this.
expect 0 run -q @functional -t "$small" -o one
expect 2 diff one one nosuchname; empty out; has err 'no statistic matches "nosuchname"; mmulab stats list names them'
expect 2 diff swept swept nosuchname; has err 'no statistic matches "nosuchname"'
expect 2 plot ipc one -z dma; has err '-z is for free_blocks, order_surface, unusable_index and extfrag_index'
expect 2 plot slab_bytes one; has err 'it is of runs that replay kernel objects'
expect 2 plot list swept; has err 'name the folder of a result; of a sweep that of a point'
cp -r one torn; head -c 3000 one/series.csv >torn/series.csv
expect 2 plot free_blocks torn; has err 'torn/series.csv:'; has err 'the file is cut off or damaged; simulate it again'
echo '{' >torn/stats.json
expect 2 plot free_blocks torn; has err 'torn/stats.json:2:1: error: '; has err '; the file is damaged; simulate it again'
if command -v gnuplot >/dev/null; then
    expect 0 sweep "$(dirname "$samples")/../configs/examples/sweep.json" -q -s sim.limit=3000 -o grid
    expect 0 plot sweep_heatmap grid -x stlb.entries -y dtlb.entries -f png # as docs/plots.md has it
fi

# A sweep's folder of somebody else: looked at without a right to write, not worked at.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$dir" && chmod -R a+rX,go-w swept
    for v in 'status 0' 'point 1 0' 'collect 1'; do
        # shellcheck disable=SC2086
        set -- $v
        want=$2; what=$1; shift 2
        setpriv --reuid=65534 --regid=65534 --clear-groups "$prog" "$what" swept "$@" >out 2>err
        got=$?
        [ $got = "$want" ] || { fail "$what of somebody else's sweep: exit $got"; cat out err; }
        [ "$want" = 0 ] || has err 'Permission denied'
    done
fi
echo '{' >swept/sweep.json
expect 1 status swept; has err 'this is no plan of a sweep; mmulab sweep CONFIG -o DIR plans it anew'

# A named checkpoint that is some other file: nobody is told to delete it.
echo 'my notes' >notes
expect 1 run -q -t "$small" -s sim.warmup=100 -s sim.warmup_mode=functional -s sim.checkpoint=notes -o ck
has err 'else name another file in sim.checkpoint'
[ "$(cat notes)" = 'my notes' ] || fail 'a file was changed that is no checkpoint'

verdict mistakes
