#!/bin/sh
# Groups of points that cannot be what they are meant to be: no process for all of them, a folder that cannot be used, Ctrl-C.
# $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
shared() { grep -l '"decoding": "shared"' "$1"/points/*/host.json 2>/dev/null | wc -l; } # points of a folder that were in a group
same() { diff -r -x host.json "$1" "$2" >d || { fail "$1 and $2 differ"; head -n 20 d; }; }

# Processes cannot be had for as many points as may be in a group: those for which they can be are one.
"$prog" trace gen uniform -n 30000 -q -o some.mtr || fail gen
cat >many.json <<'END'
{
    "sim": { "mode": "functional", "share_points": 64 }, "output": { "memory_rows": 0 },
    "sweep": { "axes": { "mmu.stlb.entries": {"from": 120, "to": 1440, "step": 120} }, "traces": ["some.mtr"] }
}
END
"$prog" sweep many.json -q -j 1 -o all || fail "12 points: $?"
prlimit --nofile=22 "$prog" sweep many.json -q -j 1 -o few || fail "with 22 open files at most: $?"
same all few
[ "$(shared all)" = 12 ] || fail "$(shared all) of 12 points were in a group"
[ "$(shared few)" -ge 8 ] || fail "with 22 open files $(shared few) of 12 points were in a group"

# A folder that holds something else is trouble, whatever its exit code: no further point of the group is begun.
"$prog" sweep many.json --backend commands -o taken >/dev/null || fail plan
first=$(ls all/points | head -n 1)
mkdir "taken/points/$first" && echo mine >"taken/points/$first/notes"
expect 2 point taken 0-11; has err 'holds files that are no mmulab result'
[ "$(ls taken/points | wc -l)" = 1 ] || fail "points were begun in spite of it: $(ls taken/points)"
[ "$(cat "taken/points/$first/notes")" = mine ] || fail "what lay in the folder is gone"
verdict sweep_group_ends
