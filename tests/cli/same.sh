#!/bin/sh
# What must not matter: the output path, sim.window; and, with one instruction in flight, time itself.
# $1: the program; $2: the source folder. Recorded traces in $MMULAB_DATA are used too where they are.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
src=$samples
data=${MMULAB_DATA:-$src/../shared}
run() { # run FOLDER ARG...
    out=$1; shift
    rm -rf "$out"
    "$prog" run -q -o "$out" "$@" || fail "run $*"
}
gzip=$src/traces/samples/gzip.mtr

# the same run, another path: all but host.json byte-identical
run one -t "$gzip"
mkdir -p a/b
run a/b/two -t "$gzip"
diff -r -x host.json one a/b/two || fail 'another output path gives another result'
run one -t "$gzip" -t "$src/traces/samples/small.lackey" -s cpu.count=2 -s sim.seed=7 -s mmu.stlb.replacement=random
run a/b/two -t "$gzip" -t "$src/traces/samples/small.lackey" -s cpu.count=2 -s sim.seed=7 -s mmu.stlb.replacement=random
diff -r -x host.json one a/b/two || fail 'two processes: another output path gives another result'

# windows
set -- -t "$gzip" -t "$src/traces/samples/small.lackey" -s cpu.count=2 -s sim.limit=600000
run w0 "$@"
for w in 1 7; do
    run w$w "$@" -s sim.window=$w
    diff w0/series.csv w$w/series.csv || fail "sim.window=$w: another series"
    # the hash of the configuration differs, nothing else
    grep -v config_hash w0/stats.json >x
    grep -v config_hash w$w/stats.json >y
    diff x y || fail "sim.window=$w: other statistics"
done

# One instruction in flight: timed and functional machines see the same stream. Time and what only time has is left out.
counters() {
    "$prog" stats show "$1" |
        awk '$1 !~ /cycles|ipc$|^bus\.|^dram\.|latency|mshr|walker\.merges|wait_ps/ && $1 !~ /^time/ { print $1, $2 }'
}
equal() { # equal TRACE [OPTION]...
    run t -s sim.limit=1500000 -s cpu.window=1 -t "$@"
    run f -s sim.limit=1500000 -s sim.mode=functional -t "$@"
    counters t >x
    counters f >y
    [ "$(wc -l <x)" -gt 100 ] || fail 'few counters'
    diff x y >d || { fail "$(basename "$1"): timed and functional differ"; head -n 20 d; }
}
for f in "$src"/traces/samples/*; do
    [ -f "$f" ] || continue # folders hold recordings of kernels
    case $f in *.md | *.c | *.maps.txt) ;; *) equal "$f" ;; esac
done
# Caches so small that the last level evicts all the time, every policy: back-invalidations must come in the same order.
"$prog" trace gen uniform -n 50000 -s size=8MiB -s store_fraction=0.3 -o u.mtr
for policy in lru tree_plru srrip fifo random; do
    set --
    for level in cache.l1i cache.l1d cache.l2 cache.llc mmu.dtlb; do set -- "$@" -s "$level.replacement=$policy"; done
    for level in l1i=4KiB l1d=4KiB l2=32KiB llc=64KiB; do set -- "$@" -s "cache.${level%=*}.size=${level#*=}"; done
    equal u.mtr "$@"
    equal "$src/traces/samples/gzip.mtr" "$@" -s mmu.walker.entry=l2 -s memory.size=2MiB -s sim.limit=300000
done
if [ -d "$data/traces/user" ]; then
    for f in "$data"/traces/user/*.lackey.zst; do equal "$f"; done
else
    echo 'recorded traces: skipped, no MMULAB_DATA'
fi
[ $failed = 0 ] && echo 'same: ok'
exit $failed
