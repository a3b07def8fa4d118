"""Processes that end with their ``with`` block."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.child import Child, end

WAITS = "import sys; sys.stdin.read()"
STAYS = "import sys, time; print('up', flush=True); sys.stdin.read(); time.sleep(60)"


def started(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(("program", "status"), [(WAITS, 0), (STAYS, -9)])
def test_it_is_told_to_end_and_made_to(program, status):
    process = started(program)
    if program is STAYS:
        assert process.stdout is not None
        process.stdout.readline()
    end(process, 10 if status == 0 else 0.05)
    assert process.returncode == status
    assert process.stdin is not None
    assert process.stdin.closed


def test_the_end_of_the_block_closes_whatever_happens():
    closed = []

    class One(Child):
        def close(self) -> None:
            closed.append(self)

    with pytest.raises(ZeroDivisionError), One() as one:
        _ = 1 / 0
    assert closed == [one]
