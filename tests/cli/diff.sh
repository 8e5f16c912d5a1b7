#!/bin/sh
# `mmulab diff`: what differs is said and nothing else, conditions decide the exit code. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

for n in a b; do "$prog" run -q -t "$samples/small.lackey" -o $n || fail "run"; done
"$prog" run -q -t "$samples/small.lackey" -s mmu.dtlb.entries=4 -s mmu.dtlb.ways=4 -o c || fail "run"

# a run is equal to itself
expect 0 diff a b; has out 'parameters: equal'; has out 'statistics: 0 of'
expect 0 diff a b --fail-if 'cpu0.dtlb.misses!=+0'
# what changed comes first, then what came of it, with exact numbers
expect 0 diff a c; has out 'mmu.dtlb.entries  64 -> 4'; has out 'cpu0.dtlb.misses'; hasnt out 'sim.references '
head -n 1 out | grep -q '^parameters:' || fail "parameters do not come first"
a=$("$prog" stats show a cpu0.dtlb.misses | awk '$1 == "cpu0.dtlb.misses" { print $2 }')
c=$("$prog" stats show c cpu0.dtlb.misses | awk '$1 == "cpu0.dtlb.misses" { print $2 }')
awk -v a="$a" -v c="$c" '$1 == "cpu0.dtlb.misses" && $2 == a && $4 == c && $5 == "+" c - a { ok = 1 } END { exit !ok }' out ||
    fail "dtlb misses of $a and $c are not told"
expect 0 diff a c --all; has out 'sim.references '
# a histogram: how many values, and in how many buckets their numbers differ
"$prog" run -q -t "$samples/small.lackey" -s cpu.model=inorder -o h || fail "run"
expect 0 diff a h '*walker.latency.buckets'
grep -qE 'walker.latency.buckets  +[0-9]+ values -> +[0-9]+ values  in [1-9][0-9]* of [1-9][0-9]* buckets$' out || fail "of a histogram: $(cat out)"
# conditions
expect 1 diff a c --fail-if 'cpu0.dtlb.misses>+2%'; has out 'FAIL: cpu0.dtlb.misses>+2%'
expect 0 diff c a --fail-if 'cpu0.dtlb.misses>+2%'
expect 1 diff a c --fail-if "cpu*.dtlb.misses>=$c"
expect 0 diff a c --fail-if "cpu*.dtlb.misses>$c"
# mistakes
expect 2 diff a; has err 'two result folders'
expect 2 diff a nowhere; has err 'nowhere'
expect 2 diff a c --fail-if 'cpu0.dtlb.mises>2'; has err 'did you mean "cpu0.dtlb.misses"'
expect 2 diff a c --fail-if 'cpu0.dtlb.misses'; has err 'no comparison'
expect 2 diff a b c d; has err left
expect 2 diff a b --above; has err 'needs a value'
# JSON is JSON, numbers are numbers
expect 0 diff a c --json
python3 -c '
import json, sys
d = json.load(open("out"))
assert any(p["name"] == "mmu.dtlb.entries" and p["a"] == 64 and p["b"] == 4 for p in d["parameters"])
assert any(s["name"] == "cpu0.dtlb.misses" and s["b"] == int(sys.argv[1]) for s in d["statistics"])' "$c" || fail "json"
verdict diff
