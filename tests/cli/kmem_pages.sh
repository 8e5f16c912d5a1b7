#!/bin/sh
# proc/kmem_pages: on the sample against a plain recount of its text, and against perf kmem --page itself on a recording made here (root
# and perf are needed for that). $1: the program, $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
cat >table.py <<'P'
import re, sys
MIGRATE = ["Unmovable", "Movable", "Reclaimable"]
def ours(path):
    """Totals by their names, counts by order and type, and a line for each kind of request."""
    totals, orders, kinds = {}, {}, []
    for l in open(path):
        m = re.match(r"(Total [\w+ -]+?) *: +(\d+)   \[ +(\d+) KB \]", l)
        if m:
            totals[m[1]] = (int(m[2]), int(m[3]))
        w = l.split()
        if len(w) == 7 and w[0].isdigit():
            orders[int(w[0])] = [0 if x == "." else int(x) for x in w[1:]]
        f = [x.strip() for x in l.split("|", 4)]
        if len(f) == 5 and f[1].isdigit():
            kinds.append((int(f[0]), int(f[1]), int(f[2]), f[3], f[4]))
    return totals, orders, kinds
P

# The sample has no times for this test: all its events count.
cp "$samples"/kernel/filetree/before.* . && xz -dc "$samples/kernel/filetree/filetree.perf.xz" >s.perf || exit 1
"$prog" run -q -s workload.kernel.events=s.perf -s workload.kernel.placement=recorded -o s >run.out 2>&1 || { echo "FAIL: run"; cat run.out; exit 1; }
python3 - <<'P' || { echo "FAIL: the sample"; exit 1; }
import collections, re
from table import *
totals, orders, kinds = ours("s/proc/kmem_pages")
n, by, live, both, unknown = collections.Counter(), collections.Counter(), set(), 0, 0
for l in open("s.perf", errors="replace"):
    m = re.search(r"kmem:mm_page_(alloc|free): .*pfn=(\w+) order=(\d+)(?: migratetype=(\d+) gfp_flags=(\S+))?", l)
    if m and m[1] == "alloc":
        n["allocs"] += 1
        live.add(m[2])
        by[int(m[3]), MIGRATE[int(m[4])], m[5]] += 1
    elif m:
        n["frees"] += 1
        both += m[2] in live
        unknown += m[2] not in live
        live.discard(m[2])
assert totals["Total allocation requests"][0] == n["allocs"] > 1000 and totals["Total free requests"][0] == n["frees"] > 1000, totals
assert totals["Total alloc+freed requests"][0] == both and totals["Total free-only requests"][0] == unknown, (totals, both, unknown)
assert totals["Total alloc-only requests"][0] == n["allocs"] - both and totals["Total allocation failures"] == (0, 0), totals
assert {k[2:]: k[1] for k in kinds} == by and len(kinds) == len(by), (kinds, by)
assert [k[0] for k in kinds] == sorted((k[0] for k in kinds), reverse=True), kinds
assert sum(map(sum, orders.values())) == n["allocs"] and len(orders) == 11, orders
print("sample: %d requests of %d kinds" % (n["allocs"], len(by)))
P

# perf's own.
[ "$(id -u)" = 0 ] || { echo "not root: perf kmem was not compared"; exit 0; }
command -v perf >/dev/null || { echo "no perf: perf kmem was not compared"; exit 0; }
perf record -q -a -k CLOCK_MONOTONIC -m 4096 -c 1 -e kmem:mm_page_alloc,kmem:mm_page_free -o p.data -- ls -R /etc >/dev/null 2>&1 &&
    perf script -i p.data --ns >p.perf 2>/dev/null && ! grep -q LOST p.perf || { echo "perf cannot record here: perf kmem was not compared"; exit 0; }
perf kmem -i p.data --page stat >stat 2>/dev/null && perf kmem -i p.data --page --caller stat >caller 2>/dev/null &&
    grep -q 'Total alloc (KB)' caller || { echo "no perf kmem --page: not compared"; exit 0; }
"$prog" run -q -s workload.kernel.events=p.perf -s workload.kernel.placement=recorded -o p >run.out 2>&1 || { echo "FAIL: run"; cat run.out; exit 1; }
python3 - <<'P' || { echo "FAIL: not as perf kmem"; exit 1; }
import collections, re
from table import *
totals, orders, kinds = ours("p/proc/kmem_pages")
want, want_orders, flags, want_kinds = {}, {}, {}, collections.Counter()
for l in open("stat"):
    m = re.match(r"(Total [\w+ -]+?) *: +(\d+)   \[ +(\d+) KB \]", l)
    if m:
        want[m[1]] = (int(m[2]), int(m[3]))
    w = l.split()
    if len(w) == 6 and w[0].isdigit():
        want_orders[int(w[0])] = [0 if x == "." else int(x) for x in w[1:]]
NAMES = {"UNMOVABL": "Unmovable", "RECLAIM": "Movable", "MOVABLE": "Reclaimable"}  # perf 6.1 still has the order of Linux 3.x
for l in open("caller", errors="replace"):
    m = re.match(r"# [0-9a-f]{8}: +(\S+): (\S+)", l)
    if m:
        flags[m[1]] = m[2]
    f = [x.strip() for x in l.split("|")]
    head = re.match(r" +(\d+) \| +(\d+) \| +(\d+) \| +(\S+) \| +(.*?) \| (.*)", l)
    if head:
        want_kinds[int(head[3]), NAMES[head[4]], flags[head[5].replace(" ", "")]] += int(head[2])
assert totals == want and len(want) == 6, (totals, want)
assert {o: r[:5] for o, r in orders.items()} == want_orders and not any(r[5] for r in orders.values()), (orders, want_orders)
assert {k[2:]: k[1] for k in kinds} == want_kinds and want_kinds, (kinds, want_kinds)
print("perf kmem --page: %d totals, %d orders, %d kinds of %d requests equal" % (len(want), len(orders), len(kinds), want["Total allocation requests"][0]))
P
