#!/bin/sh
# A sweep of 200 points that is killed ten times at random moments ends byte for byte as an undisturbed one.
# $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
cp "$samples/small.din" .
cat >sweep.json <<'END'
{
    "sim": { "mode": "functional", "interval": 1000000 },
    "sweep": {
        "axes": { "mmu.stlb.entries": {"from": 120, "to": 1200, "step": 120},
                  "mmu.dtlb.entries": [16, 32, 48, 64] },
        "traces": ["small.din"], "seeds": 5 }
}
END
"$prog" sweep sweep.json -q -j 2 -o "$dir/calm" || fail "the undisturbed sweep: $?"
points() { find "$1/points" -name stats.json 2>/dev/null | wc -l; }
[ "$(points calm)" = 200 ] || fail 'not 200 points'

# Each time up to eleven points more than before, and up to 30 ms: so it always runs still.
for i in 1 2 3 4 5 6 7 8 9 10; do
    random=$(od -An -N2 -tu2 /dev/urandom)
    until=$(($(points killed) + random % 12))
    "$prog" sweep sweep.json -q -j 2 -o "$dir/killed" &
    pid=$!
    while [ "$(points killed)" -lt $until ] && kill -0 $pid 2>/dev/null; do
        sleep 0.005
    done
    sleep "$(awk -v r="$random" 'BEGIN { printf "%.4f", r / 65536 * 0.03 }')"
    kill -9 $pid 2>/dev/null || fail "the sweep had ended before kill $i"
    wait $pid 2>/dev/null
done
# workers die with their sweep
n=0
while pgrep -f "point -q $dir/killed" >/dev/null && [ $n -lt 50 ]; do
    n=$((n + 1))
    sleep 0.1
done
[ $n -lt 50 ] || fail 'workers outlive their sweep'
there=$(points killed)
echo "killed ten times; $there of 200 points were there"
case $there in 0 | 200) fail 'it was not killed in the midst' ;; esac
"$prog" sweep sweep.json -q -j 2 -o "$dir/killed" || fail "the last sweep: $?"
diff -r -x host.json calm killed || fail 'the killed sweep ends with another result'
[ $failed = 0 ] && echo 'sweep_killed: ok'
exit $failed
