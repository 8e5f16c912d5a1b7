#!/usr/bin/env python3
"""ctrl_c.py PROGRAM ARG...: runs the program on a terminal of its own, presses Ctrl-C when it has said "started", prints what it said
and ends as it did."""
import os
import pty
import sys


def main():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    said, pressed = b"", False
    while True:
        try:
            got = os.read(terminal, 4096)
        except OSError: # the last process has left the terminal
            break
        if not got:
            break
        said += got
        if not pressed and b"started" in said:
            os.write(terminal, b"\x03")
            pressed = True
    sys.stdout.write(said.decode(errors="replace").replace("\r", "").replace("^C", ""))
    status = os.waitpid(pid, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


sys.exit(main())
