from __future__ import annotations

import pytest

from rtspkit.testing.presentation import Track, Unit
from rtspkit.testing.sender import TrackSender
from rtspkit.wire.rtcp import Goodbye, SenderReport, SourceDescription, parse_rtcp
from rtspkit.wire.rtp import parse_rtp
from rtspkit.wire.transport import Transport


class Outlet:
    """Keeps what is sent; takes nothing when it is full."""

    def __init__(self) -> None:
        self.transport = Transport("TCP")
        self.sent: list[tuple[bytes, bool]] = []
        self.full = False
        self.room = 1000  # packets of one burst

    def send(self, packet: bytes, *, rtcp: bool = False) -> bool:
        if not self.full:
            self.sent.append((packet, rtcp))
        return not self.full

    def send_many(self, packets: list[bytes]) -> int:
        taken = packets[: self.room]
        self.sent += [(packet, False) for packet in taken]
        return len(taken)

    async def drain(self) -> None:
        """There is always room."""

    def close(self) -> None:
        """Nothing is owned."""


def make(**options) -> TrackSender:
    """PCMU of 100 units of 160 samples."""
    units = [Unit(bytes([n]) * 160, 160 * n) for n in range(100)]
    track = Track("audio", "PCMU", 0, 8000, units, 16_000, channels=1)
    what = {"ssrc": 7, "sequence_number": 65_535, "timestamp": 1000, "max_packet_size": 1400}
    return TrackSender(track, 3, Outlet(), **(what | options))


def start(sender: TrackSender, npt: float = 0.0, *, scale: float = 1.0) -> None:
    sender.begin(npt, stopped=0.0, scale=scale, seek=True)


def test_numbers_and_timestamps_go_on_over_turns_and_wraps():
    sender = make(timestamp=(1 << 32) - 320)
    start(sender)
    packets = [parse_rtp(packet) for _ in range(201) for packet in sender.packetize()]
    assert [packet.sequence_number for packet in packets[:3]] == [65_535, 0, 1]
    assert [packet.timestamp for packet in packets[:4]] == [4294966976, 4294967136, 0, 160]
    assert packets[200].timestamp == 200 * 160 - 320
    assert bytes(packets[100].payload) == bytes(packets[0].payload)


def test_a_pause_leaves_no_gap():
    sender = make()
    start(sender)
    before = [parse_rtp(packet) for _ in range(5) for packet in sender.packetize()]
    sender.begin(0.1, stopped=0.1, scale=1.0, seek=False)
    after = parse_rtp(sender.packetize()[0])
    assert after.timestamp == before[-1].timestamp + 160
    assert after.sequence_number == before[-1].sequence_number + 1


def test_a_seek_moves_the_presentation_and_not_the_rtp_clock():
    sender = make()
    start(sender)
    for _ in range(5):
        sender.packetize()
    sender.begin(1.0, stopped=0.1, scale=1.0, seek=True)
    assert sender.next_npt == 1.0
    packet = parse_rtp(sender.packetize()[0])
    assert packet.timestamp == 1000 + 800
    assert packet.payload[0] == 50


def test_scale_packs_the_presentation_into_less_rtp_time():
    sender = make()
    start(sender, scale=2.0)
    assert [parse_rtp(sender.packetize()[0]).timestamp for _ in range(3)] == [1000, 1080, 1160]


def test_skipping_uses_time_and_no_number():
    sender = make()
    start(sender)
    sender.skip()
    packet = parse_rtp(sender.packetize()[0])
    assert (packet.sequence_number, packet.timestamp) == (65_535, 1160)


def test_a_limit_holds_for_all_packets_together():
    sender = make(max_packet_size=60)
    start(sender)
    sizes = [len(sender.packetize(10)) for _ in range(5)]
    assert sum(sizes) == sender.made == 10
    assert sizes[0] > 1
    assert sizes[-1] == 0


def test_only_what_was_taken_is_counted():
    sender = make()
    start(sender)
    (packet,) = sender.packetize()
    assert sender.send(packet)
    sender.outlet.full = True
    assert not sender.send(packet)
    assert (sender.packets, sender.octets) == (1, 160)


def test_of_packets_sent_together_only_those_taken_are_counted():
    sender = make(max_packet_size=92)
    start(sender)
    packets = sender.packetize()
    assert list(map(len, packets)) == [92, 92]
    assert sender.send_many(packets) == 2
    assert (sender.packets, sender.octets) == (2, 160)
    sender.outlet.room = 1
    assert sender.send_many(packets) == 1
    assert (sender.packets, sender.octets) == (3, 240)
    assert [packet for packet, _ in sender.outlet.sent] == [*packets, packets[0]]


def test_reports_map_the_wall_clock_and_count():
    sender = make()
    start(sender)
    sender.send(sender.packetize()[0])
    seen = []
    assert sender.report(5 << 32, 0.5, lambda index, report: seen.append(index) or report)
    (data, rtcp) = sender.outlet.sent[-1]
    report, description = parse_rtcp(data)
    assert report == SenderReport(7, 5 << 32, 5000, 1, 160)
    assert isinstance(description, SourceDescription)
    assert (rtcp, seen) == (True, [3])


def test_a_report_may_be_left_out():
    sender = make()
    start(sender)
    assert not sender.report(0, 0.0, lambda index, report: None)
    assert sender.outlet.sent == []


def test_goodbye_is_in_a_compound_packet():
    sender = make()
    assert sender.goodbye()
    *first, last = parse_rtcp(sender.outlet.sent[0][0])
    assert len(first) == 2
    assert last == Goodbye([7])


@pytest.mark.parametrize("npt", [0.0, 0.33, 1.99, 2.0, 3.5])
def test_the_timestamp_of_a_moment_is_that_of_the_unit_played_then(npt):
    sender = make()
    start(sender, npt)
    at = sender.next_npt
    assert parse_rtp(sender.packetize()[0]).timestamp == sender.timestamp(at)
