#!/usr/bin/env bash
# usage: qemu.sh MMULAB PROGRAMS: `mmulab record` with QEMU: the program's own input, output and status; the trace is
# sound and replays; errors and windows.
set -uo pipefail
mmulab=$1
programs=$2
command -v qemu-x86_64 >/dev/null || { echo "skipped: no qemu-x86_64 (scripts/setup installs qemu-user)"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failed=0
bad() { echo "FAIL: $*"; failed=1; }
equal() { [ "$2" = "$3" ] || bad "$1: \"$2\", expected \"$3\""; }
field() { "$mmulab" trace info "$1" | awk -v name="$2" 'index($0, name) == 1 { gsub(",", "", $NF); print $NF }'; }
sound() { # FILE: no structural problem, and no reference outside of what is mapped
    "$mmulab" trace check "$1" >check.txt 2>&1 || bad "$1: $(tail -n 3 check.txt)"
    "$mmulab" run @functional -q -t "$1" -s vm.strict=true -o run >run.txt 2>&1 || bad "$1 does not replay: $(cat run.txt)"
    equal "$1: segfaults in the replay" "$("$mmulab" stats show run 2>/dev/null | awk '$1 == "vm.segfaults" { print $2 }')" 0
    rm -rf run
}

# Input, output, status.
printf 'b\na\nc\n' | "$mmulab" record -q -o sort.mtr -- sort >out.txt 2>err.txt
equal "status of sort" $? 0
equal "sort's output" "$(tr '\n' ' ' <out.txt)" "a b c "
equal "messages with -q" "$(cat err.txt)" ""
sound sort.mtr
"$mmulab" record -q -o false.mtr -- sh -c 'echo to stderr >&2; exit 5' 2>err.txt
equal "exit status" $? 5
equal "stderr" "$(cat err.txt)" "to stderr"
"$mmulab" record -q -o killed.mtr -- sh -c 'kill -9 $$' >/dev/null 2>&1
equal "status after a signal" $? 137
sound killed.mtr
equal "the killed one's end" "$("$mmulab" trace print killed.mtr | tail -n 1 | awk '{ print $2, $3, $4 }')" "exit 137 1"

# Threads.
"$mmulab" record -q -o threads.mtr -- "$programs/record_threads" >out.txt
equal "status of threads" $? 7
equal "threads' output" "$(cat out.txt)" "done"
equal "threads" "$(field threads.mtr threads)" 5
sound threads.mtr

[ $failed = 0 ] && echo "record_qemu: PASS"
exit $failed
