"""The source as a process: it plays to a client, counts exactly, and ends with its pipe."""

from __future__ import annotations

import pytest

from bench.receivers.rtsp import Play, play
from bench.source import Source
from bench.traffic import Traffic, read_stamp
from rtspkit.wire.rtp import parse_rtp

PACKETS = 300


@pytest.fixture(scope="module")
def source():
    with Source(Traffic(rate=5000, pacing="flat")) as running:
        yield running


def packets_over_udp(session: Play) -> list[bytes]:
    session.rtp.setblocking(True)
    session.rtp.settimeout(10)
    packets = [session.rtp.recv(2048) for _ in range(PACKETS)]
    session.rtp.close()
    session.rtcp.close()
    return packets


def packets_over_tcp(session: Play) -> list[bytes]:
    session.control.settimeout(10)
    data = bytearray(session.head)
    packets: list[bytes] = []
    while len(packets) < PACKETS:
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[2:4], "big"):
            piece = session.control.recv(65536)
            assert piece
            data += piece
        end = 4 + int.from_bytes(data[2:4], "big")
        if data[1] == 0:  # 1 has sender reports
            packets.append(bytes(data[4:end]))
        del data[:end]
    return packets


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_it_plays_numbered_and_stamped_packets(source, transport):
    source.start(Traffic(rate=5000, pacing="flat"))
    session = play(source.url(), transport)
    raw = packets_over_udp(session) if transport == "udp" else packets_over_tcp(session)
    packets = [parse_rtp(memoryview(data)) for data in raw]
    first = packets[0].sequence_number
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(first + index) & 0xFFFF for index in range(PACKETS)]
    stamps = [read_stamp(packet.payload) for packet in packets]
    assert sum(stamp is not None for stamp in stamps) > PACKETS / 2
    sent = source.statistics()
    mine = [one for one in sent.sessions if not one.ended and one.transport == transport]
    assert mine[-1].playing
    stream = mine[-1].streams[0]
    assert stream.ssrc == packets[0].ssrc
    assert stream.sent == stream.next_sequence_number - stream.first_sequence_number >= PACKETS
    assert stream.first_sequence_number & 0xFFFF == first
    session.control.close()


def test_a_stopped_source_sends_nothing_more(source):
    source.start(Traffic(rate=5000, pacing="flat"))
    session = play(source.url(), "udp")
    packets_over_udp(session)
    total = source.stop().sent
    assert total >= PACKETS
    assert source.statistics().sent == total
    session.control.close()


def test_traffic_that_cannot_be_is_refused_and_changes_nothing(source):
    with pytest.raises(ValueError, match="rates and ratios"):
        source._ask({"start": {"rate": -1}})
    assert source.statistics().at


def test_it_ends_with_its_pipe():
    source = Source(Traffic(rate=100))
    process = source._process
    source.close()
    assert process.returncode == 0


def test_it_describes_as_many_streams_as_the_url_says(source):
    assert source.url().endswith("/live")
    assert source.url(3).endswith("/live/3")


def test_bursts_that_are_not_joined_come_all_the_same(source):
    source.start(Traffic(rate=5000, segmentation=False))
    session = play(source.url(), "udp")
    packets = [parse_rtp(memoryview(data)) for data in packets_over_udp(session)]
    first = packets[0].sequence_number
    numbers = [packet.sequence_number for packet in packets]
    assert numbers == [(first + index) & 0xFFFF for index in range(PACKETS)]
    session.control.close()
