"""One access unit under construction: the pieces of its NAL units, in order.

Layer:  payload (state of one access unit)
In:     NAL units by their kind, and the pieces they come in
Out:    an Annex B byte stream, a keyframe with its parameter sets in front
Source: ITU-T H.264 §7.4.1.2.3, Annex B; ITU-T H.265 §7.4.2.4.4, Annex B

Facts the code leans on
- Pieces are joined once, when the unit is delivered: a buffer that grows costs each byte several
  copies. What came in one call is looked at where it lies; before the call returns it is copied
  (``settle``), so that no slab is pinned by a picture that never ends.
- Only the last NAL unit can have pieces that are not settled; one with a hole is cut off again.
"""

from __future__ import annotations

from rtspkit.options import Limits
from rtspkit.payload.nal import START_CODE
from rtspkit.payload.parameter_sets import Key, ParameterSets

__all__ = [
    "CLOSED",
    "DELIMITER",
    "FIRST_BIT",
    "INVALID",
    "KEY",
    "PARAMETER_SET",
    "SEI",
    "SLICE",
    "SMALL",
    "TRAILING",
    "PendingUnit",
]

# What a NAL unit is to us: flags, found by nal_unit_type.
SLICE = 1  # VCL: part of the picture
KEY = 2  # a slice at which decoding can begin
FIRST_BIT = 4  # the bit behind its header says whether it is the first slice of the picture
PARAMETER_SET = 8
DELIMITER = 16
TRAILING = 32  # belongs behind the slices: end of sequence, filler, suffix SEI
SEI = 64
INVALID = 128  # may not stand in a packet

CLOSED = -1  # no NAL unit is open
SMALL = 256  # bytes; a piece that is smaller is joined with the next: objects cost memory too


class PendingUnit:
    """What there is of one access unit.

    Attributes:
        parts: The byte stream so far, in pieces; ends in the NAL unit that is open, if one is.
        settled: How many of them stay as they are; there are more only where ``settle`` is due.
        room: Bytes that may still be added.
        nal_start: Index of the open NAL unit's first piece, behind its start code; ``CLOSED``
            without one.
        nal_kind: Its flags.
        fragment: The FU header of its plain middle fragments; ``CLOSED`` when it has none.
        slices: Whole ones among the parts.
        has_slice: Whether a slice has begun, whole or not.
        keyframe: Whether decoding can begin here.
        damaged: Whether a part is missing.
        broken: Whether it is to be dropped; it holds nothing any more.
        markers: Packets with the marker bit set.
        slice_markers: Those among them behind the beginning of a slice.
    """

    __slots__ = (
        "_count",
        "_head",
        "_max_count",
        "broken",
        "damaged",
        "fragment",
        "has_slice",
        "keyframe",
        "markers",
        "nal_kind",
        "nal_start",
        "parts",
        "room",
        "settled",
        "slice_markers",
        "slices",
    )

    def __init__(self, limits: Limits) -> None:
        self.room = limits.video_access_unit
        self._max_count = limits.nal_units
        self._count = 0
        # flags, key of a parameter set, first and last part of the NAL units before the slices
        self._head: list[tuple[int, Key | None, int, int]] = []
        self.parts: list[bytes | memoryview] = []
        self.settled = 0
        self.nal_start = self.fragment = CLOSED
        self.nal_kind = self.slices = self.markers = self.slice_markers = 0
        self.has_slice = self.keyframe = self.damaged = self.broken = False

    def open(self, kind: int) -> bool:
        """A NAL unit begins; False when no more are taken."""
        if self.broken:
            return False
        self._count += 1
        if self._count > self._max_count:
            self.give_up()
            return False
        parts = self.parts
        if self.settled < len(parts):
            self.settle()
        parts.append(START_CODE)
        self.room -= len(START_CODE)
        self.nal_start = self.settled = len(parts)
        self.nal_kind = kind
        return True

    def add(self, piece: bytes | memoryview) -> bool:
        """The open NAL unit goes on; False when that is too much, and the unit is given up."""
        parts, size = self.parts, len(piece)
        if size >= SMALL and self.settled == len(parts):
            self.settled += 1
        parts.append(bytes(piece))
        self.room -= size
        if self.room < 0:
            self.give_up()
            return False
        return True

    def close(self) -> None:
        """The open NAL unit is whole. What is no slice goes through ``note_other`` next."""
        self.nal_start = self.fragment = CLOSED
        if self.nal_kind & SLICE:
            self.slices += 1
            self.keyframe |= bool(self.nal_kind & KEY)

    def last_nal_unit(self, start: int) -> bytes:
        """The NAL unit whose first piece is at ``start``, and which is the last."""
        nal_unit = b"".join(self.parts[start:])
        self.parts[start:] = (nal_unit,)
        self.settled = len(self.parts)
        return nal_unit

    def note_other(self, start: int, key: Key | None) -> None:
        """The last NAL unit, at ``start``, is no slice; ``key`` is for a parameter set."""
        if not self.has_slice:
            self._head.append((self.nal_kind, key, start - 1, len(self.parts)))

    def cut(self, start: int) -> None:
        """Take the last NAL unit out again."""
        begin = start - 1
        self.room += sum(map(len, self.parts[begin:]))
        del self.parts[begin:]
        self.settled = begin
        self._count -= 1
        self.nal_start = self.fragment = CLOSED

    def settle(self) -> None:
        """Copy what still lies in packets: their memory can be used again."""
        parts, settled = self.parts, self.settled
        if len(parts) == settled + 1:
            joined = parts[settled] = bytes(parts[settled])
        else:
            joined = b"".join(parts[settled:])
            parts[settled:] = (joined,)
        if len(joined) >= SMALL:
            self.settled = settled + 1

    def give_up(self) -> None:
        """Free what it holds; it will be dropped where it ends."""
        self.broken = True
        self.parts = []
        self.settled = 0
        self._head = []
        self.nal_start = self.fragment = CLOSED

    def data(self, parameter_sets: ParameterSets) -> bytes:
        """The byte stream; a keyframe begins with the parameter sets in force.

        A keyframe that lacks some of them in front gets them all there. It has no access unit
        delimiter: that would have to stand before them.
        """
        if not self.keyframe:
            return b"".join(self.parts)
        absent = set(parameter_sets.keys())
        for kind, key, _, _ in self._head:
            if key is not None:
                absent.discard(key)
            elif not kind & (DELIMITER | PARAMETER_SET):
                break
        parts: list[bytes | memoryview] = []
        if absent:
            for nal_unit in parameter_sets.nal_units:
                parts += START_CODE, nal_unit
        position = 0
        for kind, key, start, stop in self._head:
            if kind & DELIMITER or (absent and key is not None):
                parts += self.parts[position:start]
                position = stop
        parts += self.parts[position:]
        return b"".join(parts)
