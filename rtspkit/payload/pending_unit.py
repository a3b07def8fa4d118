"""One access unit under construction: NAL units and fragments in one buffer.

Layer:  payload (state of one access unit)
In:     NAL units by their kind, fragments into ``buffer``
Out:    an Annex B byte stream, a keyframe with its parameter sets in front
Source: ITU-T H.264 §7.4.1.2.3, Annex B; ITU-T H.265 §7.4.2.4.4, Annex B

Facts the code leans on
- One bytearray takes every fragment: linear, bounded by its own length, and no slab is pinned
  by a picture that never ends. A NAL unit with a hole is cut off its end again.
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


class PendingUnit:
    """What there is of one access unit.

    Attributes:
        buffer: The byte stream so far; ends in the NAL unit that is open, if one is.
        nal_start: Offset of the open NAL unit, behind its start code; ``CLOSED`` without one.
        nal_kind: Its flags.
        fragment: The FU header of its plain middle fragments; ``CLOSED`` when it has none.
        slices: Whole ones in the buffer.
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
        "_max_size",
        "broken",
        "buffer",
        "damaged",
        "fragment",
        "has_slice",
        "keyframe",
        "markers",
        "nal_kind",
        "nal_start",
        "slice_markers",
        "slices",
    )

    def __init__(self, limits: Limits) -> None:
        self._max_size = limits.video_access_unit
        self._max_count = limits.nal_units
        self._count = 0
        # flags, key of a parameter set, start and stop of the NAL units before the slices
        self._head: list[tuple[int, Key | None, int, int]] = []
        self.buffer = bytearray()
        self.nal_start = CLOSED
        self.nal_kind = 0
        self.fragment = CLOSED
        self.slices = 0
        self.has_slice = False
        self.keyframe = False
        self.damaged = False
        self.broken = False
        self.markers = 0
        self.slice_markers = 0

    def open(self, kind: int) -> bool:
        """A NAL unit begins; False when no more are taken."""
        if self.broken:
            return False
        self._count += 1
        if self._count > self._max_count:
            self.give_up()
            return False
        self.buffer += START_CODE
        self.nal_start, self.nal_kind = len(self.buffer), kind
        return True

    def close(self) -> None:
        """The open NAL unit is whole. What is no slice goes through ``note_other`` next."""
        self.nal_start = self.fragment = CLOSED
        if self.nal_kind & SLICE:
            self.slices += 1
            self.keyframe |= bool(self.nal_kind & KEY)

    def note_other(self, start: int, key: Key | None) -> None:
        """The last NAL unit, at ``start``, is no slice; ``key`` is for a parameter set."""
        if not self.has_slice:
            self._head.append((self.nal_kind, key, start - len(START_CODE), len(self.buffer)))

    def cut(self, start: int) -> None:
        """Take the last NAL unit out again."""
        del self.buffer[start - len(START_CODE) :]
        self._count -= 1
        self.nal_start = self.fragment = CLOSED

    def check_size(self) -> bool:
        """Whether the unit is within its limit; else it is given up."""
        if len(self.buffer) > self._max_size:
            self.give_up()
        return not self.broken

    def give_up(self) -> None:
        """Free what it holds; it will be dropped where it ends."""
        self.broken = True
        self.buffer = bytearray()
        self._head = []
        self.nal_start = self.fragment = CLOSED

    def data(self, parameter_sets: ParameterSets) -> bytes:
        """The byte stream; a keyframe begins with the parameter sets in force.

        A keyframe that lacks some of them in front gets them all there. It has no access unit
        delimiter: that would have to stand before them.
        """
        if not self.keyframe:
            return bytes(self.buffer)
        absent = set(parameter_sets.keys())
        for kind, key, _, _ in self._head:
            if key is not None:
                absent.discard(key)
            elif not kind & (DELIMITER | PARAMETER_SET):
                break
        parts: list[bytes | bytearray] = []
        if absent:
            for nal_unit in parameter_sets.nal_units:
                parts += START_CODE, nal_unit
        position = 0
        for kind, key, start, stop in self._head:
            if kind & DELIMITER or (absent and key is not None):
                parts.append(self.buffer[position:start])
                position = stop
        parts.append(self.buffer[position:] if position else self.buffer)
        return b"".join(parts)
