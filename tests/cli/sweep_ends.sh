#!/bin/sh
# Sweeps that do not go smoothly: a worker crashes, a worker is killed, Ctrl-C, a disk that becomes full. What was finished stays, it is
# said how to go on, and the end is byte for byte that of an undisturbed sweep. A process a point; sweep_group.sh does the same with several. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0" # a crash is to look like one in a sanitizer build, too
same() { diff -r -x host.json "$1" "$2" >d || { fail "$1 and $2 differ"; head -n 20 d; }; }
"$prog" trace gen uniform -n 500000 -s size=64MiB -o long.mtr >out 2>err || fail 'trace gen'
cat >s.json <<'END'
{
    "sim": { "mode": "functional", "interval": 500000, "share_points": 1 }, "output": { "memory_rows": 0 },
    "sweep": { "axes": { "mmu.stlb.entries": [120, 240, 360, 480, 600, 720] }, "traces": ["long.mtr"] }
}
END
expect 0 sweep s.json -q -j 2 -o calm
begin() { # begin DIR OPTION...: a sweep in the background, one process at a time; returns when its first point is there
    to=$1; shift
    rm -f said
    # Not of this shell's making alone: a shell without job control starts its children deaf to Ctrl-C.
    "$prog" sweep s.json -j 1 -o "$to" "$@" >said 2>&1 &
    pid=$!
    n=0
    while [ -z "$(find "$to/points" -name stats.json 2>/dev/null | head -n 1)" ] && [ $n -lt 600 ]; do n=$((n + 1)); sleep 0.02; done
}
worker() { # its worker's pid, another than $1
    n=0
    while [ $n -lt 300 ]; do
        w=$(pgrep -P $pid 2>/dev/null | head -n 1)
        [ -n "$w" ] && [ "$w" != "${1:-}" ] && break
        n=$((n + 1)); sleep 0.02
    done
    echo "$w"
}

hit() { # hit SIGNAL: its worker, or the next one where that has just ended
    tries=0
    until kill -"$1" "$(worker)" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { fail "no worker for SIG$1"; return; }
    done
}

# A worker that crashes: its point fails, saying how; the others run; asked for again it is there.
begin crash
hit SEGV
wait $pid; got=$?
[ $got = 3 ] || fail "after a crash: exit $got, not 3: $(cat said)"
has said 'the simulator crashed: Segmentation fault'
has said '6 points: 5 ok, 1 failed'
grep -c ',failed,"\{0,1\}the simulator crashed: Segmentation fault' crash/results.csv >out
[ "$(cat out)" = 1 ] || fail 'the crash is not in results.csv'
expect 3 sweep s.json -o crash; has out '5 were there already'
expect 0 sweep s.json -o crash --retry; has out '6 points: 6 ok'
same calm crash

# A worker that is killed from outside is started again.
begin killed
hit KILL
wait $pid; got=$?
[ $got = 0 ] || fail "after a kill: exit $got: $(cat said)"
has said '6 points: 6 ok'
same calm killed
# ... three times, then the point stays missing, and that is said.
begin thrice
last=
for _ in 1 2 3; do
    last=$(worker "$last")
    kill -KILL "$last" 2>/dev/null
done
wait $pid; got=$?
has said 'points: '
[ $got = 0 ] || has said 'killed again and again'
expect 0 sweep s.json -o thrice
same calm thrice

# Ctrl-C: no more points are begun, those that run are finished, and it says so.
begin stopped
kill -INT $pid
wait $pid; got=$?
[ $got = 130 ] || fail "Ctrl-C: exit $got, not 130: $(cat said)"
has said 'the same command goes on'
there=$(find stopped/points -name stats.json | wc -l)
{ [ "$there" -ge 1 ] && [ "$there" -lt 6 ]; } || fail "Ctrl-C: $there of 6 points are there"
[ "$(grep -l '"complete": true' stopped/points/*/stats.json | wc -l)" = "$there" ] || fail 'Ctrl-C leaves a point that is not complete'
grep -q "$there ok, $((6 - there)) missing" said || fail "Ctrl-C says: $(cat said)"
expect 0 status stopped; has out "$there ok, $((6 - there)) missing"
expect 0 sweep s.json -o stopped --dry-run; has out "$((6 - there)) to simulate"; has out "estimate from $there finished points"; has out '  disk '
expect 0 sweep s.json -o stopped; has out "$there were there already"
same calm stopped

# A full disk: it cannot go on, says why and how; with space it goes on.
cat >full.sh <<'S'
prog=$1
mkdir -p small && mount -t tmpfs -o size=200k tmpfs small || exit 77
"$prog" sweep s.json -j 1 -o small/out >said.full 2>&1
echo $? >code.full
mount -o remount,size=64m small
"$prog" sweep s.json -j 2 -o small/out >said.more 2>&1
echo $? >code.more
cp -r small/out full
S
own='-m'
[ "$(id -u)" = 0 ] || own='-r -m'
# shellcheck disable=SC2086
if unshare $own sh full.sh "$prog" 2>mount.txt || [ -e code.full ]; then
    [ "$(cat code.full)" = 1 ] || fail "on a full disk: exit $(cat code.full), not 1: $(cat said.full)"
    has said.full 'No space left on device'
    [ "$(cat code.more)" = 0 ] || fail "with more space: exit $(cat code.more): $(cat said.more)"
    same calm full
else
    echo "left out: no small file system to be had here ($(tail -n 1 mount.txt))"
fi
verdict sweep_ends
