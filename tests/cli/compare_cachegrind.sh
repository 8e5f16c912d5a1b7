#!/bin/sh
# scripts/compare-cachegrind on small programs. $1: the program; $2: the source folder.
set -u
command -v valgrind >/dev/null || { echo 'skipped: no valgrind'; exit 77; }
export MMULAB="$1"
compare=$2/scripts/compare-cachegrind
cd "$2" || exit 1
failed=0
for words in '/bin/true' 'grep -c I traces/samples/small.lackey' 'sort traces/samples/small.din' '-i traces/samples/small.din gzip -c'; do
    # shellcheck disable=SC2086 # words are arguments
    "$compare" $words || { echo "FAIL: $words"; failed=1; }
done
"$compare" nothing-of-this-name 2>/dev/null; [ $? = 2 ] || { echo 'FAIL: an unknown program is no usage error'; failed=1; }
exit $failed
