#!/bin/sh
# `mmulab diff` of two sweeps: points by axes, trace and seed; parameters, changes, conditions that name the point. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
sweep() { # NAME ENTRIES ... : options
    name=$1; entries=$2; shift 2
    printf '{ "sim": {"mode": "functional"}, "sweep": { "axes": {"mmu.dtlb.entries": [%s]}, "traces": ["%s/small.lackey"], "seeds": 2 } }\n' \
        "$entries" "$samples" >"$name.json"
    "$prog" sweep "$name.json" -o "$name" -q "$@" || [ $? = 3 ] || fail "sweep $name"
}

sweep a '4, 8, 16'
cp -r a same
sweep b '4, 8, 16' -s cache.l1d.size=16KiB
sweep c '8, 16, 32'
sweep other '64'

# a sweep is equal to itself
expect 0 diff a same --fail-if 'cpu0.dtlb.misses!=+0'
has out 'parameters: equal but for the axes'; has out 'points: 6 matched'; has out 'statistics: 0 of'
# a changed base parameter comes first, then what came of it, with the worst point by name
expect 0 diff a b
head -n 2 out | grep -qF 'cache.l1d.size  (default) -> 16KiB' || { fail "parameters are not first"; head out; }
has out 'cpu0.l1d.misses'; hasnt out '  sim.references '
grep -qE '^  cpu0\.l1d\.misses +6 of 6 points  mean \+[0-9.]+ %  largest \+[0-9.]+ %  \([0-9]+ -> [0-9]+ at mmu\.dtlb\.entries [0-9]+, trace small\.lackey, seed [12]\)$' out ||
    { fail "the line of the misses is"; grep l1d.misses out; }
# its numbers are those of the table
if command -v sqlite3 >/dev/null; then
    for s in a b; do
        sqlite3 $s/results.sqlite "SELECT id, value FROM runs JOIN statistics ON run = id WHERE name = 'cpu0.l1d.misses' ORDER BY id" | tr '|' ' ' >$s.txt
    done
    want=$(paste -d' ' a.txt b.txt | awk '{ p = ($4 - $2) / $2 * 100; sum += p; if (p > most) most = p } END { printf "mean +%.2f %%  largest +%.2f %%", sum / NR, most }')
    has out "$want"
fi
# points that only one has, and --json
expect 0 diff a c
has out 'points: 4 matched, 2 only in a, 2 only in c'
has out 'only in a: mmu.dtlb.entries 4, trace small.lackey, seed 1'
has out 'only in c: mmu.dtlb.entries 32, trace small.lackey, seed 2'
expect 0 diff a b --json
python3 -c '
import json
d = json.load(open("out"))
assert d["parameters"] == [{"name": "cache.l1d.size", "a": None, "b": "16KiB", "points": 6}], d["parameters"]
s = [s for s in d["statistics"] if s["name"] == "cpu0.l1d.misses"][0]
assert s["differ"] == 6 and s["mean_percent"] > 0 and s["a"] < s["b"] and "seed" in s["at"]
assert d["matched"] == 6 and d["failed"] == []' || fail json
# conditions hold point by point
expect 1 diff a b --fail-if 'cpu0.l1d.misses>+1%'
[ "$(grep -c '^FAIL: cpu0.l1d.misses>+1%: cpu0.l1d.misses is .* at mmu.dtlb.entries' out)" = 6 ] || { fail "six failures"; grep FAIL out; }
expect 0 diff b a --fail-if 'cpu0.l1d.misses>+1%'
expect 0 diff a b 'l1d.misses' --above 100000; has out 'statistics: 0 of'
# a point that has no result any more fails
expect 0 diff a b
if command -v sqlite3 >/dev/null; then
    sqlite3 same/results.sqlite "UPDATE runs SET status = 'failed', reason = 'it''s broken' WHERE id = 3; DELETE FROM statistics WHERE run = 3"
    expect 0 diff a same; has out 'points: 5 matched, 1 without a result'
    has out "no result in same: mmu.dtlb.entries 8, trace small.lackey, seed 2: failed, it's broken"
    expect 1 diff a same --fail-if 'cpu0.dtlb.misses>+0%'; has out 'FAIL: no result in same at mmu.dtlb.entries 8'
    expect 0 diff same a --fail-if 'cpu0.dtlb.misses>+0%'
fi
# mistakes
expect 2 diff a other; has err 'no point of a has the axes, trace and seed of one of other'
expect 2 diff a b --fail-if 'cpu0.dtlb.mises>2'; has err 'did you mean "cpu0.dtlb.misses"'
"$prog" run -q -t "$samples/small.lackey" -o run || fail run
expect 2 diff a run; has err 'a is a sweep, run is not'
expect 2 diff run a; has err 'a is a sweep, run is not'
verdict diff_sweep
