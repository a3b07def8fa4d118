"""FAULTS.md, 16: another SSRC, once and with each group of pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

import pytest
from faulty import clean_camera, open_plainly, steps

from rtspkit.engine.events import SourceChanged
from rtspkit.wire.rtp import RtpPacket, parse_rtp

pytestmark = pytest.mark.virtual_clock

GAP = 2  # packets that a change of source may cost
SECONDS = 8.0
STAP_A, SPS = 24, 7  # RFC 6184 §5.2
HEAD = struct.Struct("!HII")  # sequence number, timestamp, SSRC; behind two bytes

Head = tuple[int, int, int]
Change = Callable[[int, Head], Head]


def ssrc_alone(source: int, head: Head) -> Head:
    number, timestamp, ssrc = head
    return number, timestamp, (ssrc + source) & 0xFFFFFFFF


def everything_anew(source: int, head: Head) -> Head:
    """As a sender that was started again: numbers and timestamps by chance too."""
    number, timestamp, ssrc = head
    return (
        (number + 7919 * source) & 0xFFFF,
        (timestamp + 0x9E3779B1 * source) & 0xFFFFFFFF,
        (ssrc + source) & 0xFFFFFFFF,
    )


class Sources:
    """A camera whose sources change when something is so.

    Attributes:
        changes: How often, by the track's place.
        sent: Number, timestamp and SSRC of each packet, by the track's place.
    """

    def __init__(self, change: Change, when: Callable[[int, RtpPacket, int], bool]) -> None:
        self.changes = {0: 0, 1: 0}
        self.sent: dict[int, list[Head]] = {0: [], 1: []}
        self._change, self._when = change, when

    def __call__(self, index: int, data: bytes) -> Iterable[bytes]:
        packet = parse_rtp(memoryview(data))
        if self._when(index, packet, len(self.sent[index])):
            self.changes[index] += 1
        head = self._change(self.changes[index], HEAD.unpack_from(data, 2))
        self.sent[index].append(head)
        return [data[:2] + HEAD.pack(*head) + data[12:]]


def once(index: int, packet: RtpPacket, place: int) -> bool:
    return place == 100


def each_keyframe(index: int, packet: RtpPacket, place: int) -> bool:
    """Video: with the parameter sets before a keyframe. Audio: as often."""
    if index == 1 or place == 0:
        return place > 0 and place % 45 == 0
    payload = packet.payload
    kind = payload[3] & 31 if payload[0] & 31 == STAP_A else payload[0] & 31
    return kind == SPS


@pytest.mark.parametrize("change", [ssrc_alone, everything_anew])
@pytest.mark.parametrize("when", [once, each_keyframe])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_change_costs_two_packets_at_most(transport, when, change):
    async with clean_camera(on_packet=Sources(change, when)) as camera:
        sources = camera.on_packet
        async with open_plainly(camera.url, transport=transport) as session:
            received: dict[int, list[RtpPacket]] = {0: [], 1: []}
            async for packet in session.packets():
                received[packet.stream.index].append(packet)
                if packet.media_time > SECONDS:
                    break
            stats = session.stats()
            assert session.state == "playing"
        events = [event async for event in session.events()]
    for index, packets in received.items():
        changes = sources.changes[index]
        heads = [(p.sequence_number, p.timestamp, p.ssrc) for p in packets]
        sent = sources.sent[index][: sources.sent[index].index(heads[-1]) + 1]
        assert changes >= (1 if when is once else 7)
        assert len(sent) - len(heads) <= GAP * changes
        assert missing_at_once(sent, heads) <= GAP
        assert sum(packet.discontinuity for packet in packets) == changes
        times = [packet.media_time for packet in packets]
        assert times == sorted(times)  # and time goes on
        assert times[-1] - times[0] == pytest.approx(SECONDS, abs=0.3)
        told = [e for e in events if isinstance(e, SourceChanged) and e.stream.index == index]
        assert len(told) == stats.streams[index].discontinuities == changes


def missing_at_once(sent: list[Head], received: list[Head]) -> int:
    """The longest run of packets of the first that are not in the second; both in order."""
    longest = run = place = 0
    for head in sent:
        if place < len(received) and received[place] == head:
            place, run = place + 1, 0
        else:
            run += 1
            longest = max(longest, run)
    assert place == len(received), "out of order, or never sent"
    return longest


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_pictures_go_on_with_each_group(transport):
    """Not one picture is lost to the source that changes at each keyframe."""
    async with (
        clean_camera(on_packet=Sources(everything_anew, each_keyframe)) as camera,
        open_plainly(camera.url, transport=transport) as session,
    ):
        units = []
        async for unit in session.access_units("video"):
            units.append(unit)
            if unit.media_time > SECONDS:
                break
    assert all(unit.complete for unit in units)
    advances = steps([unit.media_time for unit in units])
    assert max(advances) < 0.1
    assert sum(unit.keyframe for unit in units) >= 8
