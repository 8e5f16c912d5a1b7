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
from=$(date +%s%N)
"$prog" sweep sweep.json -q -j 2 -o "$dir/calm" || fail "the undisturbed sweep: $?"
took=$(($(date +%s%N) - from))
[ "$(find calm/points -name stats.json | wc -l)" = 200 ] || fail 'not 200 points'

hits=0
for _ in 1 2 3 4 5 6 7 8 9 10; do
    "$prog" sweep sweep.json -q -j 2 -o "$dir/killed" &
    pid=$!
    random=$(od -An -N2 -tu2 /dev/urandom)
    # on the average the ten together last 0.7 of an undisturbed sweep
    sleep "$(awk -v r="$random" -v t="$took" 'BEGIN { printf "%.3f", r / 65536 * t / 7e9 }')"
    kill -9 $pid 2>/dev/null && hits=$((hits + 1))
    wait $pid 2>/dev/null
done
[ $hits -ge 3 ] || fail "only $hits of ten were still running when they were killed"
# workers die with their sweep
n=0
while pgrep -f "point -q $dir/killed" >/dev/null && [ $n -lt 50 ]; do
    n=$((n + 1))
    sleep 0.1
done
[ $n -lt 50 ] || fail 'workers outlive their sweep'
echo "killed $hits times; $(find killed/points -name stats.json 2>/dev/null | wc -l) of 200 points were there"
"$prog" sweep sweep.json -q -j 2 -o "$dir/killed" || fail "the last sweep: $?"
diff -r -x host.json calm killed || fail 'the killed sweep ends with another result'
[ $failed = 0 ] && echo 'sweep_killed: ok'
exit $failed
