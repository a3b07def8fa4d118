"""H.265 parameter sets: what they say of the picture, and where the SDP keeps them.

Layer:  payload (pure functions)
In:     one NAL unit of type 32 (VPS), 33 (SPS) or 34 (PPS); format parameters
Out:    VideoParameters; the sets as SdpParameterSets
Source: ITU-T H.265 §7.3.2.1 to §7.3.2.3, §7.3.3 (profile, tier, level), §7.3.4 (scaling lists),
        §7.3.7 (reference picture sets), §E.2.1 (VUI); RFC 7798 §7.1; ISO/IEC 14496-15 Annex E
        (codec)
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
]

VPS = 32  # nal_unit_type
SPS = 33
PPS = 34
HEADER_SIZE = 2  # of a NAL unit
MAX_SEQUENCE_PARAMETER_SET_ID = 15
MAX_PICTURE_PARAMETER_SET_ID = 63
MAX_SIZE = 65_536  # pixels
MAX_FRAME_RATE = 1000.0  # more is a mistake of the sender
MAX_REFERENCE_PICTURE_SETS = 64
MAX_PICTURES = 16  # in one reference picture set


def parameter_sets_from_fmtp(fmtp: Mapping[str, str]) -> SdpParameterSets:
    """The sets in ``sprop-vps``, ``sprop-sps`` and ``sprop-pps``.

    A set under another's name is taken for what its header says. Nothing is ever raised for
    the text.

    Args:
        fmtp: Format parameters, names in lower case.

    Source: RFC 7798 §7.1.
    """
    values = [fmtp[name] for name in ("sprop-vps", "sprop-sps", "sprop-pps") if name in fmtp]
    found = decode_parameter_sets(values, _is_parameter_set)
    kinds = {_kind(nal_unit) for nal_unit in found.nal_units}
    if kinds and kinds != {VPS, SPS, PPS}:
        found.deviations += ("parameter-sets-incomplete",)
    return found


def _kind(nal_unit: bytes) -> int:
    return nal_unit[0] >> 1 & 0x3F


def _is_parameter_set(nal_unit: bytes) -> bool:
    return nal_unit[0] < 0x80 and _kind(nal_unit) in (VPS, SPS, PPS) and len(nal_unit) > HEADER_SIZE


def parameter_set_key(nal_unit: bytes) -> tuple[int, int] | None:
    """Type and identifier of a parameter set; None when they cannot be read.

    Sets of enhancement layers (nuh_layer_id above 0) have none: they are no decoder's start.
    """
    if len(nal_unit) <= HEADER_SIZE or nal_unit[0] & 1 or nal_unit[1] >> 3:
        return None
    kind = _kind(nal_unit)
    try:
        if kind == SPS:
            return SPS, _sps_head(BitReader(_payload(nal_unit)))[-1]
        bits = BitReader(_payload(nal_unit[:12]))
        if kind == VPS:
            return VPS, bits.unsigned(4)
        return PPS, bits.bounded(MAX_PICTURE_PARAMETER_SET_ID, "pps_pic_parameter_set_id")
    except RemoteProtocolError:
        return None


def _payload(nal_unit: bytes) -> bytes:
    return remove_emulation_prevention(nal_unit[HEADER_SIZE:])


def _sps_head(bits: BitReader) -> tuple[str, int, int, int, int]:
    """codec, profile, level, sps_max_sub_layers_minus1 and sps_seq_parameter_set_id."""
    bits.skip(4)  # sps_video_parameter_set_id
    sub_layers = bits.unsigned(3)
    bits.skip(1)  # sps_temporal_id_nesting_flag
    codec, profile, level = _profile_tier_level(bits, sub_layers)
    identifier = bits.bounded(MAX_SEQUENCE_PARAMETER_SET_ID, "sps_seq_parameter_set_id")
    return codec, profile, level, sub_layers, identifier


def _profile_tier_level(bits: BitReader, sub_layers: int) -> tuple[str, int, int]:
    """codec, profile and level (§7.3.3)."""
    space, tier, profile = bits.unsigned(2), bits.unsigned(1), bits.unsigned(5)
    compatibility = int(f"{bits.unsigned(32):032b}"[::-1], 2)  # RFC 6381 wants the bits reversed
    constraints = bits.unsigned(48).to_bytes(6, "big").rstrip(b"\x00")
    level = bits.unsigned(8)
    present = [(bits.flag(), bits.flag()) for _ in range(sub_layers)]
    if sub_layers:
        bits.skip(2 * (8 - sub_layers))
    for has_profile, has_level in present:
        bits.skip(88 * has_profile + 8 * has_level)
    head = f"hvc1.{('', 'A', 'B', 'C')[space]}{profile}.{compatibility:X}.{'LH'[tier]}{level}"
    return ".".join([head, *(f"{byte:X}" for byte in constraints)]), profile, level


def parse_sequence_parameter_set(nal_unit: bytes) -> VideoParameters:
    """Read what a sequence parameter set says of the picture.

    Args:
        nal_unit: Without start code. Bytes behind the set do no harm; what is broken behind the
            size costs the frame rate only.

    Raises:
        RemoteProtocolError: No SPS, or one that cannot be. Nothing else, whatever the bytes are.

    Source: ITU-T H.265 §7.3.2.2.1.
    """
    if len(nal_unit) <= HEADER_SIZE or _kind(nal_unit) != SPS:
        raise RemoteProtocolError("this is no H.265 sequence parameter set")
    bits = BitReader(_payload(nal_unit))
    codec, profile, level, sub_layers, _ = _sps_head(bits)
    chroma_format = bits.bounded(3, "chroma_format_idc")
    if chroma_format == 3 and bits.flag():
        chroma_format = 0  # separate_colour_plane_flag
    width = bits.bounded(MAX_SIZE, "pic_width_in_luma_samples")
    height = bits.bounded(MAX_SIZE, "pic_height_in_luma_samples")
    if bits.flag():  # conformance_window_flag
        left, right, top, bottom = (bits.exp_golomb() for _ in range(4))
        width -= (2 if chroma_format in (1, 2) else 1) * (left + right)
        height -= (2 if chroma_format == 1 else 1) * (top + bottom)
    if width <= 0 or height <= 0:
        raise RemoteProtocolError("nothing is left of the picture")
    return VideoParameters(codec, width, height, profile, level, _frame_rate(bits, sub_layers))


def _frame_rate(bits: BitReader, sub_layers: int) -> float | None:
    """Frames per second by the VUI; None when it is missing, broken or absurd."""
    try:
        _to_vui(bits, sub_layers)
        return _timing(bits) if bits.flag() else None
    except RemoteProtocolError:
        return None


def _to_vui(bits: BitReader, sub_layers: int) -> None:
    """Everything between the conformance window and vui_parameters_present_flag."""
    bits.exp_golomb()  # bit_depth_luma_minus8
    bits.exp_golomb()  # bit_depth_chroma_minus8
    order_count_bits = bits.bounded(12, "log2_max_pic_order_cnt_lsb_minus4") + 4
    for _ in range(sub_layers + 1 if bits.flag() else 1):
        for _ in range(3):
            bits.exp_golomb()
    for _ in range(6):  # block sizes and transform hierarchy depths
        bits.exp_golomb()
    if bits.flag() and bits.flag():  # scaling_list_enabled_flag, …data_present_flag
        _scaling_lists(bits)
    bits.skip(2)  # amp_enabled_flag, sample_adaptive_offset_enabled_flag
    if bits.flag():  # pcm_enabled_flag
        bits.skip(8)
        bits.exp_golomb()
        bits.exp_golomb()
        bits.skip(1)
    _reference_picture_sets(bits)
    if bits.flag():  # long_term_ref_pics_present_flag
        for _ in range(bits.bounded(32, "num_long_term_ref_pics_sps")):
            bits.skip(order_count_bits + 1)
    bits.skip(2)  # sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag


def _scaling_lists(bits: BitReader) -> None:
    """scaling_list_data() (§7.3.4)."""
    for size in range(4):
        for _ in range(0, 6, 3 if size == 3 else 1):
            if not bits.flag():
                bits.exp_golomb()
                continue
            if size > 1:
                bits.signed_exp_golomb()
            for _ in range(min(64, 1 << (4 + 2 * size))):
                bits.signed_exp_golomb()


def _reference_picture_sets(bits: BitReader) -> None:
    """All st_ref_pic_set() of the SPS (§7.3.7)."""
    pictures = 0  # NumDeltaPocs of the set before
    count = bits.bounded(MAX_REFERENCE_PICTURE_SETS, "num_short_term_ref_pic_sets")
    for index in range(count):
        if index and bits.flag():  # inter_ref_pic_set_prediction_flag
            bits.skip(1)
            bits.exp_golomb()
            used = 0
            for _ in range(pictures + 1):
                if bits.flag() or bits.flag():  # used_by_curr_pic_flag, else use_delta_flag
                    used += 1
            pictures = used
            continue
        negative = bits.bounded(MAX_PICTURES, "num_negative_pics")
        positive = bits.bounded(MAX_PICTURES, "num_positive_pics")
        pictures = negative + positive
        for _ in range(pictures):
            bits.exp_golomb()
            bits.skip(1)


def _timing(bits: BitReader) -> float | None:
    skip_video_signal(bits)
    bits.skip(3)  # neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
    if bits.flag():  # default_display_window_flag
        for _ in range(4):
            bits.exp_golomb()
    if not bits.flag():  # vui_timing_info_present_flag
        return None
    ticks, scale = bits.unsigned(32), bits.unsigned(32)
    rate = scale / ticks if ticks else 0.0  # a tick is a picture (§E.3.1)
    return rate if 0 < rate <= MAX_FRAME_RATE else None


READER = ParameterSetReader(
    parameter_sets_from_fmtp, parameter_set_key, parse_sequence_parameter_set
)
