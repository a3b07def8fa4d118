"""NAL units out of payloads, as H.264 and H.265 share it: whole, in parts, in fragments.

Layer:  payload (state of one stream)
In:     packets; a subclass reads the payloads and hands on NAL units and fragments
Out:    NAL units for the access unit at hand; ``UnitBounds`` says where it begins and ends
Source: RFC 6184 §5.6 to §5.8, RFC 7798 §4.4.1 to §4.4.3

Facts the code leans on
- Nearly all packets of video are fragments in the middle of a NAL unit, which change nothing but
  its length: ``push_many`` knows them by one look at their first 14 or 15 bytes, and the same
  call copies their data. That costs less than a view of each and a copy of all together.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, ClassVar

from rtspkit.payload.base import AccessUnit
from rtspkit.payload.nal import SHORT_START_CODE, START_CODE, split_annex_b
from rtspkit.payload.parameter_sets import VideoParameters
from rtspkit.payload.pending_unit import CLOSED, PARAMETER_SET, SEI, SLICE, SMALL, TRAILING
from rtspkit.payload.unit_bounds import UnitBounds
from rtspkit.wire.rtp import HEADER_SIZE as RTP_HEADER_SIZE
from rtspkit.wire.rtp import VERSION_2, RtpPacket

__all__ = ["NalUnitDepacketizer"]

START, END = 0x80, 0x40  # S and E of an FU header
SIZES = 64  # of fragments, that are remembered


@lru_cache(maxsize=SIZES)
def _reader_of(header: int, data: int) -> Callable[..., tuple[Any, ...]]:
    """Reads what a packet begins with, and copies ``header`` and ``data`` bytes of its payload."""
    return Struct(f"!H10x{header}s{data}s").unpack_from


class NalUnitDepacketizer(UnitBounds):
    """What H264Depacketizer and H265Depacketizer share."""

    # A packet with a fragment: the 16 bits that RTP begins with, and what is before the data
    FRAGMENT: ClassVar[Struct]
    _plain: tuple[int, ...] = ()  # its values in the middle of the NAL unit that is open
    _plain_header = b""  # those behind the first, as bytes
    _usual_size = -1  # bytes of data in the last one of them
    _read_usual: Callable[..., tuple[Any, ...]] = _reader_of(0, 0)

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The sets in force, without start codes; in band wins over the SDP."""
        return self._sets.nal_units

    @property
    def parameters(self) -> VideoParameters | None:
        """What the first sequence parameter set in force says; None when none can be read."""
        return self._sets.parameters

    @property
    def deviations(self) -> tuple[str, ...]:
        """What was put up with so far, as stable ids."""
        return tuple(self._deviations)

    @abstractmethod
    def _kind(self, head: bytes | memoryview) -> int:
        """The flags of a NAL unit, by its first bytes: one at least."""

    @abstractmethod
    def _fragment_header(self, header: bytes, fu_header: int) -> tuple[int, ...]:
        """What is before the data of a fragment, as the fields of ``FRAGMENT`` behind the first.

        Args:
            header: Of the fragmented NAL unit.
            fu_header: With S and E clear, as in the middle.
        """

    def _is_recovery_point(self, nal_unit: bytes) -> bool:
        """Whether this SEI says that decoding can begin here without an IDR picture."""
        return False

    def push_many(self, packets: Sequence[RtpPacket]) -> list[AccessUnit]:
        """Take packets, in order; give the units they complete: the same as ``push`` of each."""
        units: list[AccessUnit] = []
        left = iter(packets)
        while True:
            is_open = self._unit.fragment != CLOSED
            packet = self._take_middle(left) if is_open else next(left, None)
            if packet is None:
                break
            units += self.push(packet)
        unit = self._unit
        if unit.settled < len(unit.parts):
            unit.settle()
        return units

    def _take_middle(self, packets: Iterator[RtpPacket]) -> RtpPacket | None:
        """Take fragments while they are plainly in the middle; give the first that is not.

        What ``push`` and ``_take`` do with such a packet, at a third of the cost: it follows
        the last one, is in time, and has neither padding, extension, CSRCs nor marker.
        """
        unit = self._unit
        begin, plain, header = self.FRAGMENT.size, self._plain, self._plain_header
        timestamp, expires = self._timestamp, self._expires
        add, room = unit.parts.append, unit.room
        expected = self._expected
        assert expected is not None
        read, usual = self._read_usual, self._usual_size
        settled = unit.settled == len(unit.parts) and usual >= SMALL
        last = other = None
        for packet in packets:
            size = packet.size - begin
            if (
                packet.sequence_number != expected
                or packet.timestamp != timestamp
                or not 0 <= size <= room
                or packet.arrival > expires
                or packet.discontinuity
            ):
                other = packet
                break
            if size != usual:
                if self.FRAGMENT.unpack_from(packet.memory, packet.start) != plain:
                    other = packet
                    break
                self._read_usual = read = _reader_of(len(header), size)
                self._usual_size = usual = size
                settled = settled and size >= SMALL
            beginning, found, piece = read(packet.memory, packet.start)
            if found != header or beginning != plain[0]:
                other = packet
                break
            add(piece)
            room -= size
            expected = (expected + 1) & 0xFFFF
            last = packet
        if last is not None:
            self._expected, self._arrival, self._marked = expected, last.arrival, False
            unit.room = room
            if settled:
                unit.settled = len(unit.parts)
        return other

    def _add(self, nal_unit: bytes | memoryview) -> None:
        """One whole NAL unit of at least one byte."""
        if nal_unit[0] == 0 and bytes(nal_unit[:4]).startswith((SHORT_START_CODE, START_CODE)):
            self._add_parts(bytes(nal_unit))
        elif self._open(self._kind(nal_unit), nal_unit) and self._unit.add(nal_unit):
            self._close()

    def _add_parts(self, data: bytes) -> None:
        """NAL units that the sender did not cut apart."""
        # Device: V380 – start codes inside of fragmented and aggregated NAL units
        self._note("start-code-in-payload")
        if data.count(SHORT_START_CODE) > self.limits.nal_units:
            return self._unit.give_up()
        for nal_unit in split_annex_b(data):
            self._add(nal_unit)
        return None

    def _add_fragment(self, header: bytes, fu_header: int, data: memoryview) -> None:
        """One fragment that is not plainly in the middle of the NAL unit at hand.

        Args:
            header: Of the fragmented NAL unit, put together again.
            fu_header: S, E and the type.
            data: What follows the FU header; may be empty.
        """
        if not data:
            self._note("fragment-empty")
        if fu_header & START:
            self._add_first(header, fu_header, data)
        elif self._unit.nal_start == CLOSED:
            self._open_orphan(self._kind(header))
        else:
            if (fu_header & ~END) != self._unit.fragment:
                self._note("fragment-header-changed")
            if self._unit.add(data) and fu_header & END:
                self._close()

    def _add_first(self, header: bytes, fu_header: int, data: memoryview) -> None:
        """The first fragment of a NAL unit."""
        whole = header + data
        if fu_header & END:
            self._note("fragment-start-and-end")
            return self._add(whole)
        if whole[0] == 0 and whole.startswith((SHORT_START_CODE, START_CODE)):
            self._note("start-code-in-payload")
            whole = whole[whole.index(1) + 1 :]
        if whole and self._open(self._kind(whole), whole):
            unit = self._unit
            unit.fragment = fu_header & ~START
            beginning = VERSION_2 << 8 | self._payload_type
            plain = (beginning, *self._fragment_header(header, unit.fragment))
            if plain != self._plain:
                self._plain = plain
                self._plain_header = self.FRAGMENT.pack(*plain)[RTP_HEADER_SIZE:]
            unit.add(whole)
        return None

    def _close(self) -> None:
        """The NAL unit at the end of the parts is whole."""
        unit = self._unit
        start, kind = unit.nal_start, unit.nal_kind
        unit.close()
        if kind & SLICE:
            return
        if kind & TRAILING:  # nothing to find in them, and filler may be most of the stream
            unit.note_other(start, None)
            return
        nal_unit = unit.last_nal_unit(start)
        if SHORT_START_CODE in nal_unit:
            unit.cut(start)
            self._add_parts(nal_unit)
            return
        if kind & PARAMETER_SET and unit.has_slice and self._sets.holds(nal_unit):
            # Device: GStreamer 1.22 – sets before each slice, where H.264 has a new unit begin
            self._note("parameter-set-in-picture")
            unit.cut(start)
            return
        unit.note_other(start, self._sets.put(nal_unit) if kind & PARAMETER_SET else None)
        if kind & SEI and self._is_recovery_point(nal_unit):
            unit.keyframe = True
