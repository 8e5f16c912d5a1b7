#!/bin/sh
# A kernel with broken-up memory: each request that got another type's memory, foreseen and served as the kernel did.
# $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
src=$samples/../..
MMULAB=$prog
export MMULAB

sample=$src/traces/samples/kernel/fragmented
"$src/scripts/validate" --json "$dir/v.json" "$sample" >"$dir/out" 2>"$dir/err" || fail "validate: exit $? $(cat "$dir/err")"
events=$(xz -dc "$sample/fragmented.perf.xz" | grep -c 'mm_page_alloc_extfrag')
claims=$(xz -dc "$sample/fragmented.perf.xz" | grep -c 'mm_page_alloc_extfrag.*change_ownership=1')
"$MMULAB" run -s workload.kernel.events="$sample/fragmented.perf.xz" -s workload.kernel.placement=predict -o "$dir/o" >/dev/null 2>"$dir/err" ||
    fail "predict: $(cat "$dir/err")"
python3 - "$dir" "$events" "$claims" <<'P' || fail "not as the kernel did"
import json, sys
dir, events, claims = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
assert (events, claims) == (2115, 26), (events, claims)
b = json.load(open(dir + "/o/stats.json"))["measure"]["replay"]["blocks"]
assert b["extfrags"] == events and b["whole_claims"] + b["part_claims"] == claims and b["steals"] == events - claims, b
assert b["foreseen"] == b["foreseen_kind"] == events, b
assert b["foreseen_block"] >= 0.98 * events, b  # the heads of lists from before the snapshot are a guess
assert b["new_right"] == b["new_blocks"] > 10000 and b["not_free"] == b["passed_over"] == 0, b
rows = {r["metric"]: r for r in json.load(open(dir + "/v.json"))}
for m in ("fallback.foreseen_percent", "fallback.rule_percent", "fallback.block_percent", "predict.blocks_known_percent"):
    assert rows[m]["verdict"] == "ok", rows[m]
P

# The kernel's word for a steal turned into its opposite is noticed: a pageblock claimed that the rule would not claim.
cp -r "$sample" "$dir/c" && chmod -R u+w "$dir/c" || exit 1
xz -dc "$sample/fragmented.perf.xz" | sed '/mm_page_alloc_extfrag/s/fallback_migratetype=2 \(.*\)change_ownership=0/fallback_migratetype=2 \1change_ownership=1/' |
    xz -c -0 >"$dir/c/fragmented.perf.xz"
"$src/scripts/validate" "$dir/c" >"$dir/out" 2>&1
[ "$(grep -c 'fallback\.[fr][a-z]*_percent .* ok$' "$dir/out")" -lt 2 ] || fail "claims instead of steals went unnoticed: $(grep fallback "$dir/out")"
verdict fragmented
