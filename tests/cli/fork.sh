#!/bin/sh
# Recorded and hand-written processes that fork, replayed strictly: children begin with their parents' mappings and pages, writes
# copy. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
s=$samples
stat() { "$prog" stats show r | awk -v name="$1" '$1 == name { print $2 }'; }
is() { [ "$(stat "$1")" = "$2" ] || fail "$trace, $mode: $1 is $(stat "$1"), expected $2"; }
for mode in functional timed; do
    for trace in fork.mtr cow.mtt; do
        "$prog" run -q -t "$s/$trace" -s vm.strict=true -s sim.mode=$mode --check -o r || fail "$trace, $mode: does not replay"
        is vm.segfaults 0
        is vm.forks 1
        is sim.references "$("$prog" trace info "$s/$trace" | awk '$1 == "references" { gsub(",", "", $2); print $2 }')"
        [ "$(stat vm.mapped_4k)" = "$(stat vm.unmapped_4k)" ] || fail "$trace, $mode: pages are left over"
        case $trace in
        cow.mtt) # worked out by hand: the stack and code are read only; of two private pages and a shared one the child writes the first
            is vm.faults_cow 1
            is vm.faults_reuse 2
            is vm.faults_zero 4
            is vm.fork_pages 4 ;;
        fork.mtr) # the child wrote 24 of 64 pages, and what a C library writes; the parent all of them
            c=$(stat vm.faults_cow) u=$(stat vm.faults_reuse)
            { [ "$c" -ge 24 ] && [ "$c" -le 34 ]; } || fail "$mode: $c pages were copied"
            { [ "$u" -ge 64 ] && [ "$u" -le 80 ]; } || fail "$mode: $u pages were got back" ;;
        esac
    done
done
# The third process from the left: numbers of children are the trace's own.
"$prog" run -q -t "$s/cow.mtt" -t "$s/fork.mtr" -t "$s/cow.mtt" -s vm.strict=true --check -o r || fail "three traces"
[ "$(stat vm.forks) $(stat vm.segfaults)" = "3 0" ] || fail "three traces: $(stat vm.forks) forks, $(stat vm.segfaults) segfaults"
# Large pages.
"$prog" run -q -t "$s/fork.mtr" -s vm.page_size=2MiB --check -o r || fail "large pages"
[ "$(stat vm.huge_splits)" -ge 2 ] && [ "$(stat vm.faults_cow)" -ge 1 ] || fail "large pages: $(stat vm.huge_splits) splits"
# A child that nobody announces, and a number that no trace can have.
sed 's/^fork 1 1/fork 999999999 1/' "$s/cow.mtt" >far.mtt
"$prog" run -q -t far.mtt --check -o r || fail "a process of a high number"
[ "$(stat vm.forks)" = 0 ] || fail "a process of a high number was made"
[ $failed = 0 ] && echo "cli_fork: PASS"
exit $failed
