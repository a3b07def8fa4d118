"""SECURITY.md, media plane, by id: M1 to M4, M8, M9, M11 over real sockets and whole sessions."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from raw_server import SSRC, Peer, RawServer, bye, reply, rtp

import rtspkit
from rtspkit import Limits, Timeouts
from rtspkit.engine.events import SourceChanged
from rtspkit.net.batch import recvmmsg_works
from rtspkit.net.slab import DATAGRAMS, SlabPool
from rtspkit.net.udp_port import READS, WAKE_UP, UdpPort
from rtspkit.testing.camera import Camera
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import SenderReport, serialize_rtcp

HOST = "127.0.0.1"
STRANGER = 0x0BADF00D
MEBIBYTE = 1024 * 1024
SOON = 10.0  # seconds before a test fails
RECEIVERS = ["recvmmsg", "recv_into", "datagram"]
WAYS = pytest.mark.parametrize("way", ["tcp", *RECEIVERS])


class Media:
    """The media of a raw server: bytes on the RTP and the RTCP channel or port."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.server: RawServer | None = None
        self.session: rtspkit.Session | None = None
        self.socket: socket.socket | None = None
        self.ports = (0, 0)

    def send(self, *data: bytes, rtcp: bool = False) -> None:
        for one in data:
            if self.socket is not None:
                self.socket.sendto(one, (HOST, self.ports[rtcp]))
            else:
                assert self.server is not None
                self.server.peers[0].write(serialize_frame(int(rtcp), one))


@asynccontextmanager
async def playing(way: str, **options: object) -> AsyncIterator[Media]:
    """A session with a server whose every packet is ours."""
    if way == "recvmmsg" and not recvmmsg_works():
        pytest.skip("this system has no recvmmsg")
    media = Media(way)
    answers = {"PLAY": lambda request, peer: reply(request, Session="1")}
    async with RawServer(answers) as server:
        media.server = server
        if way != "tcp":
            media.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            media.socket.bind((HOST, 0))
            own = media.socket.getsockname()[1]
            server.server_port = f";server_port={own}-{own}"
            options["receiver"] = way
        transport = "tcp" if way == "tcp" else "udp"
        try:
            async with rtspkit.connect(server.url, transport=transport, **options) as session:
                media.session = session
                if way != "tcp":
                    media.ports = session.streams[0].transport.client_port
                yield media
        finally:
            if media.socket is not None:
                media.socket.close()


async def take(iterator: AsyncIterator[rtspkit.RtpPacket], count: int) -> list[int]:
    async with asyncio.timeout(SOON):
        return [(await anext(iterator)).sequence_number for _ in range(count)]


async def until(media: Media, condition: Callable[[], bool]) -> None:
    """Wait until something is so; the server answers meanwhile."""
    assert media.session is not None
    async with asyncio.timeout(SOON):
        while not condition():
            await media.session.get_parameter()


def stats(media: Media) -> rtspkit.StreamStats:
    assert media.session is not None
    return media.session.stats().streams[0]


# -- M1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", RECEIVERS)
async def test_m1_a_spoofer_with_the_right_source_and_sequence_gets_nothing_in(way):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spoofer:
        spoofer.bind((HOST, 0))
        async with playing(way) as media:
            iterator = media.session.packets()
            for number in range(100):
                evil = rtp(number, payload=b"evil")
                spoofer.sendto(evil, (HOST, media.ports[0]))
                spoofer.sendto(bye(), (HOST, media.ports[1]))
                media.send(rtp(number))
            async with asyncio.timeout(SOON):
                packets = [await anext(iterator) for _ in range(100)]
            assert [packet.sequence_number for packet in packets] == list(range(100))
            assert all(len(packet.payload) == 160 for packet in packets)
            counted = stats(media)
            assert (counted.duplicates, counted.malformed, counted.rtcp_packets) == (0, 0, 0)


# -- M2 -----------------------------------------------------------------------------------------


@WAYS
async def test_m2_a_stray_source_never_switches_and_two_packets_in_order_do(way):
    async with playing(way) as media:
        iterator = media.session.packets()
        for number in range(50):
            media.send(rtp(number), rtp(number + 1, ssrc=STRANGER))
        assert await take(iterator, 50) == list(range(50))
        await until(media, lambda: stats(media).unknown_ssrc == 50)
        media.send(*(rtp(number, ssrc=STRANGER) for number in range(900, 910)))
        assert await take(iterator, 10) == list(range(900, 910))
        assert media.session.state == "playing"
        assert stats(media).ssrc == STRANGER
        changes = [e for e in media.session._fanout._history if isinstance(e, SourceChanged)]
        assert [(e.before, e.ssrc) for e in changes] == [(SSRC, STRANGER)]


# -- M3 -----------------------------------------------------------------------------------------


@WAYS
async def test_m3_reports_and_farewells_of_others_are_counted_and_no_more(way):
    report = SenderReport(STRANGER, ntp=unix_to_ntp(1.7e9), rtp_timestamp=0)
    async with playing(way, timeouts=Timeouts(bye_grace=0.05)) as media:
        iterator = media.session.packets()
        media.send(rtp(0))
        assert await take(iterator, 1) == [0]
        media.send(serialize_rtcp([report]), bye(STRANGER), rtcp=True)
        await until(media, lambda: stats(media).rtcp_unknown_ssrc == 2)
        assert not media.session._supervisor.driver.playback._farewells
        media.send(rtp(1))
        assert await take(iterator, 1) == [1]
        assert media.session.state == "playing"
        assert stats(media).sender_reports == 0


@WAYS
async def test_m3_a_farewell_is_a_hint_that_media_takes_back(way):
    async with playing(way, timeouts=Timeouts(bye_grace=1)) as media:
        iterator = media.session.packets()
        media.send(rtp(0))
        assert await take(iterator, 1) == [0]
        media.send(bye(), rtcp=True)
        await until(media, lambda: stats(media).rtcp_packets == 1)
        assert media.session._supervisor.driver.playback._farewells
        media.send(rtp(1))
        assert await take(iterator, 1) == [1]
        assert not media.session._supervisor.driver.playback._farewells
        assert media.session.state == "playing"


# -- M4 -----------------------------------------------------------------------------------------

HEADER = rtp(0)[1:12]
LIES = [
    b"\xa0" + HEADER + b"\x00\x00\x00\xff",  # padding beyond the packet
    b"\xa0" + HEADER + b"\x00\x00\x00\x00",
    b"\xa0" + HEADER,
    b"\x90" + HEADER + b"\xbe\xde\xff\xff",  # an extension beyond it
    b"\x90" + HEADER + b"\xbe\xde",
    b"\x8f" + HEADER + bytes(59),  # CSRCs beyond it
    b"\x9f" + HEADER + bytes(60),
    b"\x80" + HEADER[:-1],
    b"\x00" + HEADER,
]


@WAYS
async def test_m4_lengths_that_lie_are_counted_and_the_stream_goes_on(way):
    async with playing(way) as media:
        iterator = media.session.packets()
        media.send(rtp(0))
        assert await take(iterator, 1) == [0]
        for number, lie in enumerate(LIES * 3, 1):
            media.send(lie, rtp(number))
        assert await take(iterator, 27) == list(range(1, 28))
        assert stats(media).malformed == 27
        assert media.session.state == "playing"


# -- M8 -----------------------------------------------------------------------------------------


@WAYS
async def test_m8_random_numbers_and_times_neither_grow_nor_stall_anything(way):
    generator = random.Random(8)
    async with playing(way) as media:
        iterator = media.session.packets()
        for _ in range(40):
            for _ in range(50):
                data = bytearray(rtp(generator.randrange(65_536)))
                data[4:8] = generator.randbytes(4)
                media.send(bytes(data))
            await asyncio.sleep(0)
            receiver = media.session._supervisor.driver.playback.receivers[0]
            assert receiver.snapshot().waiting <= 128
        for number in range(20_000, 20_300):
            media.send(rtp(number))
            await asyncio.sleep(0)
        async with asyncio.timeout(SOON):
            async for packet in iterator:
                if packet.sequence_number == 20_299:
                    break
        assert media.session.state == "playing"


# -- M9 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [[0], [0, 1]])
async def test_m9_a_flood_on_one_session_does_not_starve_another(channels):
    """As much as the loop takes, of one channel or of two in turn; the other one plays on."""
    async with playing("tcp") as media, Camera(tracks=("PCMU",), speed=40) as camera:
        peer: Peer = media.server.peers[0]
        flood = b"".join(peer.media(1, channel=channels[n % len(channels)]) for n in range(2000))
        done = False

        async def pour() -> None:
            while not done:
                if peer.transport.get_write_buffer_size() < MEBIBYTE:
                    peer.write(flood)
                await asyncio.sleep(0)

        pouring = asyncio.ensure_future(pour())
        try:
            async with rtspkit.connect(camera.url, transport="tcp") as other:
                await take(other.packets(), 40)
                await other.get_parameter()
        finally:
            done = True
            await pouring
        assert media.session.stats().packets > 2000
        assert media.session.state == "playing"


@pytest.mark.parametrize("way", RECEIVERS)
async def test_m9_a_flood_of_datagrams_leaves_time_for_others(way):
    async with playing(way) as media, Camera(tracks=("PCMU",), speed=40) as camera:
        done = False

        async def pour() -> None:
            number = 0
            while not done:
                for _ in range(100):
                    media.send(rtp(number & 0xFFFF))
                    number += 1
                await asyncio.sleep(0)

        pouring = asyncio.ensure_future(pour())
        try:
            async with rtspkit.connect(camera.url, transport="udp", receiver=way) as other:
                await take(other.packets(), 60)
        finally:
            done = True
            await pouring
        assert media.session.stats().packets > 20
        assert media.session.state == "playing"


class Shared:
    """Two ports of one loop: one that is flooded as fast as it is read, and a quiet one.

    Args:
        way: How they are read.
        memory: Bytes that there are for the flood; without any, all of it is dropped.
    """

    def __init__(self, way: str, memory: int = MEBIBYTE) -> None:
        self.turn = 0
        self.senders = [bound(), bound()]
        self.ports = [
            UdpPort(bound(), take, connects=True, receiver=way, pool=SlabPool(size))
            for take, size in ((self.flood, memory), (self.deliver, MEBIBYTE))
        ]
        self.flooded = self.in_turn = self.most_in_turn = 0
        self.sent_at: deque[int] = deque()  # the turns at which the quiet one was sent something
        self.delays: list[int] = []  # turns until that came
        for number, port in enumerate(self.ports):
            port.lock(HOST, self.senders[number].getsockname()[1])
            port.start()

    def send(self, number: int, count: int) -> None:
        for _ in range(count):
            self.senders[number].sendto(rtp(0), (HOST, self.ports[number].port))

    def flood(self, datagrams: Datagrams) -> None:
        """However much was taken, as much comes again: the queue is never empty."""
        count = len(datagrams) or DATAGRAMS.slots  # so many were read, and none was kept
        self.flooded += count
        self.in_turn += count
        self.most_in_turn = max(self.most_in_turn, self.in_turn)
        if self.in_turn < 5000:  # else it has no bound, and the test would hang
            self.send(0, count)

    def deliver(self, datagrams: Datagrams) -> None:
        self.delays += [self.turn - self.sent_at.popleft() for _ in datagrams]

    async def play(self, turns: int) -> None:
        self.send(0, 200)
        for self.turn in range(turns):
            self.in_turn = 0
            if self.turn % 3 == 0:
                self.sent_at.append(self.turn)
                self.send(1, 1)
            await asyncio.sleep(0)

    def close(self) -> None:
        for each in (*self.ports, *self.senders):
            each.close()


def bound() -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((HOST, 0))
    one.setblocking(False)
    return one


@pytest.mark.parametrize("way", RECEIVERS)
async def test_m9_a_quiet_port_has_its_turn_beside_a_flooded_one(way):
    """In turns of the loop: how long one takes is bounded by how much is read in it."""
    if way == "recvmmsg" and not recvmmsg_works():
        pytest.skip("this system has no recvmmsg")
    shared = Shared(way)
    await shared.play(turns=150)
    shared.close()
    assert shared.flooded > 120  # there was a flood all the time
    assert shared.most_in_turn <= WAKE_UP + DATAGRAMS.slots
    assert len(shared.delays) >= 45
    assert max(shared.delays) <= 4


@pytest.mark.parametrize("way", ["recvmmsg", "recv_into"])
async def test_m9_it_has_its_turn_too_when_there_is_no_memory_for_the_flood(way):
    if way == "recvmmsg" and not recvmmsg_works():
        pytest.skip("this system has no recvmmsg")
    shared = Shared(way, memory=0)
    await shared.play(turns=60)
    drops = shared.ports[0]._pool.drops
    shared.close()
    assert drops > 1000
    assert shared.most_in_turn <= READS * DATAGRAMS.slots
    assert len(shared.delays) >= 17
    assert max(shared.delays) <= 4


# -- M11 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["tcp", "recv_into"])
@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest", "block"])
async def test_m11_a_stalled_consumer_costs_bounded_memory_and_no_session(way, policy):
    limits = Limits(slab_memory=2 * MEBIBYTE, queue_packets=1_000_000)
    async with playing(way, limits=limits, backpressure=policy) as media:
        stalled = media.session.packets()
        sent = 0
        for _ in range(40):
            for _ in range(200):
                media.send(rtp(sent & 0xFFFF, payload=bytes(1200)))
                sent += 1
            await media.session.get_parameter()  # what was sent before the answer has come
            assert media.session.stats().pool.allocated <= 2 * MEBIBYTE
        assert media.session.state == "playing"
        counted = media.session.stats()
        assert stalled.dropped + counted.pool.drops + counted.kernel_dropped > 4000
        assert await take(stalled, 1)
        media.send(rtp(sent & 0xFFFF))
        await until(media, lambda: media.session.stats().packets > counted.packets)


@pytest.mark.parametrize("way", ["tcp", *RECEIVERS])
async def test_m11_a_user_who_keeps_every_packet_gets_counted_drops_and_no_growth(way):
    limits = Limits(slab_memory=2 * MEBIBYTE)
    async with playing(way, limits=limits) as media:
        batches, kept, sent = media.session.batches(), [], 0
        for _ in range(30):
            for _ in range(100):
                media.send(rtp(sent & 0xFFFF, payload=sent.to_bytes(4, "big") * 300))
                sent += 1
            await media.session.get_parameter()
            if batches._queue.items:
                kept += await anext(batches)
            if way != "datagram":  # the loop's own datagrams are in nobody's pool
                assert media.session.stats().pool.allocated <= 2 * MEBIBYTE
        for packet in kept:
            number = int.from_bytes(packet.payload[:4], "big")
            assert packet.sequence_number == number & 0xFFFF
            assert packet.payload == number.to_bytes(4, "big") * 300
        assert len(kept) > 50
        assert media.session.state == "playing"
        if way != "datagram":
            pool = media.session.stats().pool
            assert pool.drops > 0
            assert pool.copies > 0


@pytest.mark.virtual_clock
@pytest.mark.parametrize("policy", ["drop_oldest", "block"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_m11_a_stalled_consumer_does_not_end_its_session(transport, policy):
    loop = asyncio.get_running_loop()
    options = {"backpressure": policy, "limits": Limits(queue_packets=10)}
    timeouts = Timeouts(media_silence=2, response=1)
    async with Camera(tracks=("PCMU",), speed=0.2, session_timeout=2.0) as camera:
        url = camera.url
        async with rtspkit.connect(
            url, transport=transport, timeouts=timeouts, **options
        ) as session:
            iterator = session.packets()
            await take(iterator, 1)
            passed = loop.create_future()
            loop.call_later(10, passed.set_result, None)
            await passed
            assert camera.sessions_expired == 0
            await take(iterator, 40)
            assert session.state == "playing"
