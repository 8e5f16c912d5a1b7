#!/bin/sh
# The verbs of `mmulab trace`: exit codes, streams, files. $1: the program; $2: the folder of samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
# expect CODE ARG...: runs, leaves the streams in out and err
expect() {
    code=$1; shift
    "$prog" trace "$@" >out 2>err; got=$?
    [ "$got" = "$code" ] || { fail "trace $*: exit $got, not $code"; cat err; }
}

# usage: exit 2, nothing on stdout
expect 2; empty out; has err usage
expect 0 --help; empty err; has out slice
for verb in info print check convert slice gen; do
    expect 0 $verb --help; empty err; has out "usage: mmulab trace $verb"
    expect 2 $verb; empty out; has err "trace $verb: error"
    expect 2 $verb --fromat x; empty out
done
expect 2 infp x; empty out; has err 'did you mean "info"'
expect 2 info --jsno x; has err 'did you mean --json'
expect 2 info --json=3 x; has err 'takes no value'
expect 2 check --max; has err 'needs a value'
expect 2 check --max x "$samples/small.din"; has err 'not a number'
expect 2 info a b; has err 'one trace'
expect 2 info nothing-here; empty out; has err nothing-here
expect 2 info --format nonsense "$samples/small.din"; has err lackey
expect 2 convert "$samples/small.din" x.unknown; has err .mtr

# info
expect 0 info "$samples/small.lackey"; empty err
has out 'references            4,544'; has out 'instructions          3,675'; has out 'segment records       6'
expect 0 info --json "$samples/gzip.mtr"; empty err; has out '"references": 5150146'; has out '"data": 129'; has out '"complete": true'
expect 0 info --quick "$samples/gzip.mtr"; empty err; has out '5,150,146'
hash_of() { "$prog" trace info --json "$1" | grep '"hash"'; }

# convert: the identity stays whatever the container
cp "$samples"/small.* .
for f in small.lackey small.din small.pin small.champsim.xz; do
    expect 0 convert $f a.mtr; empty out
    expect 0 convert a.mtr a.txt
    [ "$(hash_of $f)" = "$(hash_of a.mtr)" ] || fail "$f: another hash in .mtr"
    [ "$(hash_of $f)" = "$(hash_of a.txt)" ] || fail "$f: another hash in .txt"
    expect 2 convert $f a.mtr; has err '--force'
    expect 0 convert --force $f a.mtr
    expect 0 check $f; has out '0 errors'
    rm a.mtr a.txt
done
expect 2 convert small.din small.din --force; has err 'is read'
expect 0 convert small.lackey -; has out '# mmulab trace'

# forms of other programs: there and back is the same trace; what is lost is told, with -q not
expect 0 convert small.lackey b.lackey; [ -s b.maps.txt ] || fail "no b.maps.txt"
[ "$(hash_of small.lackey)" = "$(hash_of b.lackey)" ] || fail "lackey: another hash"
expect 2 convert small.lackey b.lackey; has err '--force'
expect 0 convert --force -q small.lackey b.lackey; empty err
expect 0 convert small.champsim.xz b.champsim; has err 'sizes of instructions'
[ "$(hash_of small.champsim.xz)" = "$(hash_of b.champsim)" ] || fail "champsim: another hash"
expect 0 convert small.lackey b.din; has err 'b.din left out: 2 mmap records'
expect 0 convert -q small.lackey --to din -; empty err; cmp -s out b.din || fail "--to din - is another file"
expect 0 convert small.lackey c.champsim; has err 'made up: '; has err 'branches, inferred'
expect 2 convert small.din x.mtr --to elf; has err champsim
printf '2 1000\n0 1008\n' > either
expect 2 info either; has err 'din or of the form ramulator'
expect 0 info --format ramulator either; has out 'insns records         1'
mkdir folder; printf x > folder/a
expect 2 info folder; has err folder/a
# a last line without line end
printf 'r 1000 8\nr 1008 8' > cut.din
expect 0 info cut.din; has out 'complete              no: the last line has no line end'
expect 0 check cut.din; has out 'warning: the last line'; has out '1 warnings'
expect 0 convert -q cut.din cut.mtr; has err 'warning: cut.din is incomplete'
rm -rf b.* c.champsim either folder cut.*
expect 0 gen uniform -n 100 -o g.mtr; has err '100 data references in g.mtr'; rm g.mtr
expect 0 gen uniform -n 100 -q -o g.mtr; empty err; rm g.mtr

# print is what convert writes as text, with numbers
"$prog" trace convert small.lackey t.txt 2>/dev/null
expect 0 print --no-names small.lackey; empty err
sed 's/^ *[0-9]* *//' out >printed
grep -v '^#' t.txt | cmp -s - printed || { fail 'print and convert differ'; grep -v '^#' t.txt | diff - printed | head; }
expect 0 print small.lackey --from 8 --count 2
has out '         8       I 401000 2'; has out '         9       S 1fff000d48 8   # [stack]'
[ "$(wc -l <out)" = 2 ] || fail 'print --count'
expect 0 print small.lackey --no-names --from 4565; has out 'exit 0 1'; [ "$(wc -l <out)" = 1 ] || fail 'print --from'

# slice: replays by itself
expect 0 slice small.lackey s.mtr --from 4000 --count 100
expect 0 check s.mtr; has out ' 0 errors'
expect 0 info --json s.mtr; has out '"segment": 6'; has out '"mmap": 2'; has out '"mremap": 1'
expect 2 slice small.lackey x.mtr; has err 'which part'
expect 0 slice small.lackey one.mtr --count 1
expect 0 info --json one.mtr; has out '"records": 1,'

# gen
expect 0 gen uniform -n 1000 -o u.mtr -s size=1MiB -s seed=3; empty out
expect 0 gen uniform -n 1000 -o v.mtr -s seed=3 -s size=1MiB
[ "$(hash_of u.mtr)" = "$(hash_of v.mtr)" ] || fail 'gen is not deterministic'
expect 0 info --json u.mtr; has out '"loads": 1000,'; has out '"fetches": 4000,'
expect 2 gen uniform -n 1000 -o u.mtr; has err '--force'
expect 2 gen unifrom -n 10 -o x.mtr; has err 'uniform'; [ ! -e x.mtr ] || fail 'gen left a file'
expect 2 gen uniform -n 10 -o x.mtr -s siez=1MiB; has err 'size'
expect 2 gen uniform -n 10; has err '-o FILE'
expect 0 gen producer -n 300 --threads 4 -o - ; has out clone
for kind in sequential strided uniform zipf chase gups producer; do
    expect 0 gen $kind -n 5000 --threads 2 -o $kind.mtr -s size=64KiB
    expect 0 check $kind.mtr; has out ' 0 errors, 0 warnings'
done
expect 0 slice producer.mtr thread.mtr --thread 1
expect 0 check thread.mtr; has out ' 0 errors'

# broken traces: exit 1, what was good is told and kept
head -c 30000 small.lackey >cut.lackey
expect 1 info cut.lackey; has err cut.lackey; has err 'records are good'; has out 'complete              no'
expect 1 check cut.lackey; has out '1 errors'
expect 1 convert cut.lackey cut.mtr; has err 'records are good'
expect 0 check cut.mtr; has out ' 0 errors'
printf '0 1000\n0 2000\n0 3000\nfree 10\n' >bad.din
expect 1 check bad.din; has err 'bad.din:4: error: record 3 (byte 21): the label'
printf '# mmulab trace 1\nfree 10\nfree 20\nfree 30\n' >bad.txt
expect 1 check --max 2 bad.txt; has out 'record 0'; has out 'free: 3 in all, 2 shown'; has out '3 errors'
: >empty.mtr
expect 1 info empty.mtr; empty out
expect 1 print bad.din; has out '3000'
# one that was never closed: what is there is good, and it is said that this is not all
"$prog" trace gen uniform -n 300000 -s size=64KiB -o whole.mtr || fail gen
"$prog" trace info --json whole.mtr | grep -q '"complete": true' || fail 'a closed trace is complete'
{ # the header of a file that is being written: version 1.0, 64 bytes, flag "not closed", 39 zeros, checksum
    printf '\211MTR\r\n\032\n\001\0\0\0\100\0\0\0\001'
    head -c 39 /dev/zero
    printf '\133\267\065\256\066\271\357\110'
    tail -c +65 whole.mtr
} >live.mtr
expect 0 info --json live.mtr; has out '"complete": true' # it has its index
head -c "$(($(wc -c <live.mtr) - 10))" live.mtr >unclosed.mtr
expect 0 info unclosed.mtr; empty err; has out 'complete              no: not closed'; has out 'references            1,500,000'
expect 0 info --json unclosed.mtr; has out '"complete": false'
expect 0 info --json --quick unclosed.mtr; has out '"complete": false'
expect 0 check unclosed.mtr; has out 'warning: not closed'; has out '1 warnings'
head -c 100000 "$samples/gzip.mtr" >cut.mtr
expect 1 info cut.mtr; has err 'error: record '; has err '): the file is cut off; copy'; has err 'records are good'
[ "$(grep -c 'are good' err)" = 1 ] || fail 'said twice'
has out 'complete              no'

if [ -e /dev/full ]; then
    "$prog" trace info small.din >/dev/full 2>err; [ $? = 1 ] || fail 'a full disk went unnoticed'
fi
[ $failed = 0 ] && echo 'trace: ok'
exit $failed
