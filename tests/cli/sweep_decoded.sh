#!/bin/sh
# Points that read a trace decoded once give what points give that decode it themselves. $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
same() {
    diff -r -x host.json -x config.json "$1/points" "$2/points" >d || { fail "$1 and $2 differ"; cut -c1-200 d | head -n 20; }
    cmp "$1/results.csv" "$2/results.csv" || fail "results.csv of $1 and $2 differ"
}
# text of a program, of two threads on one and two cores, of a program that forks; a native one; one that is cut off
"$prog" trace gen uniform -q -n 60000 --threads 2 -s size=1MiB -o two.mtr || fail gen
"$prog" trace convert -q two.mtr two.mtt || fail convert
cp "$samples/small.lackey" "$samples/small.maps.txt" "$samples/fork.mtt" .
head -c 90000 "$samples/small.lackey" >cut.lackey
cp small.maps.txt cut.maps.txt
cat >s.json <<END
{
    "sweep": { "axes": { "cpu.count": [1, 2], "sim.mode": ["functional", "timed"], "mmu.dtlb.entries": [32, 64] },
               "traces": ["two.mtt", "small.lackey", "fork.mtt", "two.mtr", "cut.lackey"] }
}
END
"$prog" sweep s.json -q -j 2 -o alone -s sim.share_decoding=false; alone=$?
"$prog" sweep s.json -q -j 2 -o shared; shared=$?
[ $alone = $shared ] || fail "exit codes $alone and $shared"
same alone shared
[ -e alone/decoded ] && fail 'decoded although nobody shares'
# where points failed (the trace that is cut off) the decoded ones stay for --retry; a native trace is not among them
if [ $shared = 0 ]; then
    [ ! -e shared/decoded ] || fail 'decoded traces are left although all points are there'
else
    ls shared/decoded/*.mtr >/dev/null 2>&1 || fail 'nothing was decoded once'
fi
# a point by itself makes it; the next one finds it
"$prog" sweep s.json --backend commands -o by >/dev/null || fail plan
"$prog" point by 0 -q || fail 'point 0'
[ "$(find by/decoded -name '*.mtr' | wc -l)" = 1 ] || fail 'no decoded trace'
first=$(find by/decoded -name '*.mtr')
was=$(stat -c %Y.%i "$first")
"$prog" point by 1-12 -q
[ "$(stat -c %Y.%i "$first")" = "$was" ] || fail 'decoded again'
exit $failed
