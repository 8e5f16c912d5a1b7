# shellcheck shell=bash
# What the scripts of this folder share. Sourced: `. "$(dirname "$0")/common.sh"`. Defines root, me and functions only.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=$(basename "$0")

say() { printf '%s\n' "$*" >&2; }
# die TEXT...: a failure that is not the caller's mistake
die() { say "$me: FAIL: $*"; exit 1; }
usage_error() { say "$me: error: $*; see $me --help"; exit 2; }
# Prints the text between two lines `: <<HELP` and HELP of the calling script.
show_help() { sed -n '/^: <<.HELP/,/^HELP$/{/HELP/d;p;}' "$0"; }
have() { command -v "$1" >/dev/null 2>&1; }

# The program: $MMULAB, else the one in build/.
find_mmulab() {
    local prog=${MMULAB:-$root/build/mmulab}
    if [ ! -x "$prog" ]; then
        if [ -n "${MMULAB:-}" ]; then
            die "MMULAB names \"$MMULAB\", which is no program"
        fi
        die "no program in build/; run scripts/quickstart, or cmake --preset release && ninja -C build, or set MMULAB"
    fi
    (cd "$(dirname "$prog")" && printf '%s/%s\n' "$PWD" "$(basename "$prog")")
}

# build DIR [CMAKE-OPTION...]: configures and builds, quietly; the log is shown when that fails.
build() {
    local dir=$1 log
    shift
    mkdir -p "$dir"
    log=$dir/build.log
    if ! { cmake -S "$root" -B "$dir" -G Ninja "$@" && ninja -C "$dir"; } >"$log" 2>&1; then
        grep -E -A12 'error|FAILED|warning' "$log" | head -n 80 >&2 || true
        tail -n 5 "$log" >&2
        die "the build failed; the whole log is $log"
    fi
}
