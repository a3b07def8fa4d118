"""What an MPEG-4 audio decoder must know first: AudioSpecificConfig.

Layer:  payload (pure functions and a plain value)
In:     the ``config`` of an SDP
Out:    AudioSpecificConfig, and back
Source: ISO/IEC 14496-3 §1.6.2.1 (AudioSpecificConfig), §4.4.1 (GASpecificConfig)

Facts the code leans on
- With SBR or PS the frame length counts samples of the core, which runs at ``sample_rate``;
  what comes out of the decoder runs at ``extension_sample_rate``.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.sprop import decode_base64, decode_hexadecimal

__all__ = [
    "AudioSpecificConfig",
    "decode_config",
    "make_config",
    "parse_audio_specific_config",
    "read_bits",
    "serialize_audio_specific_config",
]

# fmt: off
SAMPLE_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000,
                11_025, 8_000, 7_350)  # samplingFrequencyIndex 0 to 12
# fmt: on
ESCAPED_RATE = 15  # samplingFrequencyIndex: the rate follows in 24 bits
CHANNELS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 8, 11: 7, 12: 8, 14: 8}  # channelConfiguration

AAC_LC = 2  # audioObjectType, here and below
SBR = 5
ER_BSAC = 22
ER_AAC_LD = 23
PARAMETRIC_STEREO = 29
ER_AAC_ELD = 39
ESCAPED_OBJECT_TYPE = 31
PLAIN_AAC = frozenset({1, 2, 3, 4})  # main, LC, SSR, LTP
GENERAL_AUDIO = PLAIN_AAC | {6, 7, 17, 19, 20, 21, 22, 23}
SYNC_EXTENSION = 0x2B7  # 11 bits that announce SBR behind the config

MAX_CONFIG = 2048  # characters; a config has a few bytes, seldom some dozens
DEFAULT_FRAME_LENGTH = 1024  # samples
FRAME_LENGTHS = (DEFAULT_FRAME_LENGTH, 960)  # by frameLengthFlag


@dataclass(slots=True, frozen=True)
class AudioSpecificConfig:
    """What the sender tells the decoder of its audio.

    Attributes:
        object_type: audioObjectType of the core: 2 is AAC-LC.
        sample_rate: Samples per second of the core.
        channels: 1 to 8 and more; 0 when the stream itself tells.
        channel_configuration: As sent; 0 when ``channels`` come from elsewhere in the config.
        frame_length: Samples of the core in one frame: 1024, or 960, 512, 480.
        extension_object_type: 5 for SBR, 29 for parametric stereo, else None.
        extension_sample_rate: Samples per second after SBR, or None.
    """

    object_type: int
    sample_rate: int
    channels: int
    channel_configuration: int
    frame_length: int = DEFAULT_FRAME_LENGTH
    extension_object_type: int | None = None
    extension_sample_rate: int | None = None


def read_bits(data: bytes | memoryview, position: int, size: int) -> int:
    """The ``size`` bits that begin at bit ``position``; the caller has checked that they exist."""
    end = position + size
    window = int.from_bytes(data[position >> 3 : (end + 7) >> 3], "big")
    return window >> (-end & 7) & ((1 << size) - 1)


class _Bits:
    """Reads a config from front to back; past its end is a RemoteProtocolError."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._position = 0
        self.left = 8 * len(data)

    def take(self, size: int) -> int:
        if size > self.left:
            raise RemoteProtocolError(
                f"the AudioSpecificConfig of {len(self._data)} bytes ends too early"
            )
        value = read_bits(self._data, self._position, size)
        self._position += size
        self.left -= size
        return value

    def object_type(self) -> int:
        value = self.take(5)
        return 32 + self.take(6) if value == ESCAPED_OBJECT_TYPE else value

    def sample_rate(self) -> int:
        index = self.take(4)
        if index == ESCAPED_RATE:
            rate = self.take(24)
        else:
            rate = SAMPLE_RATES[index] if index < len(SAMPLE_RATES) else 0
        if rate == 0:
            raise RemoteProtocolError(f"no sample rate in samplingFrequencyIndex {index}")
        return rate


def parse_audio_specific_config(data: bytes | memoryview) -> AudioSpecificConfig:
    """Read an AudioSpecificConfig; what follows it is left alone.

    Raises:
        RemoteProtocolError: It ends too early, or names a sample rate or a channel
            configuration that does not exist. Nothing else, whatever the bytes are.

    Source: ISO/IEC 14496-3 §1.6.2.1.
    """
    bits = _Bits(data)
    extension: int | None = None
    extension_rate: int | None = None
    object_type = bits.object_type()
    rate = bits.sample_rate()
    configuration = bits.take(4)
    if object_type in (SBR, PARAMETRIC_STEREO):
        extension, extension_rate = object_type, bits.sample_rate()
        object_type = bits.object_type()
        if object_type == ER_BSAC:
            bits.take(4)  # extensionChannelConfiguration
    if configuration and configuration not in CHANNELS:
        raise RemoteProtocolError(f"channelConfiguration {configuration} is reserved")
    channels, frame_length = CHANNELS.get(configuration, 0), DEFAULT_FRAME_LENGTH
    if object_type in GENERAL_AUDIO:
        frame_length, elements = _general_audio(bits, object_type, configuration)
        channels = channels or elements
    elif object_type == ER_AAC_ELD:
        frame_length = 480 if bits.take(1) else 512
    if extension is None and object_type == AAC_LC and configuration:
        extension, extension_rate = _sync_extension(bits)
    return AudioSpecificConfig(
        object_type, rate, channels, configuration, frame_length, extension, extension_rate
    )


def _general_audio(bits: _Bits, object_type: int, configuration: int) -> tuple[int, int]:
    """GASpecificConfig: samples in a frame, and the channels of a program_config_element."""
    short = bits.take(1)
    if bits.take(1):  # dependsOnCoreCoder
        bits.take(14)  # coreCoderDelay
    bits.take(1)  # extensionFlag
    channels = _program_config_channels(bits) if configuration == 0 else 0
    if object_type == ER_AAC_LD:
        return 480 if short else 512, channels
    return FRAME_LENGTHS[short], channels


def _program_config_channels(bits: _Bits) -> int:
    """Channels of a program_config_element: a pair counts two, a low frequency element one."""
    bits.take(4 + 2 + 4)  # element_instance_tag, object_type, sampling_frequency_index
    elements = bits.take(4) + bits.take(4) + bits.take(4)  # front, side, back: 45 at most
    low_frequency = bits.take(2)
    bits.take(3 + 4)  # associated data, valid coupling elements
    for size in (4, 4, 3):  # mono, stereo and matrix mixdown
        if bits.take(1):
            bits.take(size)
    pairs = 0
    for _ in range(elements):
        pairs += bits.take(1)
        bits.take(4)
    bits.take(4 * low_frequency)
    return elements + pairs + low_frequency


def _sync_extension(bits: _Bits) -> tuple[int | None, int | None]:
    """SBR told behind the config, where old decoders do not look."""
    if bits.left < 11 + 5 + 1 or bits.take(11) != SYNC_EXTENSION:
        return None, None
    if bits.take(5) != SBR or not bits.take(1) or bits.left < 4:
        return None, None
    index = bits.take(4)
    if index == ESCAPED_RATE and bits.left >= 24:
        rate = bits.take(24)
    else:
        rate = SAMPLE_RATES[index] if index < len(SAMPLE_RATES) else 0
    return (SBR, rate) if rate else (None, None)


def serialize_audio_specific_config(config: AudioSpecificConfig) -> bytes:
    """Write an AudioSpecificConfig of AAC; SBR is told in front.

    Raises:
        LocalProtocolError: A configuration that needs more than this writer knows: an object
            type past 4, or channels that only a program_config_element can tell.
    """
    known = config.object_type in PLAIN_AAC and config.channel_configuration in CHANNELS
    if not known or config.frame_length not in FRAME_LENGTHS:
        raise LocalProtocolError(f"this writer knows plain AAC only, not {config}")
    fields: list[tuple[int, int]] = []
    if config.extension_object_type is not None:
        fields.append((config.extension_object_type, 5))
        fields += [*_rate_fields(config.sample_rate), (config.channel_configuration, 4)]
        fields += [*_rate_fields(config.extension_sample_rate or 0), (config.object_type, 5)]
    else:
        fields.append((config.object_type, 5))
        fields += [*_rate_fields(config.sample_rate), (config.channel_configuration, 4)]
    fields += [(FRAME_LENGTHS.index(config.frame_length), 1), (0, 1), (0, 1)]
    value = size = 0
    for number, width in fields:
        if not 0 <= number < 1 << width:
            raise LocalProtocolError(f"{number} does not fit the {width} bits of its field")
        value, size = value << width | number, size + width
    return (value << (-size & 7)).to_bytes((size + 7) // 8, "big")


def _rate_fields(rate: int) -> list[tuple[int, int]]:
    if rate in SAMPLE_RATES:
        return [(SAMPLE_RATES.index(rate), 4)]
    if rate <= 0:
        raise LocalProtocolError(f"a sample rate must be greater than 0, not {rate}")
    return [(ESCAPED_RATE, 4), (rate, 24)]


def decode_config(text: str) -> tuple[bytes, AudioSpecificConfig] | None:
    """The ``config`` of an SDP: hexadecimal or, as some devices have it, base64.

    Returns:
        Its bytes and what they say; None when they say nothing.

    Source: RFC 3640 §4.1.
    """
    text = text.strip().strip('"')
    if len(text) > MAX_CONFIG:
        return None
    data = decode_hexadecimal(text) or decode_base64(text)
    try:
        return (data, parse_audio_specific_config(data)) if data else None
    except RemoteProtocolError:
        return None


def make_config(sample_rate: int, channels: int) -> tuple[bytes, AudioSpecificConfig] | None:
    """The AudioSpecificConfig of AAC-LC as devices mostly mean it, and its bytes.

    Returns:
        None for a rate or number of channels that have no index.
    """
    configuration = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 8: 7}.get(channels)
    if configuration is None or sample_rate not in SAMPLE_RATES:
        return None
    config = AudioSpecificConfig(AAC_LC, sample_rate, channels, configuration)
    return serialize_audio_specific_config(config), config
