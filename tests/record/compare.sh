#!/usr/bin/env bash
# usage: compare.sh SOURCE_DIR MMULAB: scripts/compare-recorders on a short program says PASS and tells all its numbers.
set -uo pipefail
src=$1
mmulab=$2
for tool in qemu-x86_64 valgrind zstd python3; do
    command -v $tool >/dev/null || { echo "skipped: no $tool (scripts/setup installs it)"; exit 77; }
done
out=$(MMULAB=$mmulab "$src/scripts/compare-recorders" --quick -- gzip -c "$src/traces/samples/README.md" 2>&1)
status=$?
printf '%s\n' "$out"
failed=0
for line in '^alone .* s$' '^qemu .* times alone .* M references/s .* bytes/reference' '^lackey .* times alone .* M references/s' \
    "^speed: [0-9.]+ times lackey's; lackey's text, zstd -3: [0-9.]+ bytes/reference, [0-9.]+ times ours" \
    'libc\.so.* [0-9]+%$' '^compare-recorders: PASS$'; do
    grep -qE "$line" <<<"$out" || { echo "FAIL: no line \"$line\""; failed=1; }
done
# Of a library's pages most are touched in the same order.
awk '/ in order$/ { seen = 1 } seen && /libc\.so/ { gsub("%", "", $NF); if ($NF + 0 < 60) { print "FAIL: the order of pages: " $0; exit 1 } }' <<<"$out" || failed=1
[ $status = 0 ] && [ $failed = 0 ] && echo "record_compare: PASS" && exit 0
exit 1
