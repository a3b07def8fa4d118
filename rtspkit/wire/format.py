"""One payload format of a media: its name, clock, channels and parameters.

Layer:  wire
In:     the values of ``a=rtpmap`` and ``a=fmtp``; payload types of an ``m=`` line
Out:    PayloadFormat
Source: RFC 8866 §6.6 (rtpmap), §6.15 (fmtp); RFC 3551 §6 (static payload types)

Facts the code leans on
- Encoding names are compared without regard to case (RFC 4855 §3): known ones come out in one
  spelling, so that nobody further up has to fold them again.

Where we leave the RFC
- Blanks inside an rtpmap, parameters parted by blanks, rtpmaps without a clock rate: read, and
  each reported as a deviation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtspkit.wire.number import parse_decimal

__all__ = [
    "PayloadFormat",
    "canonical_encoding_name",
    "default_clock_rate",
    "first_word",
    "is_static",
    "parse_fmtp_parameters",
    "parse_payload_format",
]

MAX_CLOCK_RATE = 2**32 - 1  # ticks per second; timestamps have 32 bits
MAX_CHANNELS = 255
MAX_PAYLOAD_TYPE = 127  # 7 bits, RFC 3550 §5.1

_SPELLINGS = (
    "AAL2-G726-16 AAL2-G726-24 AAL2-G726-32 AAL2-G726-40 ac3 AMR AMR-WB AV1 CelB CN DVI4 eac3 "
    "EVRC flexfec G722 G7221 G723 G726-16 G726-24 G726-32 G726-40 G728 G729 G729D G729E GSM "
    "GSM-EFR H261 H263 H263-1998 H263-2000 H264 H264-SVC H265 H266 iLBC JPEG jpeg2000 jxsv L8 L16 "
    "L20 L24 LPC MP1S MP2P MP2T MP4A-LATM MP4V-ES MPA mpa-robust MPEG4-GENERIC MPV nv opus PCMA "
    "PCMA-WB PCMU PCMU-WB QCELP raw red rtx smpte291 smpte336m speex telephone-event theora "
    "ulpfec vc1 VDVI vnd.onvif.metadata vorbis VP8 VP9"
)
_ENCODING_NAMES = {name.lower(): name for name in _SPELLINGS.split()}

_STATIC: dict[int, tuple[str, int, int | None]] = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1),
    13: ("CN", 8000, 1),
    14: ("MPA", 90000, None),
    15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1),
    17: ("DVI4", 22050, 1),
    18: ("G729", 8000, 1),
    25: ("CelB", 90000, None),
    26: ("JPEG", 90000, None),
    28: ("nv", 90000, None),
    31: ("H261", 90000, None),
    32: ("MPV", 90000, None),
    33: ("MP2T", 90000, None),
    34: ("H263", 90000, None),
}
_NOTHING: tuple[str, int, int | None] = ("", 0, None)


@dataclass(slots=True)
class PayloadFormat:
    """One format of an ``m=`` line, with what rtpmap, fmtp or RFC 3551 say of it.

    Attributes:
        payload_type: 0 to 127; None when the format is no such number.
        encoding_name: In the IANA spelling where it has one; empty when nothing tells.
        clock_rate: RTP ticks per second; 0 only when an rtpmap says so.
        channels: Audio channels; None when nothing tells.
        fmtp: Format parameters, names in lower case, values as sent.
        fmtp_raw: The parameters as one text, as sent; empty without any.
        from_rtpmap: Whether an rtpmap named it; else RFC 3551 did, or nothing.
    """

    payload_type: int | None
    encoding_name: str = ""
    clock_rate: int = 0
    channels: int | None = None
    fmtp: dict[str, str] = field(default_factory=dict)
    fmtp_raw: str = ""
    from_rtpmap: bool = False


def canonical_encoding_name(name: str) -> str:
    """The IANA spelling of a known encoding name; others as they are."""
    return _ENCODING_NAMES.get(name.lower(), name)


def default_clock_rate(media: str, encoding_name: str = "") -> int:
    """The clock rate when nothing tells: 8,000 for audio, 90,000 for the rest."""
    if encoding_name == "opus":
        return 48000  # RFC 7587 §4.1
    return 8000 if media.lower() == "audio" else 90000


def first_word(value: str | None) -> str:
    """The payload type that the value of an rtpmap or fmtp begins with; empty when it has none."""
    words = (value or "").split(None, 1)
    return words[0] if words else ""


def is_static(payload_format: PayloadFormat) -> bool:
    """Whether RFC 3551 §6 says the same of this payload type, so that no rtpmap is needed."""
    known = (payload_format.encoding_name, payload_format.clock_rate, payload_format.channels)
    return payload_format.payload_type is not None and known == _STATIC.get(
        payload_format.payload_type
    )


def parse_payload_format(
    media: str, text: str, rtpmap: str | None, fmtp: str | None
) -> tuple[PayloadFormat, list[str]]:
    """Put together what is known of one format.

    Args:
        media: First word of the ``m=`` line; decides the clock rate when nothing else does.
        text: The format as the ``m=`` line has it: ``"96"``.
        rtpmap: What follows the payload type in its rtpmap: ``"H264/90000"``; None without.
        fmtp: What follows the payload type in its fmtp; None without.

    Returns:
        The format, and the ids of the deviations that were put up with. Nothing is raised.
    """
    deviations: list[str] = []
    payload_type = parse_decimal(text, maximum=MAX_PAYLOAD_TYPE)
    if payload_type is None:
        deviations.append("payload-type-malformed")
    name, clock_rate, channels = _STATIC.get(-1 if payload_type is None else payload_type, _NOTHING)
    words = (rtpmap or "").replace("/", " ").split()
    if words:
        named = canonical_encoding_name(words[0])
        if named != name:
            clock_rate = 0
        name, channels = named, None
        clock_rate = _parse_clock_rate(words[1:], media, name, clock_rate, deviations)
        if len(words) > 2:
            channels = parse_decimal(words[2], maximum=MAX_CHANNELS) or None
            if channels is None:
                deviations.append("channels-malformed")
        if _has_blanks(rtpmap or ""):
            deviations.append("rtpmap-blanks")
    else:
        clock_rate = clock_rate or default_clock_rate(media)
        if not name and payload_type is not None:
            deviations.append("rtpmap-missing")
    if fmtp is not None and not fmtp.strip():
        deviations.append("fmtp-empty")
    parameters, found = parse_fmtp_parameters(fmtp or "")
    deviations += found
    raw = (fmtp or "").strip()
    result = PayloadFormat(payload_type, name, clock_rate, channels, parameters, raw, bool(words))
    return result, deviations


def _has_blanks(rtpmap: str) -> bool:
    return len(rtpmap.split()) != 1 or rtpmap != rtpmap.strip()


def _parse_clock_rate(
    words: list[str], media: str, name: str, usual: int, deviations: list[str]
) -> int:
    """The clock rate of an rtpmap; the usual one when it has none, or one that is no number."""
    if words:
        clock_rate = parse_decimal(words[0], maximum=MAX_CLOCK_RATE)
        if clock_rate == 0:
            deviations.append("clock-rate-zero")
        if clock_rate is not None:
            return clock_rate
    deviations.append("clock-rate-malformed" if words else "clock-rate-missing")
    return usual or default_clock_rate(media, name)


def parse_fmtp_parameters(text: str) -> tuple[dict[str, str], list[str]]:
    """Read ``name=value; name=value``.

    Args:
        text: What follows the payload type; may be empty or end in ``;``.

    Returns:
        The parameters, names in lower case, the first of a name winning, ``""`` for one without
        a value; and the ids of the deviations. Nothing is raised.

    Source: RFC 8866 §6.15; the shape is that of nearly all payload formats.
    """
    parameters: dict[str, str] = {}
    deviations: list[str] = []
    parts = text.split(";")
    if len(parts) == 1 and len(words := text.split()) > 1 and all("=" in w for w in words):
        # Device: Uniview IPC2122LB-SF28K-A – "DecoderTag=h3c-v3 RTCP=0"
        deviations.append("fmtp-blank-separated")
        parts = words
    for part in parts:
        name, _, value = part.partition("=")
        name = name.strip().lower()
        if not name:
            if value.strip():
                deviations.append("fmtp-malformed")
            continue
        if name in parameters:
            deviations.append("fmtp-parameter-repeated")
            continue
        parameters[name] = value.strip()
    return parameters, deviations
