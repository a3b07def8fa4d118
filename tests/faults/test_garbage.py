"""FAULTS.md, 13: bytes that belong to nothing in the interleaved stream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest
from faulty import Consumer, open_plainly
from raw_server import Peer, RawServer, reply, rtp

from rtspkit import LimitExceeded, RtspError
from rtspkit.wire.message import Request, serialize_frame

ATTEMPTS = 100  # of each kind
MOST = 60_000  # bytes of garbage: less than limits.garbage
IN_STEP_AGAIN = 64 * 1024  # bytes of good frames after the garbage, at most
BEFORE = 5  # packets
FRAMES_BEHIND = IN_STEP_AGAIN // len(serialize_frame(0, rtp(0)))
LAST = BEFORE + FRAMES_BEHIND - 1


def noise(generator: random.Random, size: int) -> bytes:
    return generator.randbytes(size)


def dollars(generator: random.Random, size: int) -> bytes:
    """What looks like the beginning of a frame, again and again."""
    return b"".join(
        b"$" + generator.randbytes(1 + generator.randrange(9)) for _ in range(size // 6)
    )


def text(generator: random.Random, size: int) -> bytes:
    """A log file, with words of the protocol in it."""
    words = [b"RTSP", b"RTSP/", b"GET", b" ", b"\r\n", b"\r\n\r\n", b"$", b"200 OK", b"CSeq: 1"]
    return b"".join(generator.choice(words) for _ in range(size // 4))


def cut_frames(generator: random.Random, size: int) -> bytes:
    """Frames that lack their beginning or their end."""
    out = bytearray()
    while len(out) < size:
        frame = serialize_frame(0, rtp(generator.randrange(65_536)))
        cut = generator.randrange(4, len(frame))
        out += frame[cut:] if generator.random() < 0.5 else frame[:cut]
    return bytes(out)


def zeros(generator: random.Random, size: int) -> bytes:
    return bytes(size)


async def sequence_numbers(garbage: bytes) -> list[int]:
    """What a session receives of good packets with this between them."""

    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(BEFORE) + garbage)
        peer.write(peer.media(FRAMES_BEHIND))
        peer.transport.close()

    received: list[int] = []
    async with RawServer({"PLAY": play}) as server:
        try:
            async with open_plainly(server.url, transport="tcp") as session:
                async for packet in session.packets():
                    received.append(packet.sequence_number)
                    if received[-1] == LAST:
                        break
        except RtspError:
            pass  # this attempt counts as failed
    return received


@pytest.mark.asyncio(loop_factories=["asyncio"])
@pytest.mark.parametrize("make", [noise, dollars, text, cut_frames, zeros])
async def test_in_step_again_within_64_kib(make: Callable[[random.Random, int], bytes]):
    failed = []
    for seed in range(ATTEMPTS):
        generator = random.Random(f"{make.__name__} {seed}")
        garbage = make(generator, generator.randrange(1, MOST))
        received = await sequence_numbers(garbage)
        if LAST not in received:
            failed.append(seed)
    assert len(failed) <= ATTEMPTS / 100, failed


async def test_a_session_lives_through_garbage_again_and_again():
    """And what it skipped is in the statistics."""
    generator = random.Random(13)

    def answer(request: Request, peer: Peer) -> None:
        peer.write(b"\0" + generator.randbytes(200).replace(b"$", b"\0"))
        peer.write(peer.media(20) + reply(request, Session="1"))

    async with RawServer({"GET_PARAMETER": answer}) as server:
        async with open_plainly(server.url, transport="tcp") as session:
            for _ in range(30):
                await session.get_parameter()
            stats = session.stats()
            assert session.state == "playing"
        await server.until(lambda: server.peers[0].closed.done())
    assert stats.skipped_bytes >= 30 * 200
    assert stats.packets >= 3 + 30 * 19


async def test_garbage_without_end_is_a_typed_error():
    def play(request: Request, peer: Peer) -> None:
        peer.write(reply(request, Session="1") + peer.media(2) + b"\xee" * 66_000)

    async with RawServer({"PLAY": play}) as server:
        async with (
            open_plainly(server.url, transport="tcp") as session,
            Consumer(session.packets()) as consumer,
        ):
            await asyncio.wait([consumer.task])
            with pytest.raises(LimitExceeded) as caught:
                consumer.task.result()
        await server.until(lambda: server.peers[0].closed.done())
    assert caught.value.limit == "garbage"
