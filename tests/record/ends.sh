#!/usr/bin/env bash
# usage: ends.sh MMULAB: recordings that end before their time: Ctrl-C at the terminal, a signal to the recorder alone, the
# recorder killed, a disk that is full from the beginning or becomes so.
set -uo pipefail
mmulab=$1
here=$(cd "$(dirname "$0")" && pwd)
command -v qemu-x86_64 >/dev/null || { echo "skipped: no qemu-x86_64 (scripts/setup installs qemu-user)"; exit 77; }
tmp=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 -- -"$pid" 2>/dev/null; rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failed=0
bad() { echo "FAIL: $*"; failed=1; }
equal() { [ "$2" = "$3" ] || bad "$1: \"$2\", expected \"$3\""; }
last() { "$mmulab" trace print "$1" | tail -n 1 | awk '{ print $2, $3, $4 }'; }
complete() { # FILE WAY: closed, sound, with references, replayed without a warning
    "$mmulab" trace info "$1" >info.txt 2>&1 || bad "$2: $(cat info.txt)"
    grep -q '^complete' info.txt && bad "$2: the trace is not closed: $(grep '^complete' info.txt)"
    [ "$(awk '$1 == "references" { gsub(",", "", $2); print $2 }' info.txt)" -gt 10000 ] || bad "$2: few references: $(cat info.txt)"
    "$mmulab" trace check "$1" >check.txt 2>&1 || bad "$2: $(tail -n 3 check.txt)"
    "$mmulab" run @functional -q -t "$1" -s vm.strict=true -o run 2>run.txt || bad "$2 does not replay: $(cat run.txt)"
    equal "$2: warnings of the replay" "$(cat run.txt)" ""
    rm -rf run
}
begin() { # FILE OPTION... -- PROGRAM...: records in a process group of its own and waits until the program has said "started"
    local file=$1
    shift
    rm -f out.txt
    setsid "$mmulab" record -o "$file" "$@" >out.txt 2>err.txt &
    pid=$!
    for _ in $(seq 600); do
        grep -q started out.txt 2>/dev/null && return
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    bad "$file: the program did not start: $(cat err.txt)"
}
ended() { wait $pid; status=$?; pid=; }

# Ctrl-C: every process of the terminal gets it. The program dies of it, or catches it and ends as it likes.
ways="qemu"
command -v valgrind >/dev/null && ways="qemu lackey"
if command -v python3 >/dev/null; then
    for way in $ways; do
        python3 "$here/ctrl_c.py" "$mmulab" record -o "$way.mtr" --with "$way" -- sh -c 'echo started; while :; do :; done' >out.txt
        equal "$way: status after Ctrl-C" $? 130
        equal "$way: the end" "$(last "$way.mtr")" "exit 130 1"
        grep -q 'interrupted: the trace is what was recorded' out.txt || bad "$way: after Ctrl-C it says: $(cat out.txt)"
        grep -q 'ended by signal 2 (Interrupt)' out.txt || bad "$way: nothing of the program's end: $(cat out.txt)"
        complete "$way.mtr" "$way after Ctrl-C"
    done
    python3 "$here/ctrl_c.py" "$mmulab" record -q -o caught.mtr -- \
        sh -c 'trap "echo caught; exit 6" INT; echo started; while :; do :; done' >out.txt
    equal "status of a program that catches Ctrl-C" $? 6
    equal "what it said" "$(grep -v interrupted out.txt | tr '\n' ' ')" "started caught "
    equal "its end" "$(last caught.mtr)" "exit 6 1"
    complete caught.mtr "a program that catches Ctrl-C"
else
    echo "left out: no python3 for a terminal to press Ctrl-C on"
fi

# SIGTERM to the recorder alone is meant for both.
begin term.mtr -- sh -c 'echo started; while :; do :; done'
kill -TERM $pid
ended
equal "status after SIGTERM" $status 143
complete term.mtr "SIGTERM"

# The recorder killed: the program goes with it, what was written is a trace that says that it is not whole.
begin killed.mtr -- sh -c 'echo started; while :; do :; done'
for _ in $(seq 400); do
    [ "$(stat -c %s killed.mtr)" -gt 200000 ] && break
    sleep 0.05
done
group=$pid
kill -KILL $pid
ended
for _ in $(seq 200); do
    pgrep -g $group >/dev/null || break
    sleep 0.05
done
pgrep -g $group >/dev/null && bad "the program outlives a killed recorder"
"$mmulab" trace info killed.mtr >info.txt || bad "a killed recorder's trace: $(cat info.txt)"
grep -q '^complete *no: not closed' info.txt || bad "a killed recorder's trace says: $(grep '^complete' info.txt)"
"$mmulab" run @functional -q -t killed.mtr -o run 2>run.txt || bad "a killed recorder's trace: $(cat run.txt)"
grep -q 'killed.mtr is incomplete' run.txt || bad "a replay of it says: $(cat run.txt)"

# A disk that takes nothing: the program is not begun.
ln -s /dev/full full.mtr
"$mmulab" record -o full.mtr -- sh -c 'echo started' >out.txt 2>err.txt
equal "status with nothing to write to" $? 1
grep -q 'full: error: cannot write: No space left on device' err.txt || bad "nothing to write to: $(cat err.txt)"

# A disk that becomes full: the program runs on to its own end, the trace holds what was written.
cat >small_disk.sh <<'S'
mmulab=$1
mount -t tmpfs -o size=64k tmpfs disk || exit 77
"$mmulab" record -o disk/a.mtr -- sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; echo whole; exit 4' >out.txt 2>err.txt
echo $? >status.txt
"$mmulab" trace info disk/a.mtr >info.txt 2>&1
"$mmulab" run @functional -q -t disk/a.mtr -o run2 >run.txt 2>&1 || echo "does not replay" >>run.txt
S
mkdir disk
own=(-m)
[ "$(id -u)" = 0 ] || own=(-r -m)
unshare "${own[@]}" sh small_disk.sh "$mmulab" 2>mount.txt
if [ -e status.txt ]; then
    equal "status with a full disk" "$(cat status.txt)" 1
    equal "the program on a full disk" "$(cat out.txt)" "whole"
    grep -q 'a.mtr: error: cannot write: No space left on device' err.txt || bad "on a full disk it says: $(cat err.txt)"
    grep -q '^complete *no: not closed' info.txt || bad "a full disk's trace: $(cat info.txt)"
    grep -qE '^references +[1-9]' info.txt || bad "a full disk's trace has no references: $(cat info.txt)"
    grep -q 'a.mtr is incomplete' run.txt || bad "the replay of a full disk's trace: $(cat run.txt)"
    grep -q 'does not replay' run.txt && bad "a full disk's trace: $(cat run.txt)"
else
    echo "left out: no small file system to be had here ($(tail -n 1 mount.txt))"
fi

# A process that outlives the first one, and never rests: its records stop there, the recorder does not wait for it.
began=$(date +%s)
timeout 60 "$mmulab" record -q -o outlived.mtr -- sh -c '(while [ ! -e enough ]; do :; done) & sleep 0.3; exit 7'
equal "status of a program that is outlived" $? 7
touch enough
[ $(($(date +%s) - began)) -lt 60 ] || bad "the recorder waits for a process that outlives the program"
"$mmulab" trace check outlived.mtr >check.txt 2>&1 || bad "outlived.mtr: $(tail -n 3 check.txt)"

# A program that cannot be loaded leaves no trace, and in its place what was there.
cp outlived.mtr kept.mtr
head -c 600 "$(type -P true)" >torn && chmod +x torn
unloaded() { # TEXT OPTION... [--] PROGRAM
    local text=$1
    shift
    "$mmulab" record --force -o kept.mtr "$@" >out.txt 2>err.txt
    equal "status of: record $*" $? 1
    grep -q -- "$text" err.txt || bad "record $*: $(cat err.txt)"
    cmp -s outlived.mtr kept.mtr || bad "record $*: the trace that was there is gone"
}
unloaded 'could not load the program; is the file whole' ./torn
unloaded 'could not load the program; .*-cpu help' --cpu nosuchcpu true
unloaded 'did not load the recorder' --qemu "$(type -P true)" true
[ "$ways" = qemu ] || unloaded 'Valgrind ended with [0-9]* and did not run the program' --with lackey ./torn
"$mmulab" record -o torn.mtr ./torn 2>err.txt
[ "$(echo torn.mtr*)" = 'torn.mtr*' ] || bad "a program that cannot be loaded leaves $(echo torn.mtr*)"

# A limit on the size of files is an error with a remedy, not the signal that the kernel sends (QEMU's way shares memory through
# a file; lackey's does not).
(ulimit -f 8; "$mmulab" record -o small.mtr -- true >out.txt 2>err.txt)
equal "status with a limit on files" $? 1
grep -q 'ulimit' err.txt || bad "a limit on files: $(cat err.txt)"
[ $failed = 0 ] && echo "record_ends: PASS"
exit $failed
