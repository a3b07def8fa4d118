"""FAULTS.md, 26: the process has no file descriptor left.

The client is a process of its own: a server that has none either could not accept it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty import clean_camera

PROGRAM = Path(__file__).parents[1] / "helpers" / "exhausted.py"
ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds, for the whole program
AT_ONCE = 1.0  # seconds for an error, and for working again
SPIN = 0.5  # CPU seconds that no attempt takes unless it spins

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")


async def outcomes(loop: str) -> list[dict[str, Any]]:
    async with clean_camera(speed=5) as camera:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", str(PROGRAM), loop, camera.url),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PATIENCE):
                out, errors = await program.communicate()
        finally:
            if program.returncode is None:
                program.kill()
                await program.wait()
        assert (program.returncode, errors.decode()) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_typed_error_no_spin_and_it_works_again(loop):
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    *attempts, playing = await outcomes(loop)
    for attempt in attempts:
        assert attempt["error"] is None or attempt["typed"], attempt
        assert attempt["seconds"] < AT_ONCE, attempt
        assert attempt["cpu"] < SPIN, attempt
        assert attempt["again"] < AT_ONCE, attempt
    for transport in ("udp", "tcp", "auto"):
        of_it = [attempt for attempt in attempts if attempt["transport"] == transport]
        assert of_it[0]["error"] == "ConnectError", of_it[0]
        assert "too many open files" in of_it[0]["words"]
        assert of_it[-1]["error"] is None, of_it[-1]  # and with enough of them, it plays
    assert playing["state"] == "playing"
    assert playing["cpu"] < SPIN


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_what_passes_by_itself_is_worth_another_try():
    *attempts, _ = await outcomes("asyncio")
    assert {attempt["retryable"] for attempt in attempts if attempt["error"]} == {True}
