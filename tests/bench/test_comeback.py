"""A fault, and the way back, measured: what the figures of ``bench faults`` are made of."""

from __future__ import annotations

import pytest

from bench.comeback import (
    FAULTS,
    FIRST_PORT,
    LAST_PORT,
    Fault,
    open_camera,
    run,
    run_together,
    silent_after,
)
from rtspkit.errors import ConnectError

transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


@transports
async def test_a_reset_is_noticed_at_once_and_recovered_from(transport):
    found = await run(FAULTS["9: reset"], transport, 0.1)
    assert found.noticed < 0.2
    assert found.recovery < 1
    assert found.waited <= found.recovery
    assert found.attempts == 1


async def test_recovery_is_counted_from_when_the_server_serves_again():
    found = await run(FAULTS["19: back with H.265"], "tcp", 0.1)
    assert found.noticed < 0.2
    assert 0 < found.waited <= found.recovery < 1
    assert found.attempts == 2


async def test_a_server_that_stays_away_is_no_recovery(monkeypatch):
    monkeypatch.setattr("bench.comeback.PATIENCE", 0.3)

    async def gone(stage) -> float:
        await stage.camera.aclose()
        return stage.struck

    found = await run(Fault("gone", gone), "tcp", 0.1)
    assert found.recovery is None
    assert found.noticed < 0.2
    assert found.attempts >= 1


async def test_whoever_cannot_connect_at_all_says_so(monkeypatch):
    async def closed(**options):
        camera = await open_camera(**options)
        await camera.aclose()
        return camera

    monkeypatch.setattr("bench.comeback.open_camera", closed)
    monkeypatch.setattr(
        "bench.comeback.silent_after", lambda fault: silent_after(fault).__class__(connect=0.3)
    )
    with pytest.raises(ConnectError):
        await run(FAULTS["9: reset"], "tcp", 0.1)


async def test_many_are_struck_at_once_and_each_has_its_figures():
    camera = await open_camera()

    async def strike() -> float:
        camera.kill()
        return camera.now()

    found = await run_together(camera.url, "tcp", 3, strike)
    assert len(found) == 3
    assert all(one.recovery < 1 and one.attempts == 1 for one in found)
    await camera.aclose()


async def test_cameras_have_ports_that_no_client_is_given():
    one, other = await open_camera(), await open_camera()
    assert one.port != other.port
    assert all(FIRST_PORT <= camera.port < LAST_PORT for camera in (one, other))
    for camera in (one, other):
        await camera.aclose()
