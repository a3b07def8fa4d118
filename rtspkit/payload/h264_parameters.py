"""H.264 parameter sets: what they say of the picture, and where the SDP keeps them.

Layer:  payload (pure functions)
In:     one NAL unit of type 7 (SPS) or 8 (PPS); format parameters
Out:    VideoParameters; the sets as SdpParameterSets
Source: ITU-T H.264 §7.3.2.1.1 (SPS), §7.3.2.2 (PPS), §7.4.2.1.1, §E.1.1 (VUI); RFC 6184 §8.1;
        RFC 6381 §3.3 (codec)
"""

from __future__ import annotations

from collections.abc import Mapping

from rtspkit.errors import RemoteProtocolError
from rtspkit.payload.nal import BitReader, remove_emulation_prevention, skip_video_signal
from rtspkit.payload.parameter_sets import (
    ParameterSetReader,
    SdpParameterSets,
    VideoParameters,
    decode_parameter_sets,
)

__all__ = [
    "READER",
    "parameter_set_key",
    "parameter_sets_from_fmtp",
    "parse_sequence_parameter_set",
    "reads_as_slice",
]

SPS = 7  # nal_unit_type
PPS = 8
IDR_SLICE = 5
SLICE_HEADER = 12  # bytes that are more than enough for its first two fields
MAX_MACROBLOCKS_OF_A_PICTURE = 139_264  # MaxFS of level 6.2, table A-1
MAX_SLICE_TYPE = 9  # table 7-6
INTRA_SLICE_TYPES = (2, 4)  # I and SI, modulo 5
MAX_SEQUENCE_PARAMETER_SET_ID = 31
MAX_PICTURE_PARAMETER_SET_ID = 255
# profile_idc with chroma_format_idc, §7.3.2.1.1
HIGH_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})
MAX_MACROBLOCKS = 4096  # in a row or column: 65,536 pixels
MAX_FRAME_RATE = 1000.0  # more is a mistake of the sender


def parameter_sets_from_fmtp(fmtp: Mapping[str, str]) -> SdpParameterSets:
    """The sets in ``sprop-parameter-sets``; nothing is ever raised for its text.

    Args:
        fmtp: Format parameters, names in lower case.

    Source: RFC 6184 §8.1.
    """
    value = fmtp.get("sprop-parameter-sets")
    if value is None:
        return SdpParameterSets()
    return decode_parameter_sets([value], lambda unit: unit[0] & 0x9F in (SPS, PPS))


def parameter_set_key(nal_unit: bytes) -> tuple[int, int] | None:
    """Type and identifier of a parameter set; None when they cannot be read."""
    try:
        if nal_unit[0] & 0x1F == SPS:
            bits = BitReader(remove_emulation_prevention(nal_unit[4:12]))
            return SPS, bits.bounded(MAX_SEQUENCE_PARAMETER_SET_ID, "seq_parameter_set_id")
        bits = BitReader(remove_emulation_prevention(nal_unit[1:12]))
        return PPS, bits.bounded(MAX_PICTURE_PARAMETER_SET_ID, "pic_parameter_set_id")
    except (RemoteProtocolError, IndexError):
        return None


def reads_as_slice(nal_unit: bytes | memoryview) -> bool:
    """Whether a slice begins with a header that can be one.

    Source: H.264 §7.3.3, §7.4.3 (first_mb_in_slice, slice_type), §7.4.1.2.4 (IDR: I and SI only).
    """
    try:
        bits = BitReader(bytes(nal_unit[1:SLICE_HEADER]))
        bits.bounded(MAX_MACROBLOCKS_OF_A_PICTURE, "first_mb_in_slice")
        slice_type = bits.bounded(MAX_SLICE_TYPE, "slice_type")
    except RemoteProtocolError:
        return False
    return nal_unit[0] & 0x1F != IDR_SLICE or slice_type % 5 in INTRA_SLICE_TYPES


def parse_sequence_parameter_set(nal_unit: bytes) -> VideoParameters:
    """Read what a sequence parameter set says of the picture.

    Args:
        nal_unit: Without start code. Bytes behind the set do no harm; a broken VUI costs the
            frame rate only.

    Raises:
        RemoteProtocolError: No SPS, or one that cannot be. Nothing else, whatever the bytes are.

    Source: ITU-T H.264 §7.3.2.1.1.
    """
    if len(nal_unit) < 4 or nal_unit[0] & 0x1F != SPS:
        raise RemoteProtocolError("this is no H.264 sequence parameter set")
    profile, constraints, level = nal_unit[1:4]
    bits = BitReader(remove_emulation_prevention(nal_unit[4:]))
    bits.bounded(MAX_SEQUENCE_PARAMETER_SET_ID, "seq_parameter_set_id")
    chroma_format = 1
    if profile in HIGH_PROFILES:
        chroma_format = _high_profile(bits)
    bits.exp_golomb()  # log2_max_frame_num_minus4
    _picture_order_count(bits)
    bits.exp_golomb()  # max_num_ref_frames
    bits.skip(1)  # gaps_in_frame_num_value_allowed_flag
    width, height = _size(bits, chroma_format)
    return VideoParameters(
        codec=f"avc1.{profile:02X}{constraints:02X}{level:02X}",
        width=width,
        height=height,
        profile=profile,
        level=level,
        frame_rate=_frame_rate(bits),
    )


def _high_profile(bits: BitReader) -> int:
    """What the high profiles add; gives ChromaArrayType."""
    chroma_format = bits.bounded(3, "chroma_format_idc")
    separate_planes = chroma_format == 3 and bits.flag()
    bits.exp_golomb()  # bit_depth_luma_minus8
    bits.exp_golomb()  # bit_depth_chroma_minus8
    bits.skip(1)  # qpprime_y_zero_transform_bypass_flag
    if bits.flag():  # seq_scaling_matrix_present_flag
        for index in range(8 if chroma_format != 3 else 12):
            if bits.flag():
                _scaling_list(bits, 16 if index < 6 else 64)
    return 0 if separate_planes else chroma_format


def _scaling_list(bits: BitReader, size: int) -> None:
    last = scale = 8
    for _ in range(size):
        if scale:
            scale = (last + bits.signed_exp_golomb()) % 256
        last = scale or last


def _picture_order_count(bits: BitReader) -> None:
    kind = bits.bounded(2, "pic_order_cnt_type")
    if kind == 0:
        bits.exp_golomb()  # log2_max_pic_order_cnt_lsb_minus4
    elif kind == 1:
        bits.skip(1)
        bits.signed_exp_golomb()
        bits.signed_exp_golomb()
        for _ in range(bits.bounded(255, "num_ref_frames_in_pic_order_cnt_cycle")):
            bits.signed_exp_golomb()


def _size(bits: BitReader, chroma_format: int) -> tuple[int, int]:
    """Width and height in pixels, after cropping (§7.4.2.1.1, equations 7-19 to 7-22)."""
    width = 16 * (bits.bounded(MAX_MACROBLOCKS - 1, "pic_width_in_mbs_minus1") + 1)
    rows = bits.bounded(MAX_MACROBLOCKS - 1, "pic_height_in_map_units_minus1") + 1
    frame_only = bits.flag()
    fields = 1 if frame_only else 2
    if not frame_only:
        bits.skip(1)  # mb_adaptive_frame_field_flag
    bits.skip(1)  # direct_8x8_inference_flag
    height = 16 * rows * fields
    if bits.flag():
        left, right, top, bottom = (bits.exp_golomb() for _ in range(4))
        width -= (2 if chroma_format in (1, 2) else 1) * (left + right)
        height -= (2 if chroma_format == 1 else 1) * fields * (top + bottom)
    if width <= 0 or height <= 0:
        raise RemoteProtocolError("the cropping leaves nothing of the picture")
    return width, height


def _frame_rate(bits: BitReader) -> float | None:
    """Frames per second by the VUI; None when it is missing, broken or absurd."""
    try:
        return _timing(bits) if bits.flag() else None
    except RemoteProtocolError:
        return None


def _timing(bits: BitReader) -> float | None:
    skip_video_signal(bits)
    if not bits.flag():  # timing_info_present_flag
        return None
    ticks, scale = bits.unsigned(32), bits.unsigned(32)
    rate = scale / (2 * ticks) if ticks else 0.0  # a tick is a field (§E.2.1)
    return rate if 0 < rate <= MAX_FRAME_RATE else None


READER = ParameterSetReader(
    parameter_sets_from_fmtp, parameter_set_key, parse_sequence_parameter_set
)
