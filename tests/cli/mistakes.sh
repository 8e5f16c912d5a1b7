#!/bin/sh
# What people do wrong: each is told with what is wrong and what to do, ends with the right code, and breaks nothing that
# was there. $1: the program; $2: the samples.
set -u
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
small=$samples/small.lackey
cat >s.json <<'END'
{ "sim": { "mode": "functional" }, "sweep": { "axes": { "mmu.dtlb.entries": [16, 32] } } }
END

# A run into the folder of a sweep: the sweep stays as it is.
expect 0 sweep s.json -q -t "$small" -o swept
cp -r swept before
expect 2 run -q -t "$small" -o swept
has err 'the folder "swept" holds a sweep; name a new folder with -o'
diff -r before swept >d || { fail 'a run changed the folder of a sweep'; cat d; }

# A sweep of nothing, and of a file that is not there: told before anything runs, and no folder is left.
expect 2 sweep s.json -q -o nothing
has err 'there is nothing to replay; name traces with -t'
echo '{ "sweep": { "axes": { "mmu.dtlb.entries": [16, 32] }, "traces": ["gone.mtr"] } }' >gone.json
expect 2 sweep gone.json -q -o nothing
has err 'gone.mtr: error: the file that "trace" names cannot be read: No such file or directory; paths in a configuration are relative'
expect 2 sweep s.json -q -t . -o nothing
has err '.: error: what "trace" names is no file'
[ ! -e nothing ] || fail 'a sweep that was refused leaves a folder'
echo '{ "sweep": { "axes": { "workload.calls.count": [100, 200] } } }' >calls.json # an axis that says what is replayed
expect 0 sweep calls.json -q -o calls

verdict mistakes
