"""schema.json config.json: the generated schema is draft-07, accepts what is valid and refuses what is not."""
import json
import sys

import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
v = jsonschema.Draft7Validator(schema)
good = [
    {},
    json.load(open(sys.argv[2]))["config"],
    {"extends": ["@huge", "x.json"], "$schema": "./s.json", "sweep": {"seeds": 5, "any": [1]}},
    {"extends": "@huge", "memory": {"size": "1.5GiB", "latency": "2.5us", "frequency": "3.2GHz", "start": "0x10"}},
    {"mmu": {"dtlb": {"entries": None}, "stlb": None}},
    {"sim": {"seed": 18446744073709551615, "mode": "functional", "ratio": 1, "interval": "0ps"}},
    {"workload": {"processes": [{"trace": "a", "oom_score_adj": -1000}]}},
]
bad = [
    {"mmuu": {}},
    {"mmu": {"dtlb": {"entreis": 1}}},
    {"memory": {"size": "4KB"}},
    {"memory": {"size": 4096}},
    {"memory": {"pages": ["4K"]}},
    {"memory": {"counts": [101]}},
    {"memory": {"times": ["7 apples"]}},
    {"memory": {"times": [7]}},
    {"memory": {"start": "1000"}},
    {"mmu": {"dtlb": {"latency": "9"}}},
    {"mmu": {"dtlb": {"entries": 0}}},
    {"mmu": {"dtlb": {"entries": "64"}}},
    {"sim": {"mode": "timd"}},
    {"sim": {"ratio": 1.5}},
    {"workload": {"processes": [{"core": 1}]}},
    {"workload": {"processes": [{"trace": "a", "oom_score_adj": -1001}]}},
    {"sweep": 5},
]
failed = 0
for c in good:
    for e in v.iter_errors(c):
        print("refused:", c, e.message)
        failed = 1
for c in bad:
    if v.is_valid(c):
        print("accepted:", c)
        failed = 1
sys.exit(failed)
