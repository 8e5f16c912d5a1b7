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


# Programs that are executed, scripts, children: recorded on, in their processes.
printf '#!/bin/sh\nexec env true\n' >script && chmod +x script
"$mmulab" record -q -o script.mtr -- ./script
equal "status of a script" $? 0
"$mmulab" trace check script.mtr >check.txt || bad "script.mtr: $(tail -n 3 check.txt)"
"$mmulab" trace print script.mtr >script.txt
equal "programs executed" "$(grep -cE '^ *[0-9]+ +(\[[0-9.]+\] )?exec ' script.txt)" 2
"$mmulab" record -q -o fork.mtr -- sh -c 'ls / | wc -l; exit 3' >/dev/null
equal "status of a shell" $? 3
equal "processes" "$(field fork.mtr processes)" 3
sound fork.mtr
copied=$("$mmulab" record -q -o cow.mtr -- "$programs/record_fork")
equal "status of a program that forks" $? 5
sound cow.mtr
"$mmulab" run @functional -q -t cow.mtr -s vm.strict=true -o run
n=$("$mmulab" stats show run | awk '$1 == "vm.faults_cow" { print $2 }')
{ [ "$n" -ge "$copied" ] && [ "$n" -le $((copied + 20)) ]; } || bad "the child wrote $copied pages, $n were copied"
rm -rf run

# What is kept.
"$mmulab" record -q -o limit.mtr --skip 1000 --limit 5000 -- true
n=$(field limit.mtr references)
{ [ "$n" -ge 5000 ] && [ "$n" -le 5010 ]; } || bad "--limit 5000 kept $n references"
equal "marks of one window" "$("$mmulab" trace print limit.mtr | grep -cE 'mark [12] ')" 2
equal "mappings outside of the window" "$(field limit.mtr 'segment records')" "$(field sort.mtr 'segment records')"
"$mmulab" record -q -o sample.mtr --sample 10000:100 -- true
n=$(field sample.mtr references)
all=$("$mmulab" record -o all.mtr -- true 2>&1 | sed -n 's/.*: \([0-9,]*\) references.*/\1/p' | tr -d ,)
{ [ "$n" -ge $((all / 100 - 100)) ] && [ "$n" -le $((all / 100 + 400)) ]; } || bad "--sample 10000:100 of $all kept $n"
"$mmulab" record -q -o stop.mtr --limit 20000 --stop -- sleep 100
equal "status with --stop" $? 0
equal "references of work, and no other function" \
    "$("$mmulab" record -q -o roi.mtr --roi work -- "$programs/record_threads" >/dev/null; field roi.mtr 'mark records' | awk '{ print ($1 > 2) }')" 1
"$mmulab" record -q -o roi2.mtr --roi main -- "$programs/record_threads" >/dev/null
[ "$(field roi.mtr references)" -lt "$(field roi2.mtr references)" ] || bad "--roi work keeps no less than --roi main"
[ "$(field roi2.mtr references)" -lt "$(field threads.mtr references)" ] || bad "--roi main keeps as much as all"
# A function of a library, in the program and in one that a shell executes; what is kept is of the library alone.
for command in "$programs/record_region" "sh -c '$programs/record_region; true'"; do
    eval '"$mmulab" record -q --force -o roi3.mtr --roi region_work -- '"$command" >out.txt
    equal "output of $command" "$(cat out.txt)" 2497500
    "$mmulab" trace print roi3.mtr >roi3.txt
    equal "windows of region_work: $command" "$(grep -c 'mark 1 ' roi3.txt)" 6
    equal "fetches elsewhere: $command" "$(grep -E '^ *[0-9]+ (\[[0-9.]+\] )?I ' roi3.txt | grep -vc '# region_work')" 0
done
# A thread that ends in the function does not hold the region open.
"$mmulab" record -q -o roi4.mtr --roi region_ends_thread -- "$programs/record_region" >/dev/null
"$mmulab" trace print roi4.mtr >roi4.txt
equal "windows of region_ends_thread" "$(grep -c 'mark 2 "window 1 ends"' roi4.txt)" 1
equal "fetches of main after the thread's end" "$(sed '1,/mark 2 "window 1 ends"/d' roi4.txt | grep -c '# main')" 0
# While the thread is in the function, main runs into pthread_join, or has: its loops come later.
n=$(grep -c '# main' roi4.txt)
[ "$n" -lt 100 ] || bad "the thread's end leaves the region open: $n fetches of main"
"$mmulab" record -q -o roi5.mtr --from region_ends_thread --to region_work -- "$programs/record_region" >/dev/null
n=$(field roi5.mtr references)
{ [ "$n" -gt 0 ] && [ "$n" -lt 1000 ]; } || bad "--from and --to of a library keep $n references"

# Allocations.
"$mmulab" record -q -o malloc.mtr --malloc -- "$programs/record_heap" >out.txt
equal "status with --malloc" $? 0
equal "allocations" "$(for k in malloc free realloc; do field malloc.mtr "$k records"; done | tr '\n' ' ')" "$(cat out.txt) "
sound malloc.mtr
# Six threads at objects of one arena: nobody gets what a realloc has left before that is told. A child has copies of the
# objects; then it executes /proc/self/exe, which is the program and not QEMU.
GLIBC_TUNABLES=glibc.malloc.tcache_count=0 "$mmulab" record -q -o heap_threads.mtr --malloc -- "$programs/record_heap_threads"
equal "status with --malloc and threads" $? 0
"$mmulab" trace check heap_threads.mtr >check.txt 2>&1 || bad "heap_threads.mtr: $(tail -n 3 check.txt)"
equal "how often main began" "$("$mmulab" trace print heap_threads.mtr | grep -c ' # main (record_heap_threads)')" 2
rm -f heap_threads.mtr

# The mappings that the trace tells are the kernel's.
for p in ls sort "$programs/record_threads" "$programs/record_space"; do
    rm -f maps.mtr maps.txt # one that cannot be recorded is not judged by the one before it
    "$mmulab" record -q -o maps.mtr --keep-maps maps.txt -- "$p" </dev/null >/dev/null
    "$programs/record_maps" maps.mtr maps.txt >maps.out || bad "$p: $(head -n 5 maps.out)"
done

# An i386 program, where there is one.
if [ -x "$programs/record_narrow" ] && command -v qemu-i386 >/dev/null; then
    "$mmulab" record -q -o narrow.mtr --keep-maps maps.txt -- "$programs/record_narrow"
    equal "status of an i386 program" $? 9
    sound narrow.mtr
    equal "its calls" "$("$mmulab" trace print narrow.mtr | grep -cE ' (mmap|munmap|mprotect|mremap) ')" 4
    "$programs/record_maps" narrow.mtr maps.txt >maps.out || bad "record_narrow: $(head -n 5 maps.out)"
fi

# A set-user-id program of somebody else has not his rights under QEMU: that is told. By root's own, root gets no others.
suid=$(command -v su)
if [ "$(id -u)" = 0 ] && cp "$(type -P true)" suid && chmod u+s suid; then
    "$mmulab" record -o own.mtr -- ./suid 2>err.txt
    grep -q 'without these rights' err.txt && bad "its own rights: $(cat err.txt)"
    chown 65534 suid && chmod u+s suid && suid=./suid
fi
if [ -u "${suid:-/nonexistent}" ] && ! [ -O "$suid" ]; then
    "$mmulab" record -o suid.mtr -- "$suid" --help >/dev/null 2>err.txt
    grep -q 'without these rights' err.txt || bad "set-user-id: $(cat err.txt)"
fi

# Mistakes.
mistake() { # TEXT ARG...
    local text=$1
    shift
    "$mmulab" record "$@" >out.txt 2>err.txt
    equal "status of: record $*" $? 2
    grep -q -- "$text" err.txt || bad "record $*: $(cat err.txt)"
}
mistake 'which program'
mistake 'no program "nosuchprogram"' -- nosuchprogram
echo text >plain && chmod +x plain
mistake 'neither an ELF program' -- ./plain
printf '#!/bin/sh\r\necho hi\r\n' >dos && chmod +x dos
mistake "^./dos:1: error: its interpreter /bin/sh.r cannot be run: No such file or directory; .*line ends of DOS: sed" -- ./dos
printf '#!/nonexistent/sh\n' >lost && chmod +x lost
mistake '^./lost:1: error: its interpreter /nonexistent/sh cannot be run' -- ./lost
mistake '--limit 0 would keep no reference' --limit 0 -- true
mistake 'exists; --force' -o sort.mtr -- true
mistake 'did you mean --limit' --limt 5 -- true
mistake 'no function "nosuchsymbol"' --roi nosuchsymbol -o x.mtr -- "$programs/record_threads"
mistake 'PERIOD:LENGTH' --sample 5 -- true
mistake 'qemu-user' --qemu /nonexistent -o x.mtr -- true
(PATH=/nonexistent "$mmulab" record -- true) 2>err.txt && bad 'a program without PATH'
[ -e x.mtr ] && bad "a recording that did not begin leaves a file"
[ $failed = 0 ] && echo "record_qemu: PASS"
exit $failed
