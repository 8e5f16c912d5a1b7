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

verdict mistakes
