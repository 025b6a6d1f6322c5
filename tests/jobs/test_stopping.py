"""Ctrl-C on a terminal: what is said while the bar is up."""

import os
import pty
import re
import sys

BAR = """
import sys, time
from jobs import ending
from jobs.engine.connect import Stop
from jobs.terminal.bar import Bar
from jobs.terminal.console import console

with ending.handled(), Bar(console) as bar:
    bar.update("encoders 3 of 9", 0.3, "about 2 min left")
    stop = Stop(3600.0)
    print("ready", flush=True)
    while not stop.asked:
        time.sleep(0.01)
    sys.stdin.readline()  # the test has read the line; until then the bar is up
"""


def test_ctrl_c_on_a_terminal_is_answered_at_once_above_the_bar():
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120")
        os.execv(sys.executable, [sys.executable, "-c", BAR])
    try:
        said = _read(terminal, "ready")
        os.write(terminal, b"\x03")
        said = _read(
            terminal, "stopping: encoders in flight have 3600 s; press again to end at once", "encoders 3 of 9"
        )
        assert said.index("stopping:") < said.rindex("encoders 3 of 9")  # the bar is drawn below it
        os.write(terminal, b"\n")
        assert "qre: stopped by Ctrl-C; what is done is kept" in _read(terminal)
    finally:
        os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130


def _read(terminal: int, *wanted: str) -> str:
    """What is on the terminal, without colours and cursor movements, once these come one after another; all until its
    end where nothing is wanted."""
    said, pattern = "", re.compile(".*".join(map(re.escape, wanted)), re.DOTALL)
    while not wanted or not pattern.search(said):
        try:
            part = os.read(terminal, 4096)
        except OSError:  # of a terminal whose process has ended
            part = b""
        if not part:
            assert not wanted, said
            break
        said = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said + part.decode(errors="replace"))
    return said
