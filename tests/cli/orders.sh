#!/bin/sh
# Smaller largest blocks: pageblocks follow, alone and in a sweep; what contradicts is refused. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

"$prog" trace gen uniform -n 20000 -s size=8MiB -o t.mtr 2>/dev/null || fail "no trace"
for order in 0 4 8 9 10; do
    "$prog" run -q --check -t t.mtr -s memory.size=32MiB -s buddy.max_order=$order -o o$order || fail "order $order alone"
    block=$((order < 9 ? order : 9))
    grep -q "^Page block order: $block\$" o$order/proc/pagetypeinfo || { head -2 o$order/proc/pagetypeinfo; fail "pageblocks of order $order"; }
done
"$prog" run -q -t t.mtr -s buddy.max_order=8 -s buddy.pageblock_order=9 -o c 2>err && fail "pageblocks larger than blocks"
grep -q buddy.max_order err && grep -q buddy.pageblock_order err || { cat err; fail "both keys are not named"; }

echo '{"memory": {"size": "32MiB"}, "sweep": {"traces": ["t.mtr"], "axes": {"buddy.max_order": [6, 8, 10]}}}' >sweep.json
"$prog" sweep sweep.json -o sweep >out 2>&1 && grep -q '3 points: 3 ok' out || { cat out; fail "a sweep over the largest block"; }
exit $failed
