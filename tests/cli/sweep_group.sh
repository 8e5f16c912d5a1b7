#!/bin/sh
# Points that one decoder feeds give what points give that decode for themselves, byte for byte: in both modes, with limits, points
# that fail, crash or are killed, a decoder that is killed or crashes, Ctrl-C and SIGTERM. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0" # a crash is to look like one in a sanitizer build, too
shared() { grep -l '"decoding": "shared"' "$1"/points/*/host.json 2>/dev/null | wc -l; } # points of a folder that were in a group
same() { diff -r -x host.json "$1" "$2" >d || { fail "$1 and $2 differ"; head -n 20 d; }; }

# ---- the same results ----
"$prog" trace gen uniform -q -n 20000 --threads 2 -s size=1MiB -o two.mtr || fail gen
"$prog" trace gen zipf -q -n 60000 -s size=8MiB -o zipf.mtr || fail gen
cp "$samples/small.lackey" "$samples/small.maps.txt" "$samples/fork.mtt" .
head -c 90000 "$samples/gzip.mtr" >cut.mtr # fails after some records
cat >s.json <<'END'
{
    "memory": { "size": "64MiB" }, "output": { "memory_rows": 4 },
    "sweep": { "axes": { "cpu.count": [1, 2], "sim.mode": ["functional", "timed"] },
               "zip": [ { "mmu.stlb.entries": [120, 125, 240, 360], "sim.limit": [0, 0, 30000, 280000] } ],
               "traces": ["two.mtr", "zipf.mtr", "small.lackey", "fork.mtt", "cut.mtr"],
               "exclude": [ {"cpu.count": 2, "mmu.stlb.entries": [125, 240, 360]} ] }
}
END
run() { # run DIR OPTION...: 8 points a decoder unless the options say otherwise
    to=$1; shift
    "$prog" sweep s.json -q -o "$to" -s sim.share_points=8 "$@"
    echo $? >"$to.code"
}
run alone -j 2 -s sim.share_decoding=false
run two -j 2
"$prog" sweep s.json --backend commands -o by -s sim.share_points=8 >/dev/null 2>&1 || fail plan
"$prog" point by -q 0-39; echo $? >by.code # all of one core
for d in two by; do
    diff -r -x config.json -x host.json alone/points $d/points | grep -v '^Only in alone/points: 004' >d
    [ ! -s d ] || { fail "alone and $d differ"; head -n 20 d; }
    cmp alone.code $d.code || fail "exit codes: $(cat alone.code), $d $(cat $d.code)"
    [ $d = by ] || cmp alone/results.csv two/results.csv || fail "results.csv of $d"
done
[ "$(cat alone.code)" = 3 ] || fail "125 entries in ways and a trace that is cut off are no failures: $(cat alone.code)"
[ "$(shared alone)" = 0 ] || fail 'shared although told not to'
[ "$(shared by)" -ge 24 ] || fail "only $(shared by) points of one worker were in a group"
[ "$(shared two)" -ge 12 ] || fail "only $(shared two) points were in a group with -j 2"
grep -l '"decoding": "shared"' by/points/*/host.json | sed 's,host.json,config.json,' | xargs cat | tr -d ' \n' >flat
grep -q '"cpu":{"count":2' flat && fail 'a machine of two cores in a group'
grep -q '"cpu":{"count":1' flat || fail 'no machine of one core in a group'
# by default timed points of a native trace decode for themselves
"$prog" sweep s.json -q -j 1 -o usual -t zipf.mtr >/dev/null
grep -l '"decoding": "shared"' usual/points/*/host.json | sed 's,host.json,config.json,' | xargs cat | tr -d ' \n' >flat
grep -q '"sim":{"mode":"functional"' flat || fail 'no functional point in a group by default'
grep -q '"sim":{"mode":"timed"' flat && fail 'a timed point of a native trace in a group by default'

# ---- points and decoders that end before their time ----
"$prog" trace gen uniform -n 60000 -s size=16MiB -q -o long.mtr || fail gen
cat >t.json <<'END'
{
    "sim": { "mode": "timed", "interval": 500000, "share_points": 4 }, "output": { "memory_rows": 0 },
    "sweep": { "axes": { "mmu.stlb.entries": [120, 240, 360, 480, 600] }, "traces": ["long.mtr"] }
}
END
"$prog" sweep t.json -q -j 2 -o calm || fail "the undisturbed sweep: $?"
begin() { # begin DIR: one worker; returns when the third point of its first group runs
    "$prog" sweep t.json -j 1 -o "$@" >said 2>&1 &
    pid=$!
    worker=
    n=0
    while [ $n -lt 600 ]; do
        worker=$(pgrep -P $pid | head -n 1)
        [ -n "$worker" ] && [ "$(pgrep -P "$worker" | wc -l)" -ge 3 ] && return
        n=$((n + 1)); sleep 0.01
    done
    fail "$1: no group is begun"
}
ends() { # ends CODE: the sweep
    wait $pid; got=$?
    [ $got = "$1" ] || fail "exit $got, not $1: $(cat said)"
}

# One crashes: it alone fails; asked for again it is there.
begin crash
kill -SEGV "$(pgrep -P "$worker" | sed -n 2p)"
ends 3
has said '5 points: 4 ok, 1 failed'
[ "$(grep -c 'point 1 .*the simulator crashed: Segmentation fault' said)" = 1 ] || fail "not point 1 crashed: $(cat said)"
expect 0 sweep t.json -o crash --retry; has out '5 points: 5 ok'; has out '4 were there already'
same calm crash

# One is killed: it is simulated again, the others go on.
begin killed
kill -KILL "$(pgrep -P "$worker" | sed -n 2p)"
ends 0
has said '5 points: 5 ok'
same calm killed
[ "$(shared killed)" = 3 ] || fail "killed: $(shared killed) points were in a group, not 3 of the first 4"

# The decoder is killed: its points are simulated again, one by one, and none of them goes on meanwhile.
begin headless
points=$(pgrep -P "$worker")
kill -KILL "$worker"
for p in $points; do
    n=0
    while kill -0 "$p" 2>/dev/null && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.01; done
    [ $n -lt 200 ] || fail "point process $p outlives its decoder"
done
ends 0
has said '5 points: 5 ok'
same calm headless
[ "$(shared headless)" = 0 ] || fail 'after a lost group there was another'

# The decoder crashes: no point is to blame, and none is blamed.
begin broken
kill -SEGV "$worker"
ends 0
has said '5 points: 5 ok'
[ ! -e broken/failed ] || fail 'a point is blamed for its decoder'
same calm broken

# Ctrl-C in the first half: one point of the group is finished, what there is of the others is kept, the fifth is not begun.
begin stopped
kill -INT $pid
ends 130
has said 'each worker finishes a point, more of them where that takes no longer; Ctrl-C again ends them'
has said '5 points: 1 ok'
[ -e "stopped/points/$(ls calm/points | sed -n 5p)" ] && fail 'a point was begun after Ctrl-C'
expect 0 sweep t.json -o stopped; has out '1 were there already'
same calm stopped

# SIGTERM: what there is of each point is kept as partial, and simulated again.
begin ended
kill -TERM $pid
ends 143
partial=$(grep -l '"complete": false' ended/points/*/stats.json | wc -l)
[ "$partial" -ge 3 ] || fail "$partial partial results of at least 3 points that ran"
expect 0 sweep t.json -o ended
same calm ended

# A worker of its own, told to end: the same, and it says which signal it was.
"$prog" sweep t.json --backend commands -o own >/dev/null || fail plan
"$prog" point own 0-4 >said 2>&1 &
pid=$!
n=0
while [ "$(pgrep -P $pid | wc -l)" -lt 3 ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.01; done
kill -TERM $pid
ends 143
expect 0 point own 0-4; has out 'point 4: simulated'
expect 0 point own 0-4; has out 'point 0: there already'
diff -r -x host.json calm/points own/points >d || { fail 'calm and own differ'; head -n 20 d; }

# Two workers at the same points do no harm: one has each, and a trace that changed fails the points, in a group, too.
"$prog" sweep t.json --backend commands -o both >/dev/null || fail plan
"$prog" point both -q 0-4 & pid=$!
expect 0 point both 0-4
wait $pid || fail "the other worker: $?"
diff -r -x host.json calm/points both/points >d || { fail 'calm and both differ'; head -n 20 d; }
"$prog" sweep t.json --backend commands -o changed >/dev/null || fail plan
touch -d '2001-01-01' long.mtr
expect 3 point changed 0-4; has out 'was changed after the sweep was planned'
verdict sweep_group
