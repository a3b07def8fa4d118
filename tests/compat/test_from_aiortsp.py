"""The example for those who come from aiortsp."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from rtspkit.testing.camera import Camera

EXAMPLE = Path(__file__).parents[2] / "examples" / "from_aiortsp.py"


@pytest.mark.virtual_clock
async def test_it_counts_and_survives_a_loss(capsys):
    spec = importlib.util.spec_from_file_location("from_aiortsp", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    async with Camera() as camera:
        asyncio.get_running_loop().call_later(3, camera.kill)
        await example.watch(camera.url, 8)
        assert camera.connections_made >= 2
        assert camera.sessions == {}
    playing, closed, again, counted, sent, end = capsys.readouterr().out.splitlines()
    assert playing == again == "playing H264"
    assert closed.startswith("closed: ")
    packets, pictures = counted.split()[0:3:2]
    assert 100 < int(pictures) <= int(packets)
    assert float(sent.removeprefix("sent at ")) > 1.7e9  # Unix seconds
    assert end == "closed: in order"


def test_it_is_short():
    assert 30 <= len(EXAMPLE.read_text().splitlines()) <= 60
