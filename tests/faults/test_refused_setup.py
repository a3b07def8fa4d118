"""FAULTS.md, 23: 453, 461, 503 and 551 at SETUP, each with its own consequence."""

from __future__ import annotations

import pytest
from faulty import clean_camera, open_plainly

from rtspkit import ResponseError, TooManySessions, UnsupportedTransport
from rtspkit.engine.events import StreamSkipped, TransportRejected
from rtspkit.errors import OptionNotSupported, ServiceUnavailable
from rtspkit.testing.actions import Reply
from rtspkit.testing.camera import Camera

REFUSALS = {453: TooManySessions, 503: ServiceUnavailable, 551: OptionNotSupported}
RETRYABLE = {453: True, 503: True, 551: False}


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("transport", ["auto", "udp", "tcp"])
async def test_a_refusal_of_every_stream_is_its_own_error_and_no_reason_to_change_transport(
    transport, status
):
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(status))
        with pytest.raises(ResponseError) as caught:
            await open_plainly(camera.url, transport=transport)
        assert camera.connections_made == 1
        assert camera.sessions_made == 0
    assert type(caught.value) is REFUSALS[status]
    assert (caught.value.status_code, caught.value.phase) == (status, "setup")
    assert caught.value.retryable is RETRYABLE[status]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("streams", [None, ("video", "audio")], ids=["all", "named"])
async def test_a_refusal_of_the_second_stream(status, streams):
    """What nobody named may be left out; but a server that is full is full."""
    fatal = streams is not None or status == 453
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(status), nth=2)
        if fatal:
            with pytest.raises(REFUSALS[status]):
                await open_plainly(camera.url, transport="tcp", streams=streams)
            assert camera.sessions_made == 1
            assert methods(camera)[-1] == "TEARDOWN"
            return
        async with open_plainly(camera.url, transport="tcp", streams=streams) as session:
            assert [stream.media for stream in session.streams] == ["video"]
            await anext(session.packets())
        skipped = [e async for e in session.events() if isinstance(e, StreamSkipped)]
    assert [type(event.error) for event in skipped] == [REFUSALS[status]]


async def test_461_at_the_first_stream_takes_the_next_transport_on_the_same_connection():
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(461), nth=1)
        async with open_plainly(camera.url) as session:
            assert session.transport == "tcp"
            await anext(session.packets())
        rejected = [e async for e in session.events() if isinstance(e, TransportRejected)]
        assert camera.connections_made == 1
        assert methods(camera)[:4] == ["DESCRIBE", "SETUP", "DESCRIBE", "SETUP"]  # afresh
    assert [(event.transport, event.following) for event in rejected] == [("udp", "tcp")]


async def test_461_at_the_second_stream_takes_the_next_transport_on_another_connection():
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(461), nth=2)
        async with open_plainly(camera.url) as session:
            assert session.transport == "tcp"
            assert len(session.streams) == 2
            await anext(session.packets())
        assert camera.connections_made == 2
        assert methods(camera).count("TEARDOWN") == 2  # of the half that stood, and of the whole


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_461_where_there_is_no_other_transport_is_an_error(transport):
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(461))
        with pytest.raises(UnsupportedTransport) as caught:
            await open_plainly(camera.url, transport=transport)
        assert methods(camera) == ["DESCRIBE", "SETUP"]
    assert not caught.value.retryable


async def test_461_to_everything_ends():
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(461))
        with pytest.raises(UnsupportedTransport):
            await open_plainly(camera.url)
        assert camera.connections_made <= 2


async def test_461_to_everything_asks_for_each_transport_once():
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(461))
        with pytest.raises(UnsupportedTransport):
            await open_plainly(camera.url)
        assert methods(camera).count("SETUP") == 2


@pytest.mark.parametrize("status", [400, 403, 404, 406, 415, 451, 454, 455, 459, 460, 500, 505])
async def test_any_other_refusal_has_its_error_too(status):
    async with clean_camera() as camera:
        camera.script("SETUP", Reply(status))
        with pytest.raises(ResponseError) as caught:
            await open_plainly(camera.url)
        assert camera.connections_made == 1
    assert caught.value.status_code == status
