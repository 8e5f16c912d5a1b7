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
P

# One digit of the kernel's, each in another file.
sed -i 's/^        low      16597/        low      16598/' "$dir/filetree/before.zoneinfo"
sed -i '3s/0\.0[0-9]* $/0.999 /; 3s/ 0\.[0-9]* 0\.[0-9]* $/ 0.123 0.456 /' "$dir/filetree/after.unusable_index"
"$src/scripts/validate" "$dir/filetree" >"$dir/out" 2>&1
[ $? -eq 1 ] || fail "a wrong number went unnoticed"
grep -q 'before.Normal.watermark.low .* off$' "$dir/out" || fail "the watermark is not off"
grep -q 'after.Normal.unusable_index.10 .* off$' "$dir/out" || fail "the index is not off"
tail -n 1 "$dir/out" | grep -q '^FAIL: ' || fail "no FAIL at the end"

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
