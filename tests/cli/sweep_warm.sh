#!/bin/sh
# Points that share a warm-up give what points give that do not: with any number of processes, killed in between, on other paths.
# $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
cat >s.json <<END
{
    "sim": { "warmup": 400000, "limit": 500000, "warmup_mode": "functional" },
    "sweep": { "axes": { "mmu.dtlb.entries": [32, 64], "cache.l2.latency": ["12cyc", "14cyc", "20cyc"], "dram.channels": [1, 2] },
               "traces": ["$samples/gzip.mtr"] }
}
END
count() { cat "$1"/points/*/host.json | grep -c "\"warm_up\": \"$2\""; }
# what was told, and the key that says whether to share, differ
same() {
    diff -r -x host.json -x config.json "$1/points" "$2/points" >d || { fail "$1 and $2 differ"; head -n 20 d; }
    cmp "$1/results.csv" "$2/results.csv" || fail "results.csv of $1 and $2 differ"
    cmp "$1/summary.csv" "$2/summary.csv" || fail "summary.csv of $1 and $2 differ"
}
"$prog" sweep s.json -q -j 2 -o alone -s sim.share_warmup=false || fail 'alone'
"$prog" sweep s.json -q -j 2 -o shared || fail 'shared'
"$prog" sweep s.json -q -j 1 -o other/one || fail 'shared, one process'
[ "$(count alone simulated) $(count shared saved) $(count shared loaded)" = '12 2 10' ] ||
    fail "$(count alone simulated) alone, $(count shared saved) saved, $(count shared loaded) loaded"
[ ! -e shared/warm ] || fail 'states are left although all points are there'
[ ! -e alone/warm ] || fail 'states are made although nobody shares'
same alone shared
same alone other/one
# points by themselves, in any order; a state cut off by a full disk or a broken host is made anew
"$prog" sweep s.json --backend commands -o by >/dev/null || fail 'plan'
"$prog" point by 3 -q || fail 'point 3'
[ "$(find by/warm -name '*.warm' | wc -l)" = 1 ] || fail 'no state'
for f in by/warm/*.warm; do head -c 9000 "$f" >cut.bytes; cp cut.bytes "$f"; done
"$prog" point by 7-11 -q || fail 'points 7 to 11'
"$prog" point by 2 -q || fail 'point 2'
"$prog" sweep s.json -q -j 2 -o by || fail 'rest'
same alone by
# nothing to share: no state is made
sed 's/, "cache.l2.latency.*1, 2\]//' s.json >n.json
"$prog" sweep n.json -q -o none || fail 'none'
[ "$(count none simulated)" = 2 ] || fail 'a state was made for one point alone'
[ $failed = 0 ] && echo 'sweep_warm.sh: all passed'
exit $failed
