#!/bin/sh
# The maps of memory of a recorded kernel show what the allocator manages as such, and the rest apart. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
sample=$samples/kernel/filetree

for level in blocks pages objects; do
    events=$sample/filetree.perf.xz
    [ $level = objects ] && events=$sample/objects.mtr
    "$prog" run -q -s workload.kernel.events="$events" -s workload.kernel.placement=simulated -s workload.kernel.level=$level -o $level || fail "run $level"
    python3 - $level/fragmentation.csv "$sample/before.zoneinfo" <<'P' || fail "$level: not as much as zoneinfo has managed"
import csv, sys
has = {"spanned": 0, "present": 0, "managed": 0}
for line in open(sys.argv[2]):
    w = line.split()
    if len(w) == 2 and w[0] in has:
        has[w[0]] += int(w[1])
for row in csv.DictReader(open(sys.argv[1])):
    n = {k[6:]: int(v) for k, v in row.items() if k.startswith("pages_")}
    n.pop("unmovable")
    reserved = n.pop("reserved")
    # a frame that was taken for none and turns up in an event counts from then on
    assert 0 <= sum(n.values()) - has["managed"] <= 64, (sum(n.values()), has)
    # the map itself has holes of zone DMA (the PC's, below 1 MiB) as reserved
    assert 0 <= reserved - (has["present"] - has["managed"]) <= 128, (reserved, has)
    blocks = [int(row["pageblocks" + k]) for k in ("_free", "_movable", "_unmovable", "_mixed")]
    assert sum(blocks) == int(row["pageblocks"]) and int(row["pageblocks"]) < has["managed"] / 512 + 64, (blocks, row["pageblocks"])
P
done
verdict unmanaged
