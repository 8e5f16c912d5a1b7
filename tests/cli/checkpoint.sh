#!/bin/sh
# A run that loads its warm state writes what the run writes that warms up itself, byte for byte, host.json apart; refusals say
# what differs. $1: the program; $2: the source folder. Recorded traces in $MMULAB_DATA are used too where they are.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
src=$samples
data=${MMULAB_DATA:-$src/../shared}
s=$src/traces/samples
n=0
warm() { grep -o '"warm_up": "[a-z]*"' "$1/host.json" | cut -d'"' -f4; }

# same ARG...: without a checkpoint, saving one, loading it
same() {
    n=$((n + 1))
    set -- -q "$@" -s sim.warmup_mode=functional
    "$prog" run -o alone "$@" || fail "run $*"
    "$prog" run -o saves "$@" -s "sim.checkpoint=states/" || fail "saving: run $*"
    "$prog" run -o loads "$@" -s "sim.checkpoint=states/" || fail "loading: run $*"
    [ "$(warm alone) $(warm saves) $(warm loads)" = "simulated saved loaded" ] || fail "run $*: $(warm alone), $(warm saves), $(warm loads)"
    diff -r -x host.json saves loads || fail "loaded, the result is another: $*"
    diff -r -x host.json -x config.json alone loads || fail "without a checkpoint the result is another: $*"
    [ -s loads/events.jsonl ] || fail "no event: $*"
}
# references behind a mark, whose files of proc/ are part of the warm state
{ sed '/^exit 0 1/d' "$s/fork.mtt"; printf 'I 401010 4\nS 7f0000000040 8\nI 401014 4\nexit 0 1\n'; } >marks.mtt
for mode in timed functional; do
    same -t marks.mtt -s sim.mode=$mode -s sim.warmup=7
    [ -n "$(ls loads/proc/marks)" ] || fail "no mark"
    same -t "$s/gzip.mtr" -s sim.mode=$mode -s sim.warmup=2000000
    same -t "$s/gzip.mtr" -s sim.mode=$mode -s sim.warmup=300001 -s sim.measure=200000 -s sim.interval=7000 --check
    same -t "$s/small.lackey" -s sim.mode=$mode -s sim.warmup=3000 # its identity is computed while it is read
    same -t "$s/fork.mtt" -s sim.mode=$mode -s sim.warmup=3
    same -t "$s/fork.mtr" -s sim.mode=$mode -s sim.warmup=34200 -s vm.strict=true --check # the child lives, pages are shared
    same -t "$s/fork.mtr" -s sim.mode=$mode -s sim.warmup=34000 -s vm.page_size=2MiB --check
    same -t "$s/gzip.mtr" -t "$s/small.lackey" -t "$s/small.din" -s cpu.count=2 -s sim.mode=$mode -s sim.warmup=250000 \
        -s sim.limit=700000 -s sim.quantum=77
    same -t "$s/gzip.mtr" -t "$s/small.champsim.xz" -s sim.mode=$mode -s sim.warmup=123456 -s sim.limit=400000 \
        -s mmu.stlb.replacement=random -s cache.llc.replacement=srrip -s cache.l1d.replacement=tree_plru -s memory.size=64MiB
    same -t "$s/gzip.mtr" -s mmu.enabled=false -s sim.mode=$mode -s sim.warmup=1000000 -s sim.limit=1500000
    t=$data/traces/user/sort.lackey.zst
    [ ! -f "$t" ] || same -t "$t" -s sim.mode=$mode -s sim.warmup=400000 -s sim.limit=900000
done

# points that differ in times alone share one state; others do not
set -- -q -t "$s/gzip.mtr" -s sim.warmup=1000000 -s sim.limit=1200000 -s sim.warmup_mode=functional -s sim.checkpoint=shared/ -s sim.interval=10000 -s output.memory_rows=0
"$prog" run -o one "$@"
for set in cache.l2.latency=20cyc dram.channels=2 cpu.window=64 cpu.model=inorder bus.arbiter=fixed_priority cpu.frequency=2GHz \
    mmu.walkers=1 vm.fault_cycles=5000cyc sim.limit=1300000 sim.window=3; do
    "$prog" run -o two "$@" -s $set
    [ "$(warm two)" = loaded ] || fail "$set does not share the state"
    "$prog" run -o three "$@" -s $set -s sim.checkpoint=none$n/
    [ "$(warm three)" = saved ] || fail "$set: saved"
    diff -r -x host.json -x config.json two three || fail "$set: the shared state gives another result"
    n=$((n + 1))
done
for set in mmu.dtlb.entries=128 sim.seed=2 sim.warmup=1000001 memory.size=2GiB cache.l1d.replacement=fifo; do
    "$prog" run -o two "$@" -s $set
    [ "$(warm two)" = saved ] || fail "$set shares the state"
done

# two at once: one makes it
"$prog" run -o p1 "$@" -s sim.seed=9 & "$prog" run -o p2 "$@" -s sim.seed=9; wait
case "$(warm p1) $(warm p2)" in "saved loaded" | "loaded saved") ;; *) fail "two at once: $(warm p1), $(warm p2)" ;; esac
diff -r -x host.json p1 p2 || fail "two at once differ"

# refusals
refuse() { # refuse CODE TEXT ARG...
    code=$1 text=$2; shift 2
    "$prog" run -q -t "$s/gzip.mtr" -o bad "$@" 2>message
    got=$?
    [ $got = "$code" ] || fail "$*: exit $got, not $code"
    grep -qF "$text" message || fail "$*: $(cat message)"
    [ ! -e bad/stats.json ] || fail "$*: there is a result"
}
fun='-s sim.warmup_mode=functional'
# shellcheck disable=SC2086
{
    "$prog" run -q -t "$s/gzip.mtr" -o one -s sim.warmup=400000 $fun -s sim.checkpoint=named.warm -s sim.limit=500000
    refuse 2 'mmu.dtlb.entries is 64 there and 128 here' -s sim.warmup=400000 $fun -s sim.checkpoint=named.warm -s mmu.dtlb.entries=128
    refuse 2 'trace1 is absent there' -s sim.warmup=400000 $fun -s sim.checkpoint=named.warm -t "$s/small.din"
    refuse 2 'the warm-up is timed' -s sim.warmup=400000 -s sim.checkpoint=named.warm
    refuse 2 'there is no warm-up' -s sim.checkpoint=named.warm
    head -c 5000 named.warm >cut.warm
    refuse 1 'cut off or altered' -s sim.warmup=400000 $fun -s sim.checkpoint=cut.warm
    echo 'no checkpoint at all, but long enough' >text.warm
    refuse 1 'no checkpoint of mmulab' -s sim.warmup=400000 $fun -s sim.checkpoint=text.warm
}
# in a folder a damaged one is made anew
for f in shared/*.warm; do head -c 3000 "$f" >cut.bytes; cp cut.bytes "$f"; done
"$prog" run -o two "$@"
[ "$(warm two)" = saved ] || fail "a damaged state in a folder was not made anew"
"$prog" run -o two "$@"
[ "$(warm two)" = loaded ] || fail "the one made anew is not loaded"

[ $failed = 0 ] && echo "checkpoint.sh: all passed"
exit $failed
