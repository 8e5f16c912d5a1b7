# shellcheck shell=sh
# What tests of the command share. Sourced with the program and a folder, if the test has one: `. "$(dirname "$0")/common.sh"`.
# Defines prog, samples (the folder, absolute), dir (a folder of the test's own, where it then is), failed, and functions.
prog=$(realpath "$1")
# shellcheck disable=SC2034
samples=$(cd "${2:-.}" && pwd)
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0
fail() { echo "FAIL: $*"; failed=1; }
expect() { # expect CODE ARG...: runs, leaves the streams in out and err
    code=$1; shift
    "$prog" "$@" >out 2>err; got=$?
    [ "$got" = "$code" ] || { fail "$*: exit $got, not $code"; cat out err; }
}
has() { grep -qF -- "$2" "$1" || { fail "no \"$2\" in:"; cat "$1"; }; }
hasnt() { ! grep -qF -- "$2" "$1" || { fail "\"$2\" in:"; cat "$1"; }; }
empty() { [ ! -s "$1" ] || { fail "$1 is not empty:"; cat "$1"; }; }
stat_of() { # stat_of FOLDER NAME
    "$prog" stats show "$1" "$2" 2>/dev/null | awk -v n="$2" '$1 == n { print $2 }'
}
is() { [ "$(stat_of "$1" "$2")" = "$3" ] || fail "$1: $2 is $(stat_of "$1" "$2"), not $3"; } # is FOLDER NAME VALUE
# shellcheck disable=SC2034
verdict() { # verdict NAME: the test's last command
    [ $failed = 0 ] && echo "$1: ok"
    exit $failed
}
