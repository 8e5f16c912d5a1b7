#!/bin/sh
# `mmulab run` and the dispatcher: exit codes, streams, what is left behind. $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
absent() { [ ! -e "$1" ] || fail "$1 was left behind"; }

# the dispatcher
expect 2; empty out; has err usage
expect 0 --help; empty err; has out 'Exit codes'
expect 0 --version; has out mmulab
expect 2 rnu; empty out; has err 'did you mean "run"'
expect 0 run --help; empty err; has out 'usage: mmulab run'
expect 0 help run; has out 'usage: mmulab run'

# a trace that may have been cut off is replayed, and told at the end
printf 'r 1000 8\nr 1008 8' > cut.din
expect 0 run -t cut.din -o cut; has err 'warning: cut.din is incomplete: the last line has no line end'
printf 'r 1000 8\nr 1008 8\n' > cut.din
expect 0 run -t cut.din -o whole; ! grep -q incomplete err || fail 'a whole trace is called incomplete'
rm -rf cut whole cut.din

# mistakes: exit 2, nothing on stdout, no folder
expect 2 run -o r; empty out; has err 'nothing to replay'; has err -t; absent r
expect 2 run --frobnicate; empty out; has err '--frobnicate'
expect 2 run -t; has err 'needs a value'
expect 2 run a.json b.json; has err 'b.json'
expect 2 run @nothing -t "$samples/small.din" -o r; has err '@nothing'; absent r
expect 2 run nothing.json -t "$samples/small.din" -o r; has err nothing.json; absent r
expect 2 run -s cpu.cuont=2 -t "$samples/small.din" -o r; has err 'did you mean "count"'; absent r
expect 2 run -s cpu.count=0 -t "$samples/small.din" -o r; has err 'cpu.count'; absent r
# what only building the machine tells: check says it too, at the place of the value
expect 2 config check -s vm.gigantic_pages=9; empty out; has err '-s vm.gigantic_pages: error'; has err 'memory.size is'
expect 2 config check -s mmu.stlb.ways=7; has err '-s mmu.stlb.ways: error'; has err 'mmu.stlb.entries is 1536 by default'
expect 2 config check -s dram.drain_low=60; has err 'dram.write_queue is 32 by default'
expect 2 run -t nothing-here -o r; empty out; has err nothing-here; absent r
expect 2 run -t "$samples" -o r; has err folder; absent r
expect 2 run --status x -t "$samples/small.din"; has err --status

# traces that are none: exit 1
: >empty.mtr
expect 1 run -t empty.mtr -o r; empty out; has err 'empty'; absent r
head -c 5000 /dev/zero >zeros
"$prog" run -t zeros -o r >out 2>err && fail 'zeros were replayed'
has err zeros; absent r

# a good one
expect 0 run -t "$samples/small.lackey" -o good; empty err; has out 'result: good'
for f in config.json stats.json series.csv events.jsonl host.json proc/buddyinfo; do
    [ -f "good/$f" ] || fail "good/$f is missing"
done
has good/stats.json '"complete": true'
# the last row of the series holds the fragmentation that proc/ shows
for index in unusable:unusable_index extfrag:extfrag_index; do
    awk -F, -v want="${index%:*}" 'NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i } { last = $0 }
        END { split(last, v); for (i = 1; i in name; i++) if (name[i] ~ "^zone_.*_" want "_") print v[i] }' good/series.csv >a
    sed 's/^Node 0, zone *[^ ]* *//' "good/proc/${index#*:}" | tr -s ' ' '\n' >b
    [ -s a ] && cmp -s a b || fail "series.csv: $index"
done
[ "$(stat_of good sim.references)" = 4544 ] || fail "$(stat_of good sim.references) references"
expect 0 run -q -t "$samples/small.lackey" -o good; empty out; empty err
cp "$samples/small.lackey" alone.lackey # without the address map beside it, which standard input has not
expect 0 run -q -t alone.lackey -o alone
"$prog" run -q -t - -o piped <alone.lackey >out 2>err || { fail 'stdin'; cat err; }
cmp -s piped/stats.json alone/stats.json || fail 'the same trace from stdin gives other statistics'
expect 0 run -q good/config.json -t "$samples/small.lackey" -o again
cmp -s again/stats.json good/stats.json || fail "a result's config.json gives another result"
expect 0 run -q -t "$samples/small.lackey" -s sim.limit=1000 -o limited
[ "$(stat_of limited sim.references)" = 1000 ] || fail 'sim.limit'
has limited/stats.json '"complete": true'

# cut off: exit 1, what was good is kept and marked; with several cores too
head -c 300000 "$samples/gzip.mtr" >cut.mtr
for more in sim.mode=timed sim.mode=functional cpu.window=1 cpu.count=2; do
    rm -rf cut
    expect 1 run -q --check -s $more -t cut.mtr -o cut; empty out; has err cut.mtr; has err 'cut off'; has err incomplete
    has cut/stats.json '"complete": false'; has cut/stats.json 'cut off'
    [ "$(stat_of cut sim.references)" -gt 2000000 ] || fail "$more: $(stat_of cut sim.references) references of the good part"
done
expect 1 run -q -s cpu.count=2 -t cut.mtr -t "$samples/gzip.mtr" -o cut
[ "$(stat_of cut sim.references)" -gt 2000000 ] || fail 'a second core reads ahead and ends the run'

# too little memory: a result
for mode in timed functional; do
    expect 0 run -s memory.size=1MiB -s sim.mode=$mode -t "$samples/gzip.mtr" -o oom
    has oom/events.jsonl '"kind": "oom_kill"'; has oom/stats.json '"complete": true'
    [ "$(stat_of oom vm.kills)" = 1 ] || fail "$mode: no kill counted"
done

# Ctrl-C, and a polite kill: results so far, marked. A trace that takes long on any machine; it is never run to its end.
mkfifo feed
for signal in INT:130 TERM:143; do
    for mode in timed functional; do
        # the writer ends with the reader
        "$prog" trace gen uniform -n 200000000 -s size=64MiB -o - >feed 2>/dev/null &
        gen=$!
        "$prog" run -s sim.mode=$mode -t feed -o stopped >out 2>err &
        pid=$!
        sleep 1
        kill -"${signal%:*}" $pid
        wait $pid; got=$?
        [ $got = "${signal#*:}" ] || { fail "$signal, $mode: exit $got"; cat err; }
        kill $gen 2>/dev/null
        wait $gen 2>/dev/null
        has stopped/stats.json '"complete": false'; has stopped/stats.json interrupted
        rm -rf stopped
    done
done

# a folder that cannot be made
: >file
expect 2 run -q -t "$samples/small.din" -o file/r; has err file
[ $failed = 0 ] && echo 'run: ok'
exit $failed
