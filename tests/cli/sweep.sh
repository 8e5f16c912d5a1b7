#!/bin/sh
# `mmulab sweep`, point, status, collect: what is simulated again and what is not, failures, exit codes, other paths.
# $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
same() { diff -r -x host.json "$1" "$2" >d || { fail "$1 and $2 differ"; head -n 20 d; }; }
point() { echo "$1"/points/"$2"-*; }
cp "$samples/small.din" "$samples/small.pin" .

config() { # config ENTRIES: a small sweep over these values
    cat >s.json <<END
{
    "sim": { "mode": "functional", "interval": 1000000 },
    "sweep": {
        "axes": { "mmu.stlb.entries": [$1] },
        "zip": [ {"cache.llc.size": ["2MiB", "4MiB"], "cache.llc.latency": ["30cyc", "36cyc"]} ],
        "traces": ["small.din", "small.pin"], "seeds": 2,
        "exclude": [ {"trace": "small.pin", "cache.llc.size": "4MiB"} ] }
}
END
}

# mistakes: exit 2, nothing written
config '120, 240'
expect 2 sweep @default -o x; has err 'nothing is varied'
expect 2 sweep s.json -j 0; has err -j
expect 2 sweep s.json -j 1025; has err '1 to 1024'
expect 2 sweep s.json --backend moon; has err 'local or commands'
expect 2 sweep nothing.json; has err nothing.json
expect 2 sweep s.json -t missing.mtr -o x; has err missing.mtr
expect 2 sweep -s 'sweep={"axes": {"mmu.stlb.entreis": [1]}}' -o x; has err 'did you mean "entries"'
expect 2 sweep -s 'sweep={"axis": {}}' -o x; has err 'did you mean "axes"'
expect 2 sweep -s 'sweep={"axes": {"memory.size": ["1GB"]}}' -o x; has err 1GiB
expect 2 status .; has err 'no folder of a sweep'
expect 2 point; expect 2 status; expect 2 collect
[ ! -e x ] || fail 'a folder was made'
mkdir foreign; : >foreign/file
expect 2 sweep s.json -o foreign; has err 'holds something else'
for verb in sweep point status collect; do expect 0 $verb --help; has out "usage: mmulab $verb"; empty err; done

# a dry run writes nothing
expect 0 sweep s.json --dry-run -o one; has out '12 points, 12 to simulate'; has out estimate
[ ! -e one ] || fail 'a dry run made the folder'

# processes and paths do not matter
expect 0 sweep s.json -j 1 -o one; has out '12 points: 12 ok'; empty err
expect 0 sweep s.json -j 2 -o other/path/two
same one other/path/two
[ "$(wc -l <one/results.csv)" = 13 ] || fail 'results.csv has not 12 rows'
hasnt one/results.csv "$dir"
grep -q '^120,2MiB,30cyc,small.din,sim.references,2,[0-9]*,0,0$' one/summary.csv || fail 'summary.csv'
expect 0 status one; has out '12 points: 12 ok'
# a point is what `mmulab run` makes of the same values
"$prog" run -q -s sim.mode=functional -s sim.interval=1000000 -s mmu.stlb.entries=120 -s cache.llc.size=2MiB \
    -s cache.llc.latency=30cyc -t small.din -o alone || fail 'run'
for f in stats.json series.csv proc/buddyinfo; do cmp alone/$f "$(point one 0000)/$f" || fail "a point's $f is not a run's"; done

# what is there is not simulated again, what is not is
id() { stat -c %i "$(point one 0003)"/stats.json; }
before=$(id)
expect 0 sweep s.json -o one; has out '12 were there already'
rm -r one/points/0005-*
expect 0 sweep s.json -o one; has out '11 were there already'
[ "$before" = "$(id)" ] || fail 'a finished point was simulated again'
same one other/path/two
# more values: the old points are taken over under their new numbers; as from the start
config '60, 120, 240'
expect 0 sweep s.json -o one; has out '18 points: 18 ok; 12 were there already'
expect 0 sweep s.json -o fresh
same one fresh
# fewer values: kept apart, and taken back
config '120, 240'
expect 0 sweep s.json -o one; has err '6 results of an earlier plan are kept in one/old'
diff -r -x host.json -x old one other/path/two || fail 'with fewer values'
config '60, 120, 240'
expect 0 sweep s.json -o one; has out '18 were there already'
same one fresh
# another seed, another trace
cp small.din x; cat x >>small.din
expect 0 sweep s.json -o one; has out '6 were there already'
cp x small.din

# a plan is frozen: the configuration may change, the trace may not
config '120'
expect 0 sweep s.json --backend commands -o later
[ "$(wc -l <out)" = 6 ] || fail 'not 6 commands'
config '360'
sh out >o2 2>&1 || fail "commands: $(cat o2)"
[ "$(grep -c simulated o2)" = 6 ] || fail 'not 6 points simulated by the commands'
expect 0 collect later; has out '6 points: 6 ok'
[ "$(grep -c '^000[0-9]*-[0-9a-f]*,120,' later/results.csv)" = 6 ] || fail 'not the values that were planned'
expect 0 point later 0-5; [ "$(grep -c 'there already' out)" = 6 ] || fail 'points are simulated again'
expect 2 point later 6; has err 'there is no point 6'
expect 2 point later 3-1; expect 2 point later x

# two workers at one point
rm -r later/points
"$prog" point later 0-5 >o1 & "$prog" point later 0-5 >o2 || fail 'the second worker'
wait $! || fail 'the first worker'
[ "$(cat o1 o2 | grep -c simulated)" = 6 ] || { fail 'points were simulated twice, or not at all'; cat o1 o2; }

# partly there
rm -r later/points/0002-* later/points/0004-*
expect 0 status later; has out '4 ok, 2 missing'
expect 0 collect later; has out '4 ok, 2 missing'
[ "$(grep -c ',missing,' later/results.csv)" = 2 ] || fail 'missing points in results.csv'

# failures: values that cannot work together, a trace that breaks
config '100, 120'
head -c 9000 "$samples/gzip.mtr" >broken.mtr
expect 3 sweep s.json -t small.din -t broken.mtr -s 'sim.limit=100000' -o bad
has out '100 entries cannot be arranged'; has out 'broken.mtr'; has err 'cannot work'
[ "$(grep -c ',failed,' bad/results.csv)" -ge 6 ] || fail 'failed points in results.csv'
hasnt bad/results.csv "$dir"
expect 3 status bad; has out '100 entries cannot be arranged'
expect 3 sweep s.json -t small.din -t broken.mtr -s 'sim.limit=100000' -o worse -j 1
same bad worse
# a failure stays until it is asked for again
config 120
expect 0 sweep s.json -o again
hash=$(basename "$(point again 0001)"); hash=${hash#*-}
rm -r again/points/0001-*; mkdir again/failed
printf '{"tool": "mmulab", "reason": "the moon was full"}\n' >"again/failed/$hash.json"
expect 3 sweep s.json -o again; has out 'the moon was full'
expect 3 point again 1; has out 'the moon was full'
expect 0 sweep s.json -o again --retry; has out '6 points: 6 ok'
[ ! -e again/failed ] || fail 'a failure that is mended stays'

# a signal ends it cleanly and it goes on
"$prog" trace gen uniform -n 1000000 -s size=64MiB -o long.mtr >o1 2>&1 || fail 'trace gen'
expect 0 sweep s.json -t long.mtr -j 2 -o calm
"$prog" sweep s.json -t long.mtr -j 1 -o ended >o1 2>&1 &
pid=$!
n=0
while [ ! -d ended/points ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.05; done
kill -TERM $pid
wait $pid
[ $? = 143 ] || { fail 'SIGTERM: not 143'; cat o1; }
has o1 'goes on'
expect 0 sweep s.json -t long.mtr -j 2 -o ended
same calm ended
verdict sweep
