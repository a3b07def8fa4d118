"""``python -m rtspkit`` is the command."""

import os
import subprocess
import sys
from pathlib import Path

import rtspkit


def test_runs_the_command():
    package = str(Path(rtspkit.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "rtspkit", "--version"],
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, f"rtspkit {rtspkit.__version__}\n")
