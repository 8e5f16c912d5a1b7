#!/bin/sh
# What a run tells of physical memory: fragmentation.csv, memory_map.csv, proc/ at marks. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"

# 400 pages touched, a mark, 300 of them given back, a mark without text, on two threads
{
    echo '# mmulab trace 1'
    for t in 1 2; do
        echo "T 0 $t"
        echo "mmap 0x${t}0000000 length=1638400 prot=3 flags=0x22 fd=-1 offset=0 result=0x${t}0000000 file_id=0"
        i=0
        while [ $i -lt 400 ]; do
            printf 'S %x 8\n' $((0x10000000 * t + i * 4096))
            i=$((i + 1))
        done
        echo "mark $t \"all touched/$t\""
        echo "munmap 0x${t}0000000 length=1228800 result=0"
        printf 'S %x 8\n' $((0x10000000 * t + 350 * 4096))
        echo "mark 7 \"\""
    done
} >t.mtt
"$prog" trace check t.mtt >check.out 2>&1 || { cat check.out; fail "the trace is not right"; }

for mode in functional timed; do
    "$prog" run -q -t t.mtt -s sim.mode=$mode -s cpu.count=2 -s memory.size=64MiB -s output.memory_rows=8 -o $mode || fail "run $mode"
    for mark in 1 2 3 4; do
        set -- $mode/proc/marks/00$mark-*
        [ -s "$1/buddyinfo" ] && [ -s "$1/pagetypeinfo" ] || fail "$mode: mark $mark has no files"
    done
    [ -d $mode/proc/marks/001-all_touched_1 ] || [ -d $mode/proc/marks/001-all_touched_2 ] || fail "$mode: name of the first mark"
    # every row accounts for every frame, and the end agrees with /proc/buddyinfo
    awk -F, -v cells=$mode/memory_map.csv '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { sum = 0
          for (c in at) if (c ~ /^pages_(reserved|free|pcp|anon|file|pgtable|slab|kernel)$/) sum += $at[c]
          runs = 0
          for (c in at) if (c ~ /^free_run_pages_/) runs += $at[c]
          if (sum != 16384) { print "row " NR ": " sum " pages"; bad = 1 }
          if (runs != $at["pages_free"]) { print "row " NR ": runs hold " runs " pages"; bad = 1 }
          if ($at["pages_anon"] > most) most = $at["pages_anon"]
          anon = $at["pages_anon"]; pages = $at["pages_free"] + $at["pages_pcp"] }
        END { if (most < 400 || anon >= most) { print "anon pages: " most " at most, " anon " at the end"; bad = 1 }
              print pages; exit bad || NR < 9 }' $mode/fragmentation.csv >pages || { cat pages; fail "$mode: fragmentation.csv"; }
    [ "$(wc -l <$mode/fragmentation.csv)" = "$(wc -l <$mode/memory_map.csv)" ] || fail "$mode: rows of the two files"
done
# the length of a window shows nowhere, at marks neither
for w in 1 7; do
    "$prog" run -q -t t.mtt -s cpu.count=2 -s memory.size=64MiB -s output.memory_rows=8 -s sim.window=$w -o w$w || fail "run window $w"
    diff -r -x host.json -x config.json -x stats.json timed w$w >diff.out || { head diff.out; fail "window $w differs"; }
done
# who has which frames: all 400 pages at the first mark, with process and address; one line a frame
"$prog" run -q -t t.mtt -s sim.mode=functional -s memory.size=64MiB -s output.page_users=true -o users || fail "run with users"
grep ' anon 1 0@' users/proc/marks/001-*/page_users >anon
[ "$(grep -c 0@0x10 anon)" = 400 ] || fail "page_users: $(grep -c 0@0x10 anon) of 400 pages at the first mark"
[ "$(cut -d' ' -f1 anon | sort -u | wc -l)" = "$(wc -l <anon)" ] || fail "page_users: a frame twice"
grep -q ' pgtable level1 0$' users/proc/marks/001-*/page_users || fail "page_users: no page table"
[ ! -e none/proc/page_users ] && [ ! -e timed/proc/page_users ] || fail "page_users that were not wanted"
# more than one channel holds: the error says how many do, and they do
"$prog" run -q -t t.mtt -s memory.size=1TiB -o huge 2>err && fail "1 TiB in one channel"
grep -q 'dram.channels=16 and dram.ranks=0' err || { cat err; fail "no number of channels"; }
"$prog" run -q -t t.mtt -s memory.size=1TiB -s dram.channels=16 -o huge || fail "1 TiB"
[ "$(awk '/^Node 0, zone   Normal/ { print $NF }' huge/proc/buddyinfo)" -gt 260000 ] || fail "1 TiB has no free blocks of 4 MiB"
# none wanted
"$prog" run -q -t t.mtt -s output.memory_rows=0 -o none || fail "run without rows"
[ ! -e none/fragmentation.csv ] || fail "rows that were not wanted"
exit $failed
