"""results.sqlite against the result folders, cell by cell: series at equal distances, statistics, units. Also rows with empty cells
and points whose columns differ. Arguments: the program, the samples."""
import csv, glob, json, os, sqlite3, subprocess, sys, tempfile

prog, samples = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
ROWS_MOST = 100  # docs/sweep.md


def run(*args):
    subprocess.run([prog, *args], check=True, stdout=subprocess.DEVNULL)


def kept(rows):
    """The first, the last, and equal distances between."""
    want = min(ROWS_MOST, len(rows))
    return [(k * (len(rows) - 1) // (want - 1) if want > 1 else 0) for k in range(want)]


def compare(folder):
    db = sqlite3.connect(os.path.join(folder, "results.sqlite"))
    names = dict(db.execute("SELECT name, col FROM series_columns"))
    units = dict(db.execute("SELECT name, unit FROM series_columns"))
    cells = empty = 0
    for point in sorted(glob.glob(os.path.join(folder, "points", "*"))):
        index = int(os.path.basename(point).split("-")[0])
        with open(os.path.join(point, "stats.json")) as f:
            columns = json.load(f)["series"]["columns"]
        with open(os.path.join(point, "series.csv")) as f:
            head, *rows = list(csv.reader(f))
        expected = {}
        for row in kept(rows):
            for name, text in zip(head, rows[row]):
                if text:
                    expected[row, names[name]] = float(text)
                empty += not text
        got = {(row, col): value for row, col, value in db.execute("SELECT row, col, value FROM series WHERE run = ?", (index,))}
        assert got == expected, f"{point}: {set(got.items()) ^ set(expected.items())}"
        for name in head:
            assert units[name] == columns.get(name), f"{name}: {units[name]} is not {columns.get(name)}"
        cells += len(got)
    assert db.execute("SELECT count(*) FROM series").fetchone()[0] == cells
    return cells, empty


with tempfile.TemporaryDirectory() as tmp:
    os.chdir(tmp)
    # two machines with other columns, a few rows each, and more than a hundred
    with open("s.json", "w") as f:
        json.dump({"sim": {"mode": "functional", "interval": 2000},
                   "sweep": {"axes": {"preset": ["@default", "@zen4"]}, "traces": [os.path.join(samples, "gzip.mtr")]}}, f)
    run("sweep", "s.json", "-o", "out", "-s", "sim.limit=400000")
    cells, empty = compare("out")
    assert cells > 2 * ROWS_MOST * 50, cells
    # cells of one point are emptied: in the midst, at the start and at the end of rows
    path = sorted(glob.glob("out/points/0000-*/series.csv"))[0]
    with open(path) as f:
        lines = f.read().splitlines()
    for i, at in ((1, 0), (1, 5), (2, -1), (len(lines) - 1, 7)):
        fields = lines[i].split(",")
        fields[at] = ""
        lines[i] = ",".join(fields)
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    run("collect", "out")
    fewer, empty = compare("out")
    assert empty >= 3 and fewer == cells - empty, (cells, fewer, empty)
    print(f"{fewer} cells as in the result folders, {empty} empty")
