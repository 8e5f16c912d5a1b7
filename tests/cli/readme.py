#!/usr/bin/env python3
"""readme.py PROGRAM SOURCE_DIR: the commands of README.md ("$ ..." in code blocks) print what it shows.

They run in order in an empty folder that has `traces` and `configs`. Output after a line "..." is not compared; a block with valgrind is
left out, since what it records depends on the host; so is a command whose tool (gnuplot, QEMU) is not there."""
import os
import re
import shutil
import subprocess
import sys
import tempfile


def commands(text):
    for block in re.findall(r"^```\n(.*?)^```", text, re.S | re.M):
        if "valgrind" in block:
            continue
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown


def main():
    program, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    with open(os.path.join(source, "README.md"), encoding="utf-8") as f:
        text = f.read()
    env = dict(os.environ, LC_ALL="C.UTF-8", PATH=os.path.dirname(program) + ":" + os.environ["PATH"])
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(os.path.join(source, "traces"), os.path.join(folder, "traces"))
        os.symlink(os.path.join(source, "configs"), os.path.join(folder, "configs"))
        for command, shown in commands(text):
            if " plot " in command and not shutil.which("gnuplot"):
                continue
            if "sort.mtr" in command and not shutil.which("qemu-x86_64"):
                continue
            run = subprocess.run(command, shell=True, cwd=folder, env=env, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False)
            got, part = run.stdout, "\n...\n" in "\n" + shown
            if part:
                shown = shown.split("...\n")[0]
                got = got[:len(shown)]
            if run.returncode not in ((0, 2) if shown else (0,)) or got != shown:
                failed += 1
                print(f"$ {command}   (exit {run.returncode})\n--- README.md\n{shown}--- now\n{got}")
    print("readme: PASS" if not failed else
          f"readme: FAIL: {failed} commands print something else; if the new output is right, put it into README.md")
    return failed != 0


sys.exit(main())
