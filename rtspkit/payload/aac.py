"""AAC and other MPEG-4 audio in RTP: MPEG4-GENERIC.

Layer:  payload
In:     RTP payloads, the format parameters of the SDP
Out:    access units; each ``AccessUnit.data`` is one raw AAC frame
Source: RFC 3640 §3.2 (payload), §3.2.3 (fragments, interleaving), §3.3.6 (AAC-hbr), §4.1 (SDP)

Facts the code leans on
- A packet holds whole access units, or one fragment of one; fragments share their timestamp,
  and the marker is on the last (§3.1, §3.2.3.1).

Where we leave the RFC
- AU-size of a fragment is that of the whole unit; senders that put the fragment's own size
  there are understood too: then the marker, or the next timestamp, ends the unit.
- A raw frame that still wears its ADTS header has it taken off.
- Without a usable ``config`` one is made from the clock rate and the channels of the SDP.
"""

from __future__ import annotations

from collections.abc import Mapping

from rtspkit.errors import MalformedPacket
from rtspkit.options import Limits
from rtspkit.payload.aac_packetizer import AacPacketizer, format_parameters
from rtspkit.payload.adts import adts_header, strip_adts
from rtspkit.payload.au_header import (
    AuHeader,
    parse_au_headers,
    parse_layout,
)
from rtspkit.payload.base import AccessUnit, Depacketizer
from rtspkit.payload.deinterleaver import Deinterleaver
from rtspkit.payload.mpeg4_audio import (
    DEFAULT_FRAME_LENGTH,
    AudioSpecificConfig,
    decode_config,
    make_config,
    parse_audio_specific_config,
)
from rtspkit.wire.rtp import RtpPacket

__all__ = [
    "AacDepacketizer",
    "AacPacketizer",
    "AudioSpecificConfig",
    "adts_header",
    "format_parameters",
    "parse_audio_specific_config",
]


class _Fragments:
    """An access unit whose fragments are coming in.

    Attributes:
        unit: All of it but its data.
        size: Bytes of the whole unit; None when only the marker or the next timestamp tells.
        data: What is here of it.
        count: Fragments so far.
        began: Monotonic seconds when the first one came.
        behind_gap: Whether packets were missing before it, and its beginning perhaps among them.
    """

    __slots__ = ("began", "behind_gap", "count", "data", "size", "unit")

    def __init__(
        self, unit: AccessUnit, size: int | None, data: memoryview, *, behind_gap: bool
    ) -> None:
        self.unit = unit
        self.size = size
        self.data = bytearray(data)
        self.count = 1
        self.began = unit.arrival
        self.behind_gap = behind_gap


class AacDepacketizer(Depacketizer):
    """Raw AAC frames out of the payloads of one MPEG4-GENERIC stream.

    Units after the first in a packet are later by a frame each, which has 1,024 samples of the
    config's sample rate unless the SDP says otherwise. A unit with a fragment missing is of no
    use to a decoder: it is dropped, and counted.

    Attributes:
        config: From the SDP, or made from its clock rate and channels; None when neither works.
        layout: What the AU headers hold.
    """

    encoding_name = "MPEG4-GENERIC"

    def __init__(
        self,
        clock_rate: int,
        fmtp: Mapping[str, str] | None = None,
        channels: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(clock_rate, fmtp or {}, channels, limits or Limits())
        self._deviations: tuple[str, ...] = ()
        self.layout = parse_layout(self.fmtp)
        if self.layout.is_assumed:
            self._note("aac-layout-missing")
        self._config_bytes = b""
        self.config = self._read_config()
        self._unit_ticks = self._ticks_of_a_unit()
        self._fragments: _Fragments | None = None
        self._skipped_timestamp: int | None = None  # of a unit whose other fragments are dropped
        self._skipped_size = 0
        self._lost = 0  # to be told with the next unit, as is the discontinuity
        self._discontinuity = False
        self._marker_seen = False
        self._marker_missing = False  # proven: it is not set on whole units
        self._bare_fragments = False  # proven: they do not tell the size of their unit
        self._deinterleaver = Deinterleaver(self.limits.audio_access_unit)

    @property
    def deviations(self) -> tuple[str, ...]:
        """What the sender does otherwise than RFC 3640, each once."""
        return self._deviations

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """The AudioSpecificConfig, or nothing."""
        return (self._config_bytes,) if self._config_bytes else ()

    def push(self, packet: RtpPacket) -> list[AccessUnit]:
        """Take one packet; give the units it completes."""
        if self._is_behind(packet):
            return []
        missing = self._missing_before(packet)
        gap = missing > 0 or packet.discontinuity
        units = self._restart() if packet.discontinuity else []
        self._lost += missing
        self._discontinuity |= packet.discontinuity
        if packet.marker:
            self._marker_seen, self._marker_missing = True, False
        units += self._end_fragments(packet, gap=gap)
        payload = packet.payload
        try:
            headers, start = parse_au_headers(payload, self.layout)
        except MalformedPacket:
            self._drop(packet, malformed=True)
            return units
        data = payload[start:]
        single = len(headers) == 1
        if single and self._skips(packet, len(data)):
            return units
        if self._fragments is not None and single:
            found = self._continue(packet, headers[0], data)
        elif single:
            found = self._begin(packet, headers[0], data, gap=gap)
        else:
            found = self._whole_units(packet, headers, data)
        interleaved = headers[-1].index >= len(headers)
        return units + self._deinterleaver.push(found, packet.timestamp, interleaved=interleaved)

    def flush(self) -> list[AccessUnit]:
        """Give what is still waiting; a unit that lacks fragments is dropped."""
        self._expected = None
        return self._restart()

    def _restart(self) -> list[AccessUnit]:
        """Nothing that comes continues what is here."""
        units = self._deinterleaver.flush()
        fragments, self._fragments = self._fragments, None
        self._skipped_timestamp = None
        if fragments is not None:
            if fragments.size is None and fragments.count == 1 and not self._marker_seen:
                units.append(self._seal(fragments.unit, fragments.data))
            else:
                self.counters.dropped_units += 1
        return units

    def _end_fragments(self, packet: RtpPacket, *, gap: bool) -> list[AccessUnit]:
        """End the unit in the making when ``packet`` cannot continue it."""
        fragments = self._fragments
        if fragments is None:
            return []
        late = packet.arrival - fragments.began > self.limits.access_unit_age
        if not gap and not late and packet.timestamp == fragments.unit.timestamp:
            return []
        if gap or late or fragments.size is not None:
            self._drop_fragments()
            return []
        # The next timestamp, and nothing lost between: the marker was forgotten.
        if fragments.count == 1 and not self._marker_seen:
            self._marker_missing = True
        self._note("aac-marker-missing")
        self._fragments = None
        return [self._seal(fragments.unit, fragments.data)]

    def _begin(
        self, packet: RtpPacket, header: AuHeader, data: memoryview, *, gap: bool
    ) -> list[AccessUnit]:
        """One unit, or its first fragment, in a packet of its own."""
        size = len(data) if header.size is None else header.size
        if gap and size == len(data) and self._bare_fragments:
            self._drop(packet)  # may as well be the end of a unit whose beginning is lost
            return []
        if size <= len(data) and (packet.marker or self._marker_missing or size < len(data)):
            return self._whole_units(packet, [header], data)
        broken = not data or (size > len(data) and packet.marker)
        if broken or size > self.limits.audio_access_unit:
            self._drop(packet, malformed=broken and not gap)
            return []
        total = size if size > len(data) else None
        self._fragments = _Fragments(self._unit(packet, header), total, data, behind_gap=gap)
        return []

    def _continue(self, packet: RtpPacket, header: AuHeader, data: memoryview) -> list[AccessUnit]:
        """The next fragment of the unit in the making."""
        fragments = self._fragments
        assert fragments is not None
        fragments.data += data if header.size is None else data[: header.size]
        fragments.count += 1
        fragments.unit.arrival = packet.arrival
        size = len(fragments.data)
        if fragments.size is None and packet.marker:
            self._bare_fragments = True
            if header.size is not None:
                self._note("aac-fragment-size")
        if size > (fragments.size or self.limits.audio_access_unit):
            self._drop(packet, malformed=fragments.size is not None)
            return []
        if size == fragments.size or (fragments.size is None and packet.marker):
            self._fragments = None
            return [self._seal(fragments.unit, fragments.data)]
        if packet.marker:
            self._drop(packet, malformed=not fragments.behind_gap)
        return []

    def _whole_units(
        self, packet: RtpPacket, headers: list[AuHeader], data: memoryview
    ) -> list[AccessUnit]:
        """The whole units of one packet; what breaks the RFC costs itself and what follows it."""
        if self._fragments is not None:
            self._drop_fragments()
        units: list[AccessUnit] = []
        position, broken = 0, False
        for header in headers:
            size = len(data) - position if header.size is None else header.size
            if size > len(data) - position:
                broken = True
                break
            if size == 0:
                broken = True
            elif size > self.limits.audio_access_unit:
                self.counters.dropped_units += 1
            else:
                unit = self._unit(packet, header)
                units.append(self._seal(unit, data[position : position + size]))
            position += size
        if broken:
            self.counters.malformed += 1
            self.counters.dropped_units += 1
        return units

    def _skips(self, packet: RtpPacket, size: int) -> bool:
        """Whether ``packet`` is a fragment of a unit that was given up before."""
        if self._skipped_timestamp is None:
            return False
        self._skipped_size += size
        past = self._skipped_size > self.limits.audio_access_unit  # timestamps stand still
        if packet.timestamp != self._skipped_timestamp or past:
            self._skipped_timestamp = None
            return False
        if packet.marker:
            self._skipped_timestamp = None
        return True

    def _drop_fragments(self) -> None:
        """Give up the unit in the making, and the fragments of it that may follow."""
        assert self._fragments is not None
        self._skipped_timestamp = self._fragments.unit.timestamp
        self._skipped_size = 0
        self._fragments = None
        self.counters.dropped_units += 1

    def _drop(self, packet: RtpPacket, *, malformed: bool = False) -> None:
        """Give up the unit that ``packet`` belongs to."""
        self.counters.malformed += malformed
        self.counters.dropped_units += 1
        self._fragments = None
        self._skipped_timestamp = None if packet.marker else packet.timestamp
        self._skipped_size = 0

    def _unit(self, packet: RtpPacket, header: AuHeader) -> AccessUnit:
        """All of a unit but its data."""
        offset_ticks = header.cts_delta
        if offset_ticks is None:
            offset_ticks = round(header.index * self._unit_ticks)
        seconds = self._seconds(offset_ticks)
        wall = packet.wall_time
        return AccessUnit(
            b"",
            (packet.timestamp + offset_ticks) & 0xFFFFFFFF,
            stream=packet.stream,
            media_time=packet.media_time + seconds,
            wall_time=None if wall is None else wall + seconds,
            wall_source=packet.wall_source,
            arrival=packet.arrival,
        )

    def _seal(self, unit: AccessUnit, data: memoryview | bytearray) -> AccessUnit:
        """Give ``unit`` its data, and the news that waited for a unit to go with."""
        unit.data = bytes(data)
        if unit.data[0] == 0xFF and self.layout.mode.startswith("aac"):
            raw = strip_adts(unit.data)
            if raw is not None:
                self._note("aac-adts-header")
                unit.data = bytes(raw)
        unit.lost, self._lost = self._lost, 0
        unit.discontinuity, self._discontinuity = self._discontinuity, False
        return unit

    def _note(self, deviation: str) -> None:
        if deviation not in self._deviations:
            self._deviations += (deviation,)

    def _ticks_of_a_unit(self) -> float:
        """How much later each unit of a packet is than the one before."""
        if self.layout.constant_duration:
            return self.layout.constant_duration
        if self.config is None or self.clock_rate <= 0:
            return DEFAULT_FRAME_LENGTH
        return self.config.frame_length * self.clock_rate / self.config.sample_rate

    def _read_config(self) -> AudioSpecificConfig | None:
        """The ``config`` of the SDP, or one made here; ``_config_bytes`` gets the same."""
        text = self.fmtp.get("config", "")
        found = decode_config(text)
        if found is None and text:
            self._note("config-malformed")
        if found is None and self.layout.mode.startswith("aac"):
            found = make_config(self.clock_rate, self.channels or 1)
        self._config_bytes, config = found or (b"", None)
        return config
