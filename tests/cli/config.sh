#!/bin/sh
# The verbs of `mmulab config`: exit codes, streams, output that can be read again. $1: a program with a small machine.
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cli/common.sh
. "$(dirname "$0")/common.sh"
# expect CODE ARG...: runs, leaves the streams in out and err
expect() {
    code=$1; shift
    "$prog" config "$@" >out 2>err; got=$?
    [ "$got" = "$code" ] || { fail "config $*: exit $got, not $code"; cat err; }
}

printf '// mine\n{"extends": "@huge", "mmu": {"dtlb": {"entries": 96,}}}\n' >m.json
printf '{"mmu": {"dtlb": {"entreis": 96}}}\n' >bad.json

expect 0 show; empty err; has out 'mmu.dtlb.entries = 64  # default'
expect 0 show m.json -s sim.seed=9 --changed; empty err
cat >want <<'W'
sim.seed = 9  # -s
mmu.dtlb.entries = 96  # m.json:2:50
mmu.stlb.entries = 1536  # @big-tlb:2:30
mmu.stlb.ways = 8  # @big-tlb:2:44
memory.size = "64GiB"  # @huge:1:44
W
cmp want out || fail "show --changed"
expect 0 show --json m.json; cp out config.json
expect 0 check m.json config.json @huge; empty err
[ "$(awk 'NR < 3 { print $NF }' out | uniq | wc -l)" = 1 ] || fail "config.json has another hash"
expect 2 check m.json bad.json; has out 'm.json: ok, '; has err 'did you mean "entries"?'; has err 'mmulab: 1 error, nothing was run'
expect 2 show bad.json; empty out
expect 2 check -s mmu.dtlb.entries=x; has err '-s mmu.dtlb.entries: error: '; empty out
expect 0 diff @huge m.json; has out 'mmu.dtlb.entries: 64 -> 96  # default -> m.json:2:50'
[ "$(wc -l <out)" = 1 ] || fail "diff says more"
expect 0 diff m.json config.json; empty out
expect 2 diff m.json
expect 0 presets; has out '@big-tlb'
expect 0 presets @huge; has out '"extends": "@big-tlb"'
expect 2 presets none; has err 'unknown preset "none"'
expect 0 keys mmu.dtlb; has out 'whole number, default 64, 1 to 65536'
expect 2 keys zzz
expect 0 keys --markdown; has out '| `sim.mode` | name | `"timed"` | timed\|functional |'
expect 0 --help; empty err
expect 2; empty out
expect 2 nonsense
expect 2 show --nonsense
expect 2 show --markdown
expect 2 show -s
expect 0 schema; cp out schema.json
if python3 -c 'import jsonschema' 2>/dev/null; then
    python3 -W ignore "$here/config_schema.py" schema.json config.json || fail "JSON Schema"
else
    echo "skipped: no python3-jsonschema, the JSON Schema is not checked"
fi
[ $failed = 0 ] && echo "cli_config: ok"
exit $failed
