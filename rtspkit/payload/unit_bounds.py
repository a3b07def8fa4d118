"""Where an access unit of H.264 and H.265 begins and where it ends.

Layer:  payload (state of one stream)
In:     sequence numbers, timestamps and markers of packets; NAL units as they begin
Out:    AccessUnit, whose data is an Annex B byte stream
Source: RFC 6184 §5.1, §5.3 (timestamp, marker); ITU-T H.264 §7.4.1.2.3 and H.265 §7.4.2.4.4
        (order of NAL units, first slice of a picture)

Facts the code leans on
- A unit ends at a marker behind a slice, or where the timestamp changes. Markers that lie are
  found out (``MarkerJudge``); first_mb_in_slice 0 and access unit delimiters part pictures that
  share a timestamp.
- Parameter sets and SEI without a slice wait for the picture that follows them.

Where we leave the RFCs
- A packet that lies behind the last one is left out: order is the caller's business.
- A gap between two units counts for both: nobody can tell whose the packets were.
- Only an access unit delimiter proves that a unit behind a gap begins at its beginning.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from rtspkit.options import Limits
from rtspkit.payload.base import AccessUnit, Depacketizer
from rtspkit.payload.marker import HONEST, MarkerJudge
from rtspkit.payload.parameter_sets import ParameterSetReader, ParameterSets
from rtspkit.payload.pending_unit import (
    CLOSED,
    DELIMITER,
    FIRST_BIT,
    INVALID,
    SLICE,
    TRAILING,
    PendingUnit,
)
from rtspkit.wire.rtp import RtpPacket
from rtspkit.wire.serial import difference_16

__all__ = ["UnitBounds"]

NONE = -1  # no timestamp


class UnitBounds(Depacketizer):
    """Knows where units begin and end; what reads payloads builds on it."""

    READER: ClassVar[ParameterSetReader]
    HEADER_SIZE: ClassVar[int]  # bytes of a NAL unit's header

    def __init__(
        self,
        clock_rate: int,
        fmtp: Mapping[str, str] | None = None,
        channels: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(clock_rate, fmtp or {}, channels, limits or Limits())
        found = self.READER.from_fmtp(self.fmtp)
        self._sets = ParameterSets(self.READER, found.nal_units)
        self._deviations: dict[str, None] = dict.fromkeys(found.deviations)
        self._marker = MarkerJudge(self._deviations)
        self._marked = False  # the last packet
        self._unit = PendingUnit(self.limits)
        self._timestamp = NONE
        self._ended = NONE  # timestamp of the unit that a marker ended last
        self._expires = 0.0  # when the unit that has not ended is given up
        self._ready: list[AccessUnit] = []
        self._lost = 0  # packets missing since the last unit delivered
        self._missing = 0  # packets missing just before the unit that begins
        self._discontinuity = False
        self._is_fresh = True  # nothing was taken before this unit
        self._start_is_known = True

    @abstractmethod
    def _take(self, payload: memoryview) -> None:
        """Read one payload that is not empty, and hand on what it holds."""

    @abstractmethod
    def _close(self) -> None:
        """The open NAL unit is whole."""

    def _reads_as_slice(self, head: bytes | memoryview) -> bool:
        """Whether a slice header makes sense; asked before a first slice is said to be missing."""
        return True

    def _restart_order(self) -> None:
        """Forget the last decoding order number: packets may be missing."""

    def push(self, packet: RtpPacket) -> list[AccessUnit]:
        """Take one packet; give the units it completes, mostly none or one."""
        sequence_number = packet.sequence_number
        if (sequence_number != self._expected or packet.discontinuity) and not self._resume(packet):
            return []
        self._expected = (sequence_number + 1) & 0xFFFF
        arrival = packet.arrival
        if packet.timestamp != self._timestamp:
            self._turn(packet)
        elif arrival > self._expires:
            self._unit.give_up()
        self._arrival = arrival
        payload = packet.payload
        if payload:
            self._take(payload)
        else:
            self.counters.malformed += 1
            self._note("payload-empty")
        self._marked = packet.memory[packet.start + 1] > 0x7F
        if self._marked and self._marker.ends_unit(
            self._unit, is_first_packet=sequence_number == self._first_sequence_number
        ):
            self._ended = self._timestamp
            self._finish()
        unit = self._unit
        if unit.settled < len(unit.parts):
            unit.settle()
        return self._take_ready() if self._ready else []

    def flush(self) -> list[AccessUnit]:
        """The stream has ended or begins anew: give what waits, also sets without a picture."""
        if self._timestamp != NONE:
            # An honest marker would have ended it, and so would the end of a NAL unit.
            self._drop_fragment()
            unit = self._unit
            unit.damaged |= unit.has_slice and self._marker.is_owed(marked=self._marked)
            self._finish()
        self._expected, self._ended = None, NONE
        self._is_fresh = self._start_is_known = True
        self._restart_order()
        return self._take_ready()

    def _take_ready(self) -> list[AccessUnit]:
        ready, self._ready = self._ready, []
        return ready

    def _resume(self, packet: RtpPacket) -> bool:
        """A packet that does not follow the last one; False when it is to be left out."""
        if self._is_behind(packet):
            return False
        anew = True
        missing = packet.lost
        if self._expected is not None and not packet.discontinuity:
            missing = difference_16(packet.sequence_number, self._expected)
            anew = missing < 0
            missing = max(missing, 0)
        self._restart_order()
        self._lost += missing
        if self._timestamp != NONE:
            self._unit.damaged = True
            self._drop_fragment()
            if anew:
                self._finish()
        if anew:
            self._discontinuity |= packet.discontinuity
            self._ended = NONE
            self._is_fresh = self._start_is_known = True
        if packet.timestamp != self._timestamp:
            self._missing = missing
        return True

    def _turn(self, packet: RtpPacket) -> None:
        """The first packet of another timestamp, or the first behind the end of a unit."""
        if self._timestamp == NONE:
            self._timestamp = packet.timestamp
        else:
            self._turn_to(packet.timestamp)
        self._expires = packet.arrival + self.limits.access_unit_age
        self._first_sequence_number = packet.sequence_number
        self._payload_type = packet.memory[packet.start + 1] & 0x7F
        self._stream = packet.stream
        self._media_time = packet.media_time
        clock = packet.wall_clock
        self._wall_time = None if clock is None else packet.wall_time
        self._wall_source = None if clock is None else clock.source
        if self._missing:
            # When the unit before was delivered it took the count along: count here again.
            self._lost = self._lost or self._missing
            self._missing = 0
            self._is_fresh = self._start_is_known = False

    def _turn_to(self, timestamp: int) -> None:
        """End the unit before; what waits for its picture goes on waiting."""
        unit = self._unit
        if unit.has_slice or unit.damaged or unit.broken:
            # ``_expected`` knows of the new packet already.
            packets = ((self._expected or 0) - 1 - self._first_sequence_number) & 0xFFFF
            self._marker.end_by_timestamp(unit, packets=packets, marked=self._marked)
            self._finish()
        unit.markers = 0
        self._timestamp = timestamp

    def _part(self) -> None:
        """Another picture begins at the same timestamp."""
        timestamp = self._timestamp
        self._note("timestamp-repeated")
        self._finish()
        self._timestamp = timestamp
        self._expires = self._arrival + self.limits.access_unit_age

    def _finish(self) -> None:
        """Deliver the unit, or drop it and count it; the next one can begin."""
        unit = self._unit
        if unit.nal_start != CLOSED:
            if self._marked and not unit.damaged:
                self._note("fragment-end-missing")
                self._close()
            else:
                self.counters.malformed += not unit.damaged
                self._drop_fragment()
        if unit.broken or (not unit.slices and (unit.damaged or unit.has_slice)):
            self.counters.dropped_units += 1
        elif unit.parts:
            self._deliver(unit)
        self._unit = PendingUnit(self.limits)
        self._timestamp = NONE

    def _deliver(self, unit: PendingUnit) -> None:
        # Without a slice, nothing but the marker says that this is all.
        complete = not unit.damaged and (unit.slices > 0 or self._marked)
        self.counters.incomplete_units += not complete
        unit.keyframe &= unit.slices > 0
        self._ready.append(
            AccessUnit(  # by position: twelve keywords cost more than twice as much
                unit.data(self._sets),
                self._timestamp,
                self._stream,
                self._media_time,
                self._wall_time,
                self._wall_source,
                self._arrival,
                unit.keyframe,
                complete,
                self._lost,
                self._discontinuity,
                self._sets.announce(),
            )
        )
        self._lost = 0
        self._discontinuity = False

    def _open(self, kind: int, head: bytes | memoryview) -> bool:
        """A NAL unit begins; False when it is not wanted.

        Args:
            kind: Its flags.
            head: Its first bytes.
        """
        if kind & INVALID:
            self._reject()
            return False
        if self._unit.nal_start != CLOSED:
            self._reject()  # the one before never ended
            self._drop_fragment()
        if kind & SLICE:
            self._open_slice(kind, head)
        elif kind & DELIMITER:
            if self._unit.has_slice:
                self._part()
            self._start_is_known = True
        elif kind & TRAILING and not self._unit.has_slice and self._ended == self._timestamp:
            self._note("nal-unit-after-marker")
            return False
        if not self._start_is_known:
            self._unit.damaged = self._start_is_known = True
        self._is_fresh = False
        return self._unit.open(kind)

    def _open_slice(self, kind: int, head: bytes | memoryview) -> None:
        """Find out by the first slice bit what timestamp and marker do not tell."""
        unit = self._unit
        if unit.has_slice and self._marker.verdict is HONEST:
            return
        if kind & FIRST_BIT and len(head) > self.HEADER_SIZE:
            first = head[self.HEADER_SIZE] > 0x7F
            if unit.has_slice:
                if first:
                    self._part()
            elif self._is_fresh:
                unit.damaged |= not first and self._reads_as_slice(head)
            elif self._ended == self._timestamp and self._start_is_known:
                if first:
                    self._note("timestamp-repeated")
                elif not unit.damaged:
                    # The rest of a picture whose beginning is delivered already.
                    unit.damaged = True
                    self._marker.distrust()
        self._unit.has_slice = True

    def _open_orphan(self, kind: int) -> None:
        """A fragment whose beginning is not there."""
        unit = self._unit
        if unit.broken:
            return
        if not unit.damaged and self._start_is_known and not self._is_fresh:
            self.counters.malformed += 1
        unit.damaged = True
        unit.has_slice |= bool(kind & SLICE)
        self._is_fresh, self._start_is_known = False, True

    def _drop_fragment(self) -> None:
        """Leave out the NAL unit that is being put together."""
        unit = self._unit
        if unit.nal_start != CLOSED:
            unit.cut(unit.nal_start)
            unit.damaged = True

    def _note(self, deviation: str) -> None:
        self._deviations[deviation] = None

    def _reject(self) -> None:
        """One NAL unit cannot be used; the rest of its access unit can."""
        self.counters.malformed += 1
        self._unit.damaged = True

    def _violate(self) -> None:
        """A payload broke its RFC: its access unit is given up."""
        self.counters.malformed += 1
        self._unit.give_up()
