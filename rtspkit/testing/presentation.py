"""What a camera plays: tracks of access units, and their description.

Layer:  testing
In:     access units with their times, of one turn of a loop; plain values
Out:    the units in an endless row, timestamps going on from turn to turn; an SDP
Source: RFC 8866; RFC 2326 appendix C (control, range)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from rtspkit.wire.format import PayloadFormat
from rtspkit.wire.sdp import (
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
    serialize_sdp,
)

__all__ = ["Track", "Unit", "describe"]


@dataclass(slots=True)
class Unit:
    """One access unit.

    Attributes:
        data: As in ``payload.AccessUnit.data``.
        ticks: When, in ticks of the track's clock from the start of the turn.
        keyframe: Whether decoding can begin here.
    """

    data: bytes
    ticks: int
    keyframe: bool = True


@dataclass(slots=True, eq=False)
class Track:
    """One media of a presentation.

    Attributes:
        media: ``"video"``, ``"audio"`` …
        encoding_name: One that ``payload.packetizer`` knows.
        payload_type: 0 to 127.
        clock_rate: Ticks per second.
        units: One turn, in the order of their ticks, the first one a keyframe.
        duration_ticks: Length of one turn.
        channels: Of audio; None for other media.
        fmtp: Format parameters as one text; empty for none.
        framerate: For the description; None to leave it out.
        control: What the description gives as ``a=control``.
        packetizer_options: More keywords for ``payload.packetizer``.
    """

    media: str
    encoding_name: str
    payload_type: int
    clock_rate: int
    units: Sequence[Unit]
    duration_ticks: int
    channels: int | None = None
    fmtp: str = ""
    framerate: float | None = None
    control: str = ""
    packetizer_options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        times = [unit.ticks for unit in self.units]
        if not times or not self.units[0].keyframe:
            raise ValueError("a track begins with a keyframe")
        if times != sorted(set(times)) or times[0] < 0 or times[-1] >= self.duration_ticks:
            raise ValueError("ticks must rise from 0 and stay below duration_ticks")

    def ticks(self, index: int) -> int:
        """When unit ``index`` of the endless row is played, in ticks from the beginning."""
        turn, place = divmod(index, len(self.units))
        return turn * self.duration_ticks + self.units[place].ticks

    def unit(self, index: int) -> Unit:
        """Unit ``index`` of the endless row; its ``ticks`` are those of its turn."""
        return self.units[index % len(self.units)]

    def first_at(self, npt: float) -> int:
        """Index of the first unit at ``npt`` seconds or later."""
        turn, rest = divmod(round(npt * self.clock_rate), self.duration_ticks)
        place = bisect_left(self.units, rest, key=lambda unit: unit.ticks)
        return turn * len(self.units) + place

    def keyframe_at(self, npt: float) -> int:
        """Index of the last keyframe at ``npt`` seconds or before."""
        turn, rest = divmod(round(npt * self.clock_rate), self.duration_ticks)
        place = bisect_right(self.units, rest, key=lambda unit: unit.ticks) - 1
        index = max(turn * len(self.units) + place, 0)
        while not self.unit(index).keyframe:
            index -= 1
        return index


def describe(
    tracks: Sequence[Track],
    *,
    address: str,
    session_id: int,
    range_value: str,
    control: str = "*",
) -> bytes:
    """The SDP of a presentation.

    Args:
        tracks: Its media, in order.
        address: Numeric address of the server.
        session_id: For ``o=``.
        range_value: For ``a=range``.
        control: Aggregate control; empty for none.
    """
    kind = "IP6" if ":" in address else "IP4"
    attributes: list[tuple[str, str | None]] = [("tool", "rtspkit"), ("range", range_value)]
    if control:
        attributes.append(("control", control))
    return serialize_sdp(
        SessionDescription(
            origin=Origin("-", session_id, 1, "IN", kind, address),
            session_name="rtspkit camera",
            connection=Connection("::" if kind == "IP6" else "0.0.0.0", kind),
            timing=((0, 0),),
            attributes=attributes,
            control=control or None,
            range=range_value,
            media=tuple(_media(track) for track in tracks),
        )
    )


def _media(track: Track) -> MediaDescription:
    several = track.channels if track.channels is not None and track.channels > 1 else None
    payload_format = PayloadFormat(
        track.payload_type,
        track.encoding_name,
        track.clock_rate,
        several,
        fmtp_raw=track.fmtp,
        from_rtpmap=True,
    )
    return MediaDescription(
        track.media,
        formats=(str(track.payload_type),),
        payload_formats=(payload_format,),
        control=track.control or None,
        framerate=track.framerate,
    )
