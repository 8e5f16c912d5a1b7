#!/bin/sh
# `mmulab record --kernel`: the program is left alone, the folder is whole, and what is in it fits together. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

# mistakes, for which no rights are needed
"$prog" record --kernel --help >out 2>err || fail "help"
has out 'usage: mmulab record --kernel'
if [ "$(id -u)" != 0 ]; then
    "$prog" record --kernel -- true >out 2>err && fail "as an ordinary user"
    has err 'only root'
    echo "skipped: only root may record the kernel"
    exit 77
fi
"$prog" record --kernel >out 2>err; [ $? = 2 ] || fail "no program: exit code"
has err 'which program'
"$prog" record --kernel --buffer 3MiB -- true >out 2>err; [ $? = 2 ] || fail "buffer: exit code"
has err 'power of two'
mkdir full; : >full/x
"$prog" record --kernel -o full -- true >out 2>err; [ $? = 2 ] || fail "folder in use: exit code"
has err 'not empty'
command -v perf >/dev/null || { echo "skipped: no perf"; exit 77; }
perf record -a -q -e kmem:mm_page_alloc -o p.data -- true >/dev/null 2>&1 || { echo "skipped: perf cannot record tracepoints here"; exit 77; }
[ -r /proc/kpageflags ] || { echo "skipped: no /proc/kpageflags"; exit 77; }

# the program: input, output, errors, exit status
echo hello | "$prog" record --kernel -q -o r -- sh -c 'cat; echo oops >&2; exit 7' >out 2>err
[ $? = 7 ] || { fail "exit status"; cat err; }
[ "$(cat out)" = hello ] && [ "$(cat err)" = oops ] || { fail "its input or output"; cat out err; }
for f in buddyinfo pagetypeinfo zoneinfo vmstat meminfo pfnmap.zst; do
    [ -s r/before.$f ] && [ -s r/after.$f ] || fail "no $f"
done
[ -s r/r.perf.zst ] && [ -s r/times.json ] || fail "no events or times"
[ ! -e r/perf.data ] || fail "perf's file was left"
[ -z "$(find r -name "*tmp*")" ] || fail "temporary files were left"
zstd -dc r/r.perf.zst >events || fail "events are not whole"
grep -q 'kmem:mm_page_alloc: .*pfn=' events || fail "no page was allocated"
grep -qE '^ |  +[0-9]+ \[' events && fail "columns are padded"
# every frame is in the map once, in order, and the free ones are as many as buddyinfo says, nearly
for s in before after; do
    zstd -dc r/$s.pfnmap.zst | python3 -c '
import sys
at = free = 0
for line in sys.stdin:
    first, pages, kind = line.split()
    assert int(first, 16) == at, line
    at += int(pages)
    free += int(pages) * (kind == "free")
want = 0
for line in open(sys.argv[1]):
    for order, n in enumerate(line.split("zone")[1].split()[1:]):
        want += int(n) << order
assert abs(free - want) <= want * 0.005, (free, want)
' r/$s.buddyinfo || fail "the map of $s"
done
# when each file was read: one behind the other, inside its snapshot, the counts of free blocks right behind the map
python3 - r/times.json <<'P' || fail "times.json"
import json, sys
times = {k: float(v) for k, v in json.load(open(sys.argv[1])).items()}
files = ["slabinfo", "vmstat", "meminfo", "zoneinfo", "pagetypeinfo", "pfnmap", "buddyinfo", "extfrag_index", "unusable_index"]
at = 0
for when in "before", "after":
    assert at < times[when + "_snapshot_start"]
    here = [f for f in files if when + "_" + f + "_start" in times]
    assert {"vmstat", "meminfo", "zoneinfo", "pagetypeinfo", "pfnmap", "buddyinfo"} <= set(here), here
    at = times[when + "_snapshot_start"]
    for f in here:
        assert at <= times[when + "_" + f + "_start"] <= times[when + "_" + f + "_end"], (when, f)
        at = times[when + "_" + f + "_end"]
    assert at == times[when + "_snapshot_end"]
P
# our own reader takes it
"$prog" trace info r/r.perf.zst >out 2>err || { fail "trace info"; cat err; }
# without objects
"$prog" record --kernel -q --pages -o p -- true || fail "--pages"
zstd -dc p/p.perf.zst >events
grep -q 'kmem:mm_page_alloc: ' events || fail "--pages: no pages"
grep -qE 'kmem:k(malloc|free|mem_cache)' events && fail "--pages: objects"
# a program that is not there leaves nothing
"$prog" record --kernel -o none -- ./not-here >out 2>err; [ $? = 2 ] || fail "missing program: exit code"
has err 'not-here'
[ ! -e none ] || fail "a folder was left behind"
exit $failed
