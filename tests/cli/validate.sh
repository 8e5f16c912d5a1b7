#!/bin/sh
# scripts/validate on the sample recording: all ok; with one number of the kernel's changed: that one is off.
# usage: validate.sh SOURCE_DIR MMULAB
src=$1
MMULAB=$2
export MMULAB
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0
fail() { echo "FAIL: $*"; status=1; }

cp -r "$src/traces/samples/kernel/filetree" "$dir/filetree" && chmod -R u+w "$dir" || exit 1
"$src/scripts/validate" --json "$dir/v.json" "$dir/filetree" >"$dir/out" 2>"$dir/err" || fail "the sample: exit $?"
tail -n 1 "$dir/out" | grep -q '^PASS: [0-9]* comparisons ok, 0 skipped$' || fail "no PASS: $(tail -n 1 "$dir/out") $(cat "$dir/err")"
grep -q 'simulated.free_blocks_off_percent  *0.00[0-9]*  *0.0000  *0.02  *-  *0.01[0-9]*  *0.00[0-9]*  ok$' "$dir/out" || fail "no guesses at the end"
grep -q 'predict.blocks_known_percent  *100.0000  *100.0000 ' "$dir/out" || fail "not the kernel's own frames"
[ "$(grep -c '"verdict": "ok"' "$dir/v.json")" -gt 1000 ] || fail "few rows in the JSON"
python3 - "$dir/v.json" <<'P' || fail "the JSON is not what docs/kernel-replay.md says"
import json, sys
rows = json.load(open(sys.argv[1]))
for r in rows:
    assert {"case", "metric", "model", "kernel", "tolerance", "verdict", "reason"} <= set(r), r
    assert r["case"] == "filetree" and r["verdict"] == "ok", r
one = [r for r in rows if r["metric"] == "before.Normal.watermark.low"]
assert len(one) == 1 and one[0]["model"] == one[0]["kernel"] == 16597 and one[0]["tolerance"] == 0, one
assert len({r["metric"] for r in rows}) == len(rows), "a metric twice"
# The textbook buddy's free blocks at the end, each zone's and order's: their sum is the column's percentage, and not what ours is off.
end = [r for r in rows if r["metric"].startswith("simulated.") and ".free_blocks." in r["metric"]]
off = lambda k: sum(abs(r[k] - r["kernel"]) * 2 ** int(r["metric"].rsplit(".", 1)[1]) for r in end)
whole = [r for r in rows if r["metric"] == "simulated.free_blocks_off_percent"][0]
free = sum(r["kernel"] * 2 ** int(r["metric"].rsplit(".", 1)[1]) for r in end)
for base, value in (("textbook", whole["textbook"]), ("unchanged", whole["unchanged"]), ("model", whole["model"])):
    assert abs(100 * off(base) / free - value) < 1e-4, (base, off(base), free, value)
assert whole["textbook"] > 2 * whole["model"] > 0, whole
assert not any("textbook" in r for r in rows if r["metric"].startswith("follow.")), "there is no choice in following"
P

# One digit of the kernel's, each in another file.
sed -i 's/^        low      16597/        low      16598/' "$dir/filetree/before.zoneinfo"
sed -i '3s/0\.0[0-9]* $/0.999 /; 3s/ 0\.[0-9]* 0\.[0-9]* $/ 0.123 0.856 /' "$dir/filetree/after.unusable_index"
"$src/scripts/validate" "$dir/filetree" >"$dir/out" 2>&1
[ $? -eq 1 ] || fail "a wrong number went unnoticed"
grep -q 'before.Normal.watermark.low .* off$' "$dir/out" || fail "the watermark is not off"
grep -q 'after.Normal.unusable_index.10 .* off$' "$dir/out" || fail "the index is not off"
tail -n 1 "$dir/out" | grep -q '^FAIL: ' || fail "no FAIL at the end"


# The kernel's column, counted from the files by other code.
python3 "$src/tests/cli/validate_recount.py" "$dir/v.json" "$src/traces/samples/kernel/filetree" >"$dir/out" ||
    fail "the kernel's column is not what its files say: $(tail -n 3 "$dir/out")"

# What the files cannot decide is skipped with its reason: a changed copy, the rows that are not ok, and the exit code.
fresh() { rm -rf "$dir/c" && cp -r "$src/traces/samples/kernel/filetree" "$dir/c" && chmod -R u+w "$dir/c"; }
check() { # NAME EXIT PATTERN
    "$src/scripts/validate" --json "$dir/c.json" "$dir/c" >"$dir/out" 2>"$dir/err"
    [ $? -eq "$2" ] || fail "$1: exit is not $2: $(tail -n 1 "$dir/out") $(cat "$dir/err")"
    [ -z "$3" ] || grep -q "$3" "$dir/out" "$dir/err" || fail "$1: does not say $3"
    [ "$2" -ne 0 ] || ! grep -q '"verdict": "off"' "$dir/c.json" || fail "$1: a row is off"
}
row() { # METRIC CONDITION
    python3 -c 'import json, sys
print([r for r in json.load(open(sys.argv[1])) if r["metric"] == sys.argv[2] and '"$2"'][0]["metric"])' "$dir/c.json" "$1" >/dev/null 2>&1
}
# Of meminfo: a sum that is not the lines', a limit that no ratio gives, one that another ratio gives; without the file.
fresh
sed -i 's/^MemAvailable: .*/MemAvailable:   23892984 kB/' "$dir/c/before.meminfo"
sed -i 's/^CommitLimit: .*/CommitLimit:    12342044 kB/' "$dir/c/after.meminfo"
check meminfo 1 'before.meminfo.MemAvailable .* off$'
grep -q 'after.meminfo.CommitLimit .* off$' "$dir/out" || fail "a commit limit that is wrong went unnoticed"
fresh
sed -i 's/^CommitLimit: .*/CommitLimit:    19747264 kB/' "$dir/c/after.meminfo"
rm "$dir/c/before.meminfo"
check ratio 0 ''
row after.meminfo.CommitLimit '"set by hand" in r["reason"]' || fail "another overcommit ratio: not said"
row before.meminfo.CommitLimit 'r["reason"] == "no meminfo"' || fail "no meminfo: not said"
# Compaction that took nothing, between vmstats of which the later one counts less: no row of 2^64 pages, and no word of missing events.
fresh
sed -i 's/^compact_isolated .*/compact_isolated 7/' "$dir/c/before.vmstat"
xz -dc "$dir/c/filetree.perf.xz" | awk '{ print } !done && $4 + 0 > 2816.6 { done = 1; sub(/kmem:.*/, ""); print $0 "compaction:mm_compaction_isolate_freepages: range=(0x1000 ~ 0x1200) nr_scanned=512 nr_taken=0" }' >"$dir/c/filetree.perf"
rm "$dir/c/filetree.perf.xz"
check 'compaction of nothing' 0 'compaction took no free page$'
row compaction.isolated_pages '"the later one behind" in r["reason"]' || fail "vmstat's compact_isolated fell: not said"
# Lines that stand a little out of order, in a file of another name: both columns go by the time.
fresh
xz -dc "$dir/c/filetree.perf.xz" | awk 'NR % 7 == 1 { kept = $0; next } { print } kept != "" { print kept; kept = "" } END { if (kept != "") print kept }' >"$dir/c/perf.txt"
rm "$dir/c/filetree.perf.xz"
check jitter 0 '^PASS: [0-9]* comparisons ok, 0 skipped$'
python3 "$src/tests/cli/validate_recount.py" "$dir/c.json" "$dir/c" >"$dir/out" || fail "out of order: $(tail -n 3 "$dir/out")"
# Two recordings of one name are two cases; "." is the folder's name.
mkdir -p "$dir/e f" && cp -r "$dir/c" "$dir/e f/c"
"$src/scripts/validate" --json "$dir/c.json" "$dir/c" "$dir/e f/c/" >/dev/null 2>&1 || fail "two recordings"
(cd "$dir/e f/c" && "$src/scripts/validate" --json "$dir/dot.json" . >/dev/null 2>&1) || fail "the present folder"
python3 - "$dir/c.json" "$dir/dot.json" <<'P' || fail "the names of cases"
import json, sys
names = lambda f: sorted({r["case"] for r in json.load(open(f))})
assert names(sys.argv[1]) == ["c", "e f/c"], names(sys.argv[1])
assert names(sys.argv[2]) == ["c"], names(sys.argv[2])
P
rm -rf "$dir/e f"
# A kernel before 6.7: no promo, boost, high_min, high_max, threshold.
fresh
sed -i '/ promo /d; / boost /d; / high_m/d; /threshold/d' "$dir/c"/*.zoneinfo
check old 0 'per_cpu .*before 6.7'
# Marks with a boost are printed with it; other CPUs; another node.
fresh
awk '/^Node/ { n = /Normal/ } n && /^ +(boost|min|low|high|promo) +[0-9]+$/ && NF == 2 && !/:/ { printf "        %-8s %d\n", $1, $2 + 1024; next } 1' \
    "$dir/c/before.zoneinfo" >"$dir/z" && mv "$dir/z" "$dir/c/before.zoneinfo"
sed -i 's/^MemAvailable: .*/MemAvailable:   23924792 kB/' "$dir/c/before.meminfo" # 1,024 pages less of files and of slabs are to be had
check boost 0 ''
row before.meminfo.MemAvailable 'r["verdict"] == "ok" and r["model"] == 23924792' || fail "boost: not what is available"
row before.Normal.watermark.low 'r["model"] == r["kernel"] == 17621' || fail "boost: not the printed mark"
fresh
sed -i '/Normal\|Movable\|Device/{/type /!s/Node 0/Node 1/}; /Normal, type/s/Node    0/Node    1/' "$dir/c"/*.zoneinfo "$dir/c"/*.buddyinfo \
    "$dir/c"/*.pagetypeinfo "$dir/c"/*_index
check node1 0 'lowmem_reserve'
row before.meminfo.MemAvailable 'r["verdict"] == "skipped"' || fail "node1: MemAvailable without all zones"
row predict.blocks_known_percent 'r["model"] == 100' || fail "node1: not followed"
grep -q '"simulated.node1.Normal.free_blocks.0"' "$dir/c.json" || fail "node1: its free blocks are not compared"
# Events that are missing, one after the other; lost, and said so; none at all.
fresh
xz -dc "$dir/c/filetree.perf.xz" >"$dir/text" && rm "$dir/c/filetree.perf.xz"
awk 'NR % 10' "$dir/text" >"$dir/c/perf.txt"
check missing 0 'cannot be decided: .*contradicts itself'
awk '{ print } NR == 100 { print "perf 1 [000] 2816.5: PERF_RECORD_LOST lost 77" }' "$dir/text" | sed '20000,22000d' >"$dir/c/perf.txt"
check lost 0 'events.lost .* skipped'
: >"$dir/c/perf.txt"
check empty 1 'perf.txt: error: the file of events is empty; record again'
[ "$(grep -c '"verdict": "ok"' "$dir/c.json")" -gt 1000 ] || fail "empty: the snapshots are not compared"
head -n 1 "$dir/text" >"$dir/c/perf.txt"
check early 0 'ends before the snapshot'
# Nothing to compare with is no pass.
mkdir "$dir/bare"
head -n 20 "$dir/text" >"$dir/bare/bare.perf"
"$src/scripts/validate" "$dir/bare" >"$dir/out" 2>&1
[ $? -eq 1 ] || fail "nothing was compared: no failure"
tail -n 1 "$dir/out" | grep -q '^FAIL: nothing could be compared, [0-9]* skipped; ' || fail "nothing was compared: $(tail -n 1 "$dir/out")"
MMULAB=$dir/none "$src/scripts/validate" "$dir/bare" >"$dir/out" 2>&1
[ $? -eq 1 ] || fail "no program: no failure"
[ "$(wc -l <"$dir/out")" = 1 ] || fail "no program: $(cat "$dir/out")"
# Parts that are broken are told, the others compared.
fresh
head -c 3000 "$src/traces/samples/kernel/filetree/before.zoneinfo" >"$dir/c/before.zoneinfo"
printf 'broken\n' >"$dir/c/after.buddyinfo"
check broken 1 'after.buddyinfo:1: error: not a line of /proc/buddyinfo'
tail -n 1 "$dir/out" | grep -q '2 files are broken$' || fail "broken: $(tail -n 1 "$dir/out")"
[ "$(grep -c '"verdict": "ok"' "$dir/c.json")" -gt 500 ] || fail "broken: the rest is not compared"
# A planted error stays one.
fresh
sed -i '1s/\([0-9]*\) $/9 /' "$dir/c/before.buddyinfo"
check planted 1 'before.DMA.unusable_index.10 .* off$'

# Less of a recording: skipped, saying so; nothing: an error.
rm "$dir"/filetree/before.pfnmap.xz "$dir"/filetree/after.unusable_index "$dir"/filetree/before.zoneinfo
"$src/scripts/validate" "$dir/filetree" >"$dir/out" 2>&1 || fail "less of a recording: exit $?"
grep -q 'events .*skipped: no page map' "$dir/out" || fail "does not say what is missing"
mkdir "$dir/empty"
"$src/scripts/validate" "$dir/empty" >"$dir/out" 2>&1
[ $? -eq 2 ] || fail "an empty folder is no error"
printf 'broken\n' >"$dir/filetree/after.buddyinfo"
"$src/scripts/validate" "$dir/filetree" >"$dir/out" 2>&1 && fail "a broken file went unnoticed"
grep -q 'after.buddyinfo:1: error: not a line of /proc/buddyinfo' "$dir/out" || fail "the broken file is not named"
exit $status
