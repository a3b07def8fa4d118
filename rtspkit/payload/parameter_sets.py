"""Parameter sets of H.264 and H.265: out of the SDP, and those in force.

Layer:  payload (values, and the small state of one stream)
In:     the text of ``sprop-…`` parameters; parameter sets met in band
Out:    ParameterSets; what they say of the picture as VideoParameters
Source: RFC 6184 §8.1 (sprop-parameter-sets); RFC 7798 §7.1 (sprop-vps, sprop-sps, sprop-pps)

Facts the code leans on
- The first byte of an H.264 or H.265 parameter set has its top bit clear, and no hexadecimal
  spelling of one does when it is read as base64: which of the two was meant is never in doubt.
- A NAL unit ends in no zero byte; SDPs append zeros, and even whole start codes.

Where we leave the RFCs
- Hexadecimal, start codes and several sets in one value are taken; what cannot be read is left
  out and the stream goes on without it.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.nal import split_annex_b

__all__ = [
    "Key",
    "ParameterSetReader",
    "ParameterSets",
    "SdpParameterSets",
    "VideoParameters",
    "decode_parameter_sets",
]

MAX_SETS = 64  # kept at a time; H.264 knows 288 identifiers, cameras use 2
MAX_SET_SIZE = 16 * 1024  # bytes; a longer one is no parameter set

Key = tuple[int, int]  # NAL unit type, identifier


@dataclass(slots=True, frozen=True)
class VideoParameters:
    """What a sequence parameter set says of the picture.

    Attributes:
        codec: As RFC 6381 spells it: ``"avc1.64001E"``, ``"hvc1.1.6.L93.B0"``.
        width: Pixels, cropping applied.
        height: Pixels, cropping applied.
        profile: profile_idc or general_profile_idc.
        level: level_idc or general_level_idc: ten (H.264) or thirty (H.265) times the level.
        frame_rate: Frames per second, or None when the set does not tell.
    """

    codec: str
    width: int
    height: int
    profile: int
    level: int
    frame_rate: float | None = None


@dataclass(slots=True)
class SdpParameterSets:
    """Parameter sets found in format parameters.

    Attributes:
        nal_units: Without start codes, in the order found.
        deviations: What was put up with, as stable ids.
    """

    nal_units: tuple[bytes, ...] = ()
    deviations: tuple[str, ...] = field(default=(), compare=False)


def decode_parameter_sets(
    values: Iterable[str], is_parameter_set: Callable[[bytes], bool]
) -> SdpParameterSets:
    """Read parameter sets out of the values of ``sprop-…`` parameters.

    Args:
        values: Comma-separated base64, or what devices write instead.
        is_parameter_set: Whether a NAL unit of at least one byte is one, by its header.

    Returns:
        What could be read. Nothing is raised, whatever the text is.
    """
    found: list[bytes] = []
    deviations: dict[str, None] = {}
    for text in (piece.strip() for value in values for piece in value.split(",")):
        if not text:
            continue
        if len(found) >= MAX_SETS or len(text) > 2 * MAX_SET_SIZE:
            deviations["parameter-sets-too-many"] = None
            break
        nal_units = _nal_units(_base64(text), is_parameter_set, deviations)
        if not nal_units:
            nal_units = _nal_units(_hexadecimal(text), is_parameter_set, deviations)
            deviations[
                "parameter-sets-hexadecimal" if nal_units else "parameter-sets-undecodable"
            ] = None
        found += nal_units
    return SdpParameterSets(tuple(found), tuple(deviations))


def _nal_units(
    data: bytes, is_parameter_set: Callable[[bytes], bool], deviations: dict[str, None]
) -> list[bytes]:
    nal_units = [unit for unit in split_annex_b(data) if is_parameter_set(unit)]
    if nal_units and data != b"".join(nal_units):
        # Device: GW Security GW4089IP – a start code behind each set; Dahua – a zero
        deviations["parameter-sets-not-bare"] = None
    return nal_units


def _base64(text: str) -> bytes:
    """The bytes; empty when it is no base64. Missing padding is made up for."""
    text = text.rstrip("=")
    try:
        return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return b""


def _hexadecimal(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""


@dataclass(slots=True, frozen=True)
class ParameterSetReader:
    """How one codec's parameter sets are read.

    Attributes:
        from_fmtp: The sets in format parameters.
        key: Type and identifier of a set; None when they cannot be read.
        parse: What a sequence parameter set says; RemoteProtocolError for anything else.
    """

    from_fmtp: Callable[[Mapping[str, str]], SdpParameterSets]
    key: Callable[[bytes], Key | None]
    parse: Callable[[bytes], VideoParameters]


class ParameterSets:
    """The parameter sets in force in one stream: in band wins over the SDP.

    Args:
        reader: Of the codec.
        nal_units: From the SDP.

    Attributes:
        nal_units: The sets in force, by kind and identifier, without start codes.
    """

    __slots__ = ("_announced", "_in_force", "_parsed", "_reader", "nal_units")

    def __init__(self, reader: ParameterSetReader, nal_units: Iterable[bytes]) -> None:
        self._reader = reader
        self._parsed: tuple[bytes, VideoParameters] | None = None
        self._in_force: dict[Key, bytes] = {}
        self.nal_units: tuple[bytes, ...] = ()
        for nal_unit in nal_units:
            self.put(nal_unit)
        self._announced = dict(self._in_force)

    def put(self, nal_unit: bytes) -> Key | None:
        """A set met in band; its key, or None when it cannot be read and is not kept."""
        nal_unit = nal_unit.rstrip(b"\x00")
        key = self._reader.key(nal_unit) if len(nal_unit) <= MAX_SET_SIZE else None
        if key is None or self._in_force.get(key) == nal_unit:
            return key
        if key not in self._in_force and len(self._in_force) >= MAX_SETS:
            del self._in_force[next(iter(self._in_force))]
        self._in_force[key] = nal_unit
        self.nal_units = tuple(self._in_force[key] for key in sorted(self._in_force))
        return key

    def holds(self, nal_unit: bytes) -> bool:
        """Whether this very set is in force."""
        return nal_unit.rstrip(b"\x00") in self.nal_units

    @property
    def parameters(self) -> VideoParameters | None:
        """What the first sequence parameter set in force says; None when none can be read."""
        for nal_unit in self.nal_units:
            if self._parsed is None or self._parsed[0] != nal_unit:
                try:
                    self._parsed = nal_unit, self._reader.parse(nal_unit)
                except RemoteProtocolError:
                    continue
            return self._parsed[1]
        return None

    def keys(self) -> Iterable[Key]:
        """The keys of all sets in force."""
        return self._in_force.keys()

    def announce(self) -> bool:
        """Whether the sets differ from those at the last call (or in the SDP).

        A kind of set that was not known before is news, not a change.
        """
        before, after = self._announced, self._in_force
        if before == after:
            return False
        kinds = {kind for kind, _ in before}
        self._announced = dict(after)
        return any(
            kind in kinds and before.get((kind, identifier)) != nal_unit
            for (kind, identifier), nal_unit in after.items()
        )
