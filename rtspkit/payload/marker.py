"""What the marker bit of one sender is worth.

Layer:  payload (state of one stream)
In:     the markers met in each access unit
Out:    whether a marker ends its access unit
Source: RFC 6184 §5.1, RFC 7798 §4.1: set on the last packet of an access unit, and there only

Facts the code leans on
- A marker that is true cannot stand before the slices of a picture nor inside of a NAL unit, and
  no packet with the same timestamp continues the picture behind it.
- Three kinds of senders get it wrong: it is never set, set on every packet, or set on SEI too.
"""

from __future__ import annotations

from enum import Enum

from rtspkit.payload.pending_unit import CLOSED, PendingUnit

__all__ = ["Marker", "MarkerJudge"]


class Marker(Enum):
    """The verdict on a sender's marker bit."""

    UNKNOWN = "unknown"
    HONEST = "honest"  # seen to be clear inside a picture and set at its end
    LIES = "lies"  # seen to be set inside a picture


# Looking a member up in its class takes 70 ns, and one is asked for with every picture.
UNKNOWN, HONEST, LIES = Marker.UNKNOWN, Marker.HONEST, Marker.LIES


class MarkerJudge:
    """Learns from the access units of one stream.

    Args:
        deviations: Where to note, as a key, what was put up with.

    Attributes:
        verdict: So far.
    """

    __slots__ = ("_deviations", "_seen", "verdict")

    def __init__(self, deviations: dict[str, None]) -> None:
        self._deviations = deviations
        self._seen = False
        self.verdict = UNKNOWN

    def ends_unit(self, unit: PendingUnit, *, is_first_packet: bool) -> bool:
        """Whether the marker of the packet just taken ends ``unit``."""
        unit.markers += 1
        self._seen = True
        if self.verdict is LIES or not (unit.has_slice or unit.broken):
            return False
        unit.slice_markers += 1
        if unit.nal_start != CLOSED:
            return False
        if self.verdict is UNKNOWN and not unit.broken:
            if unit.slice_markers > 1:
                self.distrust()
            if unit.markers > 1:
                return False  # there was one before the slices: better wait for the timestamp
            if not is_first_packet:
                self.verdict = HONEST
        return True

    def is_owed(self, *, marked: bool) -> bool:
        """Whether a unit that the stream's end cuts off should have had a marker first.

        Args:
            marked: Whether its last packet has the marker bit set.
        """
        if self.verdict is UNKNOWN:
            return self._seen and not marked
        return self.verdict is HONEST

    def end_by_timestamp(self, unit: PendingUnit, *, packets: int, marked: bool) -> None:
        """A new timestamp has ended ``unit``.

        Args:
            unit: With its markers counted.
            packets: How many it had.
            marked: Whether the last of them had the marker bit set.
        """
        if self.verdict is LIES or unit.damaged or unit.broken:
            return
        if not unit.slice_markers:
            self._deviations["marker-missing"] = None
        elif unit.slice_markers == 1 and marked and packets > unit.markers:
            self.verdict = HONEST

    def distrust(self) -> None:
        """A picture went on behind a marker."""
        self.verdict = LIES
        self._deviations["marker-unreliable"] = None
