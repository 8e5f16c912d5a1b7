#!/usr/bin/env bash
# usage: installed.sh CMAKE BUILD: an installed mmulab finds its plugin and library, and again after the tree was moved;
# record, info, run, in three commands.
set -uo pipefail
cmake=$1
build=$2
command -v qemu-x86_64 >/dev/null || { echo "skipped: no qemu-x86_64 (scripts/setup installs qemu-user)"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
failed=0
bad() { echo "FAIL: $*"; failed=1; }
"$cmake" --install "$build" --prefix "$tmp/one" >install.txt 2>&1 || { tail -n 5 install.txt; bad "cmake --install"; exit 1; }
works() { # PREFIX
    local mmulab=$1/bin/mmulab
    rm -rf a.mtr out
    "$mmulab" record -o a.mtr --malloc -- ls / >ls.txt 2>err.txt || bad "$1: record: $(cat err.txt)"
    "$mmulab" trace info a.mtr >info.txt 2>err.txt || bad "$1: trace info: $(cat err.txt)"
    grep -qE '^malloc records +[1-9]' info.txt || bad "$1: no allocations recorded"
    "$mmulab" run @default -q -t a.mtr -o out 2>err.txt || bad "$1: run: $(cat err.txt)"
    "$mmulab" record -q --force -o a.mtr -- /bin/true 2>err.txt || bad "$1: record -- /bin/true: $(cat err.txt)"
    ldd "$mmulab" | grep -F "$build" && bad "$1: the program takes libraries from where it was built"
}
works "$tmp/one"
mkdir -p "$tmp/far/away"
mv "$tmp/one" "$tmp/far/away/it is here, now"
works "$tmp/far/away/it is here, now"
ln -s "$tmp/far/away/it is here, now/bin/mmulab" mmulab
./mmulab record -q --force -o a.mtr -- /bin/true 2>err.txt || bad "through a link: $(cat err.txt)"
# The program alone is of no use for recording, and says so.
cp "$tmp/far/away/it is here, now/bin/mmulab" alone
./alone record -q --force -o a.mtr -- /bin/true 2>err.txt
[ $? = 2 ] && grep -q 'qemu-recorder.so is not there' err.txt || bad "without its plugin: $(cat err.txt)"
[ $failed = 0 ] && echo "record_installed: PASS"
exit $failed
