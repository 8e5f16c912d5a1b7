#!/bin/sh
# proc/kmem_callers against perf kmem itself, on a recording made here. $1: the program, $2: the samples. Root and perf are needed.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
[ "$(id -u)" = 0 ] || { echo "skipped: only root may record the kernel"; exit 77; }
command -v perf >/dev/null && command -v python3 >/dev/null || { echo "skipped: no perf or python3"; exit 77; }
perf record -q -a -k CLOCK_MONOTONIC -m 4096 -c 1 -e kmem:kmalloc,kmem:kfree,kmem:kmem_cache_alloc,kmem:kmem_cache_free -o p.data -- \
    ls /etc >/dev/null 2>&1 || { echo "skipped: perf cannot record tracepoints here"; exit 77; }
perf kmem -i p.data --slab --caller stat >real 2>/dev/null && grep -q Ping-pong real || { echo "skipped: no perf kmem"; exit 77; }
perf script -i p.data --ns >p.perf 2>/dev/null || { echo "skipped: no perf script"; exit 77; }
grep -q LOST p.perf && { echo "skipped: perf lost events"; exit 77; }
cp "$samples"/kernel/filetree/before.* . # whose memory it is does not matter to the table
"$prog" run -q -s workload.kernel.events=p.perf -s workload.kernel.placement=simulated -s workload.kernel.level=objects -o out >run.out 2>&1 ||
    { echo "FAIL: run"; cat run.out; exit 1; }
python3 - <<'P'
import sys
def lines(path):
    out = []
    for l in open(path, errors="replace"):
        f = [x.strip() for x in l.split("|")]
        if len(f) == 6 and f[3].isdigit():
            out.append((f[0].split("+")[0] if f[0].startswith("0x") else f[0],) + tuple(f[1:]))
    return sorted(out)
real, ours = lines("real"), lines("out/proc/kmem_callers")
heads = [[l.rstrip() for l in open(p, errors="replace") if "Callsite" in l][0] for p in ("real", "out/proc/kmem_callers")]
missing, more = [l for l in real if l not in ours], [l for l in ours if l not in real]
print("%d callers, %d hits, %d ping-pongs; lines of perf's that are not ours: %d, of ours that are not perf's: %d"
      % (len(real), sum(int(l[3]) for l in real), sum(int(l[4]) for l in real), len(missing), len(more)))
for l in missing[:5] + more[:5]:
    print(l)
sys.exit(bool(missing or more or not real or heads[0] != heads[1]))
P
