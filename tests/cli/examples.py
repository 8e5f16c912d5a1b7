#!/usr/bin/env python3
"""examples.py PROGRAM SOURCE_DIR: the one command of each docs/examples/*.md runs, draws the pictures, and what the page says holds."""
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile


def table(folder, name):
    """{(axis values ..., trace): value} of a statistic, or of the end of a series ("series.NAME")."""
    db = sqlite3.connect(os.path.join(folder, "results.sqlite"))
    columns = [c[1] for c in db.execute("PRAGMA table_info(points)")][5:]
    axes = ", ".join('"%s"' % c for c in columns)
    if name.startswith("series."):
        rows = db.execute(f"SELECT {axes}, trace, value, max(row) FROM points JOIN series USING(run) JOIN series_columns USING(col) "
                          "WHERE name = ? GROUP BY run", (name[7:],))
        return {r[:-2]: r[-2] for r in rows}
    return {r[:-1]: r[-1] for r in db.execute(f"SELECT {axes}, trace, value FROM points JOIN statistics USING(run) WHERE name = ?", (name,))}


def falls(values):
    return all(b <= a for a, b in zip(values, values[1:]))


def tlb_reach(folder):
    m = table(folder, "cpu0.stlb.misses")
    sizes = sorted({k[0] for k in m})
    for page in ("4KiB", "2MiB"):
        for trace in ("cc1.mtr", "python3.mtr", "chase.mtr"):
            assert falls([m[e, page, trace] for e in sizes]), "more entries, more misses: %s" % trace
    assert m[3072, "4KiB", "python3.mtr"] < m[48, "4KiB", "python3.mtr"] / 2
    assert m[3072, "4KiB", "chase.mtr"] == m[48, "4KiB", "chase.mtr"], "no TLB of the sweep reaches over the chase in 4 KiB pages"
    assert m[96, "2MiB", "chase.mtr"] > 1000 and m[192, "2MiB", "chase.mtr"] < 10, "its 128 pages of 2 MiB fit 192 entries, not 96"
    return 42


def cache_sizes(folder):
    c = table(folder, "sim.cycles")
    l2, l1 = sorted({k[0] for k in c}), sorted({k[1] for k in c})
    for trace in ("cc1.mtr", "python3.mtr"):
        for size in l1:
            assert falls([c[s, size, trace] for s in l2]), "a larger L2 is slower: %s" % trace
    gain = {t: 1 - c[l2[-1], 32768, t] / c[l2[0], 32768, t] for t in ("cc1.mtr", "python3.mtr")}
    assert gain["python3.mtr"] > 0.25 and gain["cc1.mtr"] < 0.15, gain
    for trace in gain:
        side = 1 - c[l2[0], l1[-1], trace] / c[l2[0], l1[0], trace]
        assert side < gain[trace] / 3, "the L1 matters more than the page says"
    return 40


def memory_size(folder):
    u = table(folder, "series.zone_dma_unusable_9")
    mib = sorted({k[0] for k in u})
    for trace in ("gzip.mtr", "cc1.mtr"):
        assert falls([u[m, "false", trace] for m in mib]), "without grouping it falls"
        for m in mib:
            if m < 10 * 2**20 + 1:
                assert u[m, "true", trace] == u[m, "false", trace], "grouping is off below five pageblocks"
            else:
                assert u[m, "true", trace] > u[m, "false", trace] + 0.1
    assert u[4 << 20, "true", "cc1.mtr"] == 1
    return 28


def ends(folder, name):
    """The same where the trace is one recorded kernel: {axis value: value}."""
    return {k[0]: v for k, v in table(folder, name).items()}


def slab_designs(folder):
    held, taken, asked = (ends(folder, "slab." + s) for s in ("pages", "page_allocs", "requested_bytes"))
    assert len(set(asked.values())) == 1, "the objects depend on the design"
    assert held["slob"] < held["slab"] <= held["slub"], held
    assert taken["slob"] > 10 * taken["slub"] > 10 * taken["slab"], taken
    return 3


def allocators(folder):
    allocs, lost = ends(folder, "replay.simulated.allocs"), ends(folder, "replay.simulated.failures")
    assert len(set(allocs.values())) == 1 and not any(lost.values())
    ones = ends(folder, "series.zone_normal_free_0")
    assert ones["best_fit"] < ones["textbook"] < ones["buddy"] < ones["first_fit"] < ones["bitmap"] and ones["best_fit"] < 0.9 * ones["buddy"], ones
    hits, refills = ends(folder, "pcp.hits"), ends(folder, "pcp.refill_pages")
    assert hits["buddy"] > 0.95 * allocs["buddy"] > 50 * refills["buddy"] > 0 and not any(hits[a] for a in hits if a != "buddy"), (hits, refills)
    whole = ends(folder, "series.zone_normal_free_10")
    assert whole["bitmap"] == whole["buddy"] < whole["textbook"] == whole["best_fit"] == whole["first_fit"], whole
    return 5


def by(folder, name, *axes):
    """{values of these axes: value}, keyed by the ends of the axes' names."""
    db = sqlite3.connect(os.path.join(folder, "results.sqlite"))
    columns = [c[1] for c in db.execute("PRAGMA table_info(points)")][5:]
    wanted = ", ".join('"%s"' % next(c for c in columns if c.endswith(a)) for a in axes)
    return {r[:-1]: r[-1] for r in db.execute(f"SELECT {wanted}, value FROM points JOIN statistics USING(run) WHERE name = ?", (name,))}


def connections(folder):
    lost, tail, held = (by(folder, "calls." + s, "connections", "blocks", "calls.name") for s in
                        ("large_failures", "large_alloc.p99", "mean_held_bytes"))
    small = by(folder, "calls.small_alloc.p50", "connections", "blocks", "calls.name")
    for who in ("kmalloc", "cache", "mempool", "pages", "vmalloc"):
        for blocks in ("kmalloc", "pages", "vmalloc", "kvmalloc"):
            assert lost[who, blocks, "fresh"] == lost[who, blocks, "aged, compaction"] == 0
            assert (lost[who, blocks, "aged"] > 50) == (blocks in ("kmalloc", "pages")), "who needs neighbours fails, the others do not"
        for blocks in ("kmalloc", "pages"):
            assert tail[who, blocks, "fresh"] < 1000 and tail[who, blocks, "aged, compaction"] > 1000000
        assert tail[who, "kvmalloc", "fresh"] == tail[who, "kmalloc", "fresh"]
        assert tail[who, "kvmalloc", "aged"] > tail[who, "vmalloc", "aged"] > 100000
    asked = by(folder, "calls.mean_live_bytes", "connections", "blocks", "calls.name")["kmalloc", "kmalloc", "fresh"]
    waste = {who: held[who, "kmalloc", "fresh"] - asked for who in ("kmalloc", "cache", "mempool", "pages", "vmalloc")}
    assert waste["cache"] < waste["mempool"] < waste["kmalloc"] / 3 and waste["kmalloc"] < waste["pages"] / 2 < waste["vmalloc"] / 2, waste
    assert small["vmalloc", "kmalloc", "fresh"] > 10 * small["kmalloc", "kmalloc", "fresh"]
    assert lost["pages", "kmalloc", "aged"] > lost["cache", "kmalloc", "aged"] + 20
    assert not any(by(folder, "mempool.from_reserve", "connections", "blocks", "calls.name").values())
    return 60


def fragmentation_ways(folder):
    held, pinned, free = (by(folder, s, "calls.name") for s in ("calls.held_bytes", "fragmentation.blocks_with_unmovable",
                                                               "fragmentation.free_2m"))
    held, pinned, free = ({k[0]: v for k, v in d.items()} for d in (held, pinned, free))
    alive = by(folder, "calls.live_bytes", "calls.name")["baseline",]
    assert not any(by(folder, "calls.failures", "calls.name").values())
    assert held["baseline"] > 10 * alive and held["chunks"] > 40 * alive and held["short lives"] < held["baseline"] / 20
    assert held["powers of two"] == held["baseline"] and pinned["powers of two"] == pinned["baseline"]
    assert abs(held["own CPU"] - held["baseline"]) < held["baseline"] / 100
    assert pinned["a cache each"] < 0.75 * pinned["baseline"] and held["a cache each"] > 0.8 * held["baseline"]
    assert held["pool"] == by(folder, "calls.peak_held_bytes", "calls.name")["pool",]
    assert held["together"] < held["baseline"] / 3 and pinned["together"] == pinned["baseline"]
    assert max(free, key=free.get) == "together, chunks" and min(free, key=free.get) == "chunks"
    empty = by(folder, "fragmentation.blocks_free", "calls.name")["short lives",]
    assert empty > free["short lives"] + 40, "pages on the CPUs' lists keep blocks from merging"
    return 9


CLAIMS = {"connections": connections, "fragmentation-ways": fragmentation_ways, "slab-designs": slab_designs, "allocators": allocators, "tlb-reach": tlb_reach, "cache-sizes": cache_sizes, "memory-size": memory_size}


def main():
    program, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    env = dict(os.environ, LC_ALL="C.UTF-8", PATH=os.path.dirname(program) + ":" + os.environ["PATH"])
    pages = {f[:-3] for f in os.listdir(os.path.join(source, "docs/examples")) if f.endswith(".md")}
    assert pages == set(CLAIMS), "a page without a claim that is tested, or a claim without its page: %s" % (pages ^ set(CLAIMS))
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(source, "configs"), os.path.join(folder, "configs"))
        for name, claim in CLAIMS.items():
            with open(os.path.join(source, "docs/examples", name + ".md"), encoding="utf-8") as f:
                text = f.read()
            assert os.path.getsize(os.path.join(source, "docs/examples", name + ".png")) < 150000
            block = re.search(r"^```\n(.*?)^```", text, re.S | re.M).group(1)
            assert len(block.splitlines()) == 1, "a study is one command"
            for command in block.splitlines():
                if " sweep " in command and name == "tlb-reach":
                    command += " -s sim.limit=300000"  # the test is shorter than the example
                run = subprocess.run(command, shell=True, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     text=True, check=False)
                assert run.returncode == 0, f"{command}: exit {run.returncode}\n{run.stdout}"
            if shutil.which("gnuplot"):  # the page shows what the command draws, and all of it
                shown = set(re.findall(r"!\[[^]]*\]\(([^)]*)\)", text))
                drawn = {f for f in os.listdir(os.path.join(folder, name, "plots")) if f.endswith(".png")}
                assert shown == drawn and shown, f"{name}: the page shows {shown}, the command draws {drawn}"
                for picture in drawn:
                    assert os.path.getsize(os.path.join(folder, name, "plots", picture)) > 10000, "the picture is empty"
            else:
                print("skipped: gnuplot is not installed")
            points = claim(os.path.join(folder, name))
            result = os.path.join(folder, name)
            assert len(table(result, "sim.references") or table(result, "replay.lines.lines")) == points
            print(f"{name}: {points} points, the page's claims hold")


main()
