#!/bin/sh
# Pictures of a sweep's points, and those that the section "sweep" asks for. $1: the program.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
gnuplot=$(command -v gnuplot)

expect 0 trace gen uniform -n 3000 -o t.mtr
config() { # config PICTURES...: a sweep of three sizes, two of them under another name, too
    cat >s.json <<END
{
    "sim": { "mode": "functional" },
    "sweep": {
        "axes": { "memory.size": ["8MiB", "16MiB", "64MiB"], "buddy.group_by_mobility": [true, false] },
        "traces": ["t.mtr"],
        "pictures": [$1]
    }
}
END
}
# What is wrong is told with its place before anything runs.
for wrong in '"free_block"' '3' '""' "\"column -s 'a\"" '"free_blocks -o /tmp/x.png"' '"free_blocks -o"' '"free_blocks -oa/b"' '"free_blocks --out=/tmp/x.png"'; do
    config "$wrong"
    expect 2 sweep s.json -o wrong; has err 's.json:6:22: error: pictures: '
    [ ! -e wrong ] || fail "$wrong: a folder was made"
done
config '"free_block"'; expect 2 sweep s.json -o wrong; has err 'there is no kind of plot "free_block"'
sed -i 's/"pictures": .*/"pictures": "free_blocks"/' s.json
expect 2 sweep s.json -o wrong; has err 'expected a list of texts'

config ''
expect 0 sweep s.json -q -o sw
[ ! -e sw/plots ] || fail "pictures that nobody asked for"
before=$(cat sw/points/*/host.json | cksum)
if [ -n "$gnuplot" ]; then
    # Others are drawn without simulating anything again, and one that cannot be is told.
    config "\"sweep_lines -s vm.faults_minor --panel buddy.group_by_mobility -o faults.png\", \"free_blocks --where 'memory.size=8MiB'\""
    expect 0 sweep s.json -q -o sw
    has out sw/plots/faults.png; has out sw/plots/free_blocks_compare.svg
    [ -s sw/plots/faults.png ] && [ -s sw/plots/free_blocks_compare.svg ] || fail "no pictures"
    [ "$before" = "$(cat sw/points/*/host.json | cksum)" ] || fail "points were simulated for a picture"
    config '"sweep_lines -s nothing.like.it", "free_blocks --where size=64MiB -o whole"'
    expect 2 sweep s.json -q -o sw; has err 'nothing.like.it'; has out sw/plots/whole.svg
    # The labels are what the points differ in.
    grep -q '8MiB' sw/plots/free_blocks_compare.gp && fail "a label of what does not differ"
    has sw/plots/free_blocks_compare.gp true; has sw/plots/free_blocks_compare.gp false
    expect 0 plot memory_map sw -o all; has all.gp '8MiB, true'; has all.gp '64MiB, false'
    expect 0 plot free_blocks sw --where size=16MiB --where group_by_mobility=true -o one.png
    [ -s one.png ] || fail "a single point"
    # Points that are not there are left out.
    point=$(find sw/points -name '0001-*')
    rm "$point/stats.json"
    expect 0 collect sw
    expect 0 plot free_blocks sw --where size=8MiB -o left; has out left.svg; hasnt left.gp 'false'
else
    echo "skipped: gnuplot is not installed"
fi
expect 2 plot free_blocks sw --where nothing=3; has err 'nothing'
expect 2 plot free_blocks sw sw; has err 'it is a sweep'
expect 0 run -q -t t.mtr -o run
expect 2 plot free_blocks run --where memory.size=8MiB; has err '"run" is none'
if [ -n "$gnuplot" ]; then # a name longer than its label ends with a whole character
    for name in xüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü üüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüüü; do
        cp -r run $name
        expect 0 plot free_blocks $name -o label; has label.gp üüü
        iconv -f UTF-8 -t UTF-8 label.gp >label.txt 2>&1 || fail "$name: half a character"
    done
fi
sed -i 's/"axes": .*/"axes": { "buddy.group_by_mobility": [true, false], "memory.size": ["4MiB", "6MiB", "8MiB", "16MiB", "64MiB"] },/; s/"pictures": .*/"pictures": null/' s.json
expect 0 sweep s.json -q -o many
expect 2 plot free_blocks many; has err '10 points of the sweep'; has err '--where buddy.group_by_mobility=VALUE'
verdict sweep_pictures
