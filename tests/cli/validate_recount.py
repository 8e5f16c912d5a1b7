#!/usr/bin/env python3
"""The kernel's column of scripts/validate, recounted from a recording's files without a line of the program's code.

usage: validate_recount.py JSON FOLDER    FOLDER holds the cases by name, or is the only one itself
Prints how many rows were recounted; exit 1 where one differs, where a metric is unknown, or where a verdict does not
follow from its row."""
import json
import math
import os
import re
import subprocess
import sys


def find(folder, name):
    for end in ("", ".zst", ".xz", ".gz", ".bz2"):
        path = os.path.join(folder, name + end)
        if os.path.exists(path):
            return path
    return None


def text_of(path):
    tool = {"zst": "zstdcat", "xz": "xzcat", "gz": "zcat", "bz2": "bzcat"}.get(path.rsplit(".", 1)[-1], "cat")
    return subprocess.run([tool, path], stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")


def lines(folder, name):
    path = find(folder, name)
    return text_of(path).splitlines() if path else []


def label(node, zone):
    return zone if int(node) == 0 else f"node{node}.{zone}"


def buddy(folder, moment, what="buddyinfo"):
    out = {}
    for line in lines(folder, f"{moment}.{what}"):
        m = re.match(r"Node\s+(\d+), zone\s+(\S+)\s+(.*)", line)
        if m:
            out[label(m[1], m[2])] = m[3].split()
    return out


def index(text):
    """Thousandths; the kernel prints "-1.000", and also "-0.-12"."""
    whole, part = text.split(".")
    sign = -1 if "-" in text else 1
    return sign * (abs(int(whole)) + abs(int(part)) / 1000)


def zoneinfo(folder, moment):
    out, zone, cpu = {}, None, None
    for line in lines(folder, f"{moment}.zoneinfo"):
        m = re.match(r"Node (\d+), zone\s+(\S+)", line)
        if m:
            zone = out.setdefault(label(m[1], m[2]), {"cpu": {}})
            cpu = None
            continue
        w = line.split()
        if line.startswith("    cpu:"):
            cpu = zone["cpu"].setdefault(w[1], {})
        elif w[:1] == ["protection:"]:
            zone["protection"] = [int(x) for x in re.findall(r"\d+", line)]
        elif line.startswith("  vm stats threshold"):
            zone["threshold"] = int(w[3])
        elif cpu is not None and len(w) == 2 and w[0].rstrip(":") in ("count", "high", "batch", "high_min", "high_max"):
            cpu[w[0].rstrip(":")] = int(w[1])
        elif len(w) == 2 and cpu is None and w[1].isdigit():
            zone.setdefault(w[0], int(w[1]))
    return out


def slabs(folder, moment):
    return {w[0]: w for w in (line.split() for line in lines(folder, f"{moment}.slabinfo")) if len(w) > 5 and w[0] != "#"}


def pfnmap(folder, moment):
    runs = []
    for line in lines(folder, f"{moment}.pfnmap"):
        w = line.split()
        runs.append((int(w[0], 16), int(w[1]), w[2]))
    return runs


class Events:
    """Of each frame its last event, and the counts."""

    def __init__(self, folder):
        times = json.loads(text_of(os.path.join(folder, "times.json"))) if find(folder, "times.json") else None
        ns = lambda s: int(s.split(".")[0]) * 10**9 + int((s.split(".")[1] + "0" * 9)[:9])
        begin = ns(times["before_snapshot_end"]) if times else -1
        end = ns(times["after_snapshot_start"]) if times else 1 << 62
        self.lost = self.alloc_again = self.free_again = 0
        self.window = {}
        last, self.last, pages = {}, {}, []
        path = next((p for p in sorted(os.listdir(folder)) if re.search(r"(\.perf|\.ftrace|perf\.txt|trace\.txt)(\.\w+)?$", p)), None)
        self.path = path
        for line in text_of(os.path.join(folder, path)).splitlines() if path else []:
            m = re.search(r"(\d+)\.(\d+): +(?:kmem:)?(mm_page_\w+): .*?pfn=(\w+)", line)
            if "PERF_RECORD_LOST" in line or " LOST " in line:
                n = re.search(r"lost (\d+)|LOST (\d+)", line)
                self.lost += int(n[1] or n[2])
            if not m:
                continue
            when, event = int(m[1]) * 10**9 + int((m[2] + "0" * 9)[:9]), m[3]
            inside = begin < when < end
            if inside:
                self.window[event] = self.window.get(event, 0) + 1
            if event not in ("mm_page_alloc", "mm_page_free") or when >= end:
                continue
            pages.append((when, int(m[4], 0), int(re.search(r" order=(\d+)", line)[1]), event == "mm_page_alloc", inside))
        for when, pfn, order, alloc, inside in sorted(pages, key=lambda page: page[0]):  # lines of one time as they stand
            if pfn == 0:
                continue
            again = False
            for p in range(pfn, pfn + (1 << order)):
                again |= last.get(p) == alloc
                last[p] = alloc
                if inside:
                    self.last[p] = alloc
            self.alloc_again += again and alloc
            self.free_again += again and not alloc

    def held(self, runs):
        free, soft = set(), set()
        touched = sorted(self.last)
        i = 0
        for first, pages, kind in runs:
            while i < len(touched) and touched[i] < first + pages:
                if touched[i] >= first:
                    if kind == "free":
                        free.add(touched[i])
                    if kind in ("free", "other"):
                        soft.add(touched[i])
                i += 1
        a = [p for p, alloc in self.last.items() if alloc]
        f = [p for p, alloc in self.last.items() if not alloc]
        return (100 * sum(p not in free for p in a) / len(a) if a else None,
                100 * sum(p in soft for p in f) / len(f) if f else None)


class Case:
    def __init__(self, folder):
        self.folder = folder
        self.buddy = {m: buddy(folder, m) for m in ("before", "after")}
        self.unusable = {m: buddy(folder, m, "unusable_index") for m in ("before", "after")}
        self.extfrag = {m: buddy(folder, m, "extfrag_index") for m in ("before", "after")}
        self.info = {m: zoneinfo(folder, m) for m in ("before", "after")}
        self.slabs = {m: slabs(folder, m) for m in ("before", "after")}
        self.pgfree = {m: sum(int(x.split()[1]) for x in lines(folder, f"{m}.vmstat") if x.startswith("pgfree ")) for m in
                       ("before", "after")}
        self.isolated = {m: sum(int(x.split()[1]) for x in lines(folder, f"{m}.vmstat") if x.startswith("compact_isolated ")) for m in
                       ("before", "after")}
        self.events = Events(folder)
        self.held = self.events.held(pfnmap(folder, "after"))

    def kernel(self, metric):
        m = re.match(r"(before|after)\.slab\.(.*)\.(pages|objects)$", metric)
        if m:
            return int(self.slabs[m[1]][m[2]][5 if m[3] == "pages" else 4])
        m = re.match(r"(before|after)\.meminfo\.(\w+)$", metric)
        if m:
            return next(int(x.split()[1]) for x in lines(self.folder, f"{m[1]}.meminfo") if x.startswith(m[2] + ":"))
        m = re.match(r"(before|after)\.((?:node\d+\.)?\w+)\.(.*)$", metric)
        if m:
            moment, zone, what = m.groups()
            w = what.split(".")
            if w[0] == "unusable_index":
                return index(self.unusable[moment][zone][int(w[1])])
            if w[0] == "extfrag_index":
                return index(self.extfrag[moment][zone][int(w[1])])
            if w[0] == "map_free_blocks":
                return int(self.buddy[moment][zone][int(w[1])])
            info = self.info[moment][zone]
            if w[0] == "watermark":
                return info[w[1]]
            if w[0] == "protection":
                return info["protection"][int(w[1])]
            if w[0] == "stat_threshold":
                return info["threshold"]
            if w[0].startswith("cpu"):
                return info["cpu"][w[0][3:]][w[1]]
        m = re.match(r"(?:follow|simulated)\.((?:node\d+\.)?\w+)\.free_blocks\.(\d+)$", metric)
        if m:
            return int(self.buddy["after"][m[1]][int(m[2])])
        m = re.match(r"events\.window\.(\w+)$", metric)
        if m:
            return self.events.window.get(m[1], 0)
        fixed = {"events.lines_not_understood": 0, "events.lost": 0, "recorded.contradictions_percent": 0,
                 "recorded.allocated_again": self.events.alloc_again, "recorded.freed_again": self.events.free_again,
                 "recorded.last_allocated_held_percent": self.held[0], "recorded.last_freed_held_percent": self.held[1],
                 "predict.blocks_contradicted": 0, "follow.free_blocks_off_percent": 0,
                 "simulated.free_blocks_off_percent": 0}
        if metric == "events.pages_freed":
            return self.pgfree["after"] - self.pgfree["before"]
        if metric == "compaction.isolated_pages":
            return self.isolated["after"] - self.isolated["before"]
        if metric in fixed:
            return fixed[metric]
        if re.match(r"predict\.\w+_percent$|compaction\.isolated_known_percent$", metric):
            return 100
        return None


AT_LEAST = ("events.pages_freed", "compaction.isolated_known_percent", "compaction.isolated_pages",
            "predict.blocks_known_percent", "predict.blocks_not_next_percent", "predict.lists_percent",
            "recorded.last_allocated_held_percent", "recorded.last_freed_held_percent")


def main():
    rows = json.load(open(sys.argv[1]))
    cases, bad, done = {}, 0, 0
    for r in rows:
        if r["verdict"] == "skipped":
            if not r["reason"]:
                print("skipped without a reason:", r)
                bad += 1
            continue
        if r["case"] not in cases:
            sub = os.path.join(sys.argv[2], r["case"])
            cases[r["case"]] = Case(sub if os.path.isdir(sub) else sys.argv[2])
        kernel = cases[r["case"]].kernel(r["metric"])
        digits = 6 if kernel is None or isinstance(kernel, int) else 3
        if kernel is None or not math.isclose(kernel, r["kernel"], abs_tol=0.51 * 10**-digits):
            print(f"{r['case']} {r['metric']}: the kernel's value is {kernel}, the row says {r['kernel']}")
            bad += 1
        over = r["kernel"] - r["model"] if r["metric"] in AT_LEAST else abs(r["kernel"] - r["model"])
        if (over <= r["tolerance"] + 1e-3) != (r["verdict"] == "ok") and abs(over - r["tolerance"]) > 1e-3:
            print(f"{r['case']} {r['metric']}: {r['verdict']} does not follow from {r}")
            bad += 1
        done += 1
    print(f"{done} rows recounted, {bad} differ")
    return 1 if bad or not done else 0


if __name__ == "__main__":
    sys.exit(main())
