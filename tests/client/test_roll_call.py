"""A session is back when each of its streams is; and says which are not."""

from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.roll_call import RollCall
from rtspkit.errors import ConnectionLost, DeadlineExceeded, TooManySessions
from rtspkit.wire.rtp import RtpPacket, parse_rtp, serialize_rtp
from rtspkit.wire.stream import Stream

VIDEO = Stream(0, "video", "H264", 96, 90_000)
AUDIO = Stream(1, "AUDIO", "PCMU", 0, 8000)
METADATA = Stream(2, "application", "vnd.onvif.metadata", 98, 90_000)

pytestmark = pytest.mark.virtual_clock


def packets(*streams: Stream) -> list[RtpPacket]:
    made = []
    for stream in streams:
        data = serialize_rtp(b"x", payload_type=96, sequence_number=1, timestamp=1, ssrc=1)
        packet = parse_rtp(data)
        packet.stream = stream
        made.append(packet)
    return made


async def test_it_is_complete_with_the_last_one_that_was_missing():
    call = RollCall()
    call.expect({VIDEO, AUDIO})
    waiting = asyncio.ensure_future(call.complete(5.0))
    assert call.answer(packets(VIDEO, VIDEO)) is False
    await asyncio.sleep(0)
    assert call.missing == {AUDIO}
    assert not waiting.done()
    assert call.answer(packets(VIDEO, AUDIO)) is True
    await waiting
    assert call.answer(packets(VIDEO)) is True


async def test_media_that_may_be_silent_is_not_waited_for():
    call = RollCall()
    call.expect({VIDEO, METADATA})
    assert call.missing == {VIDEO}
    assert call.answer(packets(METADATA)) is False
    assert call.answer(packets(VIDEO)) is True


@pytest.mark.parametrize("streams", [set(), {METADATA}])
async def test_with_nobody_to_wait_for_it_is_complete_at_once(streams):
    loop = asyncio.get_running_loop()
    call = RollCall()
    call.expect(streams)
    began = loop.time()
    await call.complete(5.0)
    assert loop.time() == began


async def test_who_has_not_come_in_time_is_named():
    loop = asyncio.get_running_loop()
    call = RollCall()
    call.expect({VIDEO, AUDIO})
    began = loop.time()
    with pytest.raises(DeadlineExceeded) as caught:
        await call.complete(2.5)
    assert loop.time() - began == pytest.approx(2.5)
    assert str(caught.value) == (
        "first packet: AUDIO PCMU, video H264 did not come back within 2.5 s"
    )
    assert (caught.value.phase, caught.value.seconds) == ("first packet", 2.5)


@pytest.mark.parametrize("error", [ConnectionLost("reset"), TooManySessions("PLAY", 453)])
async def test_the_end_of_the_connection_is_its_end(error):
    call = RollCall()
    call.expect({VIDEO})
    waiting = asyncio.ensure_future(call.complete(5.0))
    await asyncio.sleep(0)
    call.fail(error)
    with pytest.raises(type(error)) as caught:
        await waiting
    assert caught.value is error


async def test_an_end_in_order_is_no_return_either():
    call = RollCall()
    call.expect({VIDEO})
    call.fail(None)
    with pytest.raises(ConnectionLost, match="ended at once") as caught:
        await call.complete(5.0)
    assert caught.value.phase == "first packet"


async def test_what_comes_first_counts():
    call = RollCall()
    call.expect({VIDEO})
    call.answer(packets(VIDEO))
    call.fail(ConnectionLost("too late"))
    await call.complete(5.0)
    call = RollCall()
    call.expect({VIDEO})
    call.fail(ConnectionLost("first"))
    call.fail(ConnectionLost("second"))
    call.answer(packets(VIDEO))
    with pytest.raises(ConnectionLost, match="first"):
        await call.complete(5.0)


async def test_a_failure_that_nobody_waits_for_is_no_exception_of_the_loop():
    RollCall().fail(ConnectionLost("gone"))  # the fixture looks for what the loop was told


async def test_given_up_it_leaves_nothing():
    call = RollCall()
    call.expect({VIDEO})
    waiting = asyncio.ensure_future(call.complete(5.0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
