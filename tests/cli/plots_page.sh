#!/bin/sh
# docs/plots.md has every kind of picture with a command and a picture of its own; pictures are small. $1: the program, $2: the source.
set -u
page=$2/docs/plots.md
failed=0
fail() { echo "FAIL: $*"; failed=1; }
for kind in $("$1" plot list | awk '{ print $1 }'); do
    grep -q "^| \`.*$kind" "$page" || fail "$kind is in no table of kinds"
    grep -q "^| !.*\`mmulab plot $kind " "$page" || fail "$kind is not in the gallery"
done
for picture in $(sed -n 's/^| !\[[^]]*\](\([^)]*\)).*/\1/p' "$page"); do
    [ -s "$2/docs/$picture" ] || fail "no $picture"
    [ "$(wc -c <"$2/docs/$picture")" -le 61440 ] || fail "$picture has more than 60 KiB"
done
[ $failed = 0 ] && echo "plots_page: PASS"
exit $failed
