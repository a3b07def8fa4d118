"""Thirty pictures of the clip that make one group: a keyframe and what follows it.

In:     the clip of ``rtspkit.testing``
Out:    pictures as NAL units, the last six repeating the one before
Source: ITU-T H.264 §7.3.3 (slice header), §7.3.4 (mb_skip_run), §9.1 (ue(v))
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache

from rtspkit.payload.nal import split_annex_b
from rtspkit.testing.clip import load_clip

__all__ = ["GROUP", "Picture", "format_parameters", "pictures", "repeat"]

GROUP = 30  # pictures from one keyframe to the next
REFERENCE_SLICE = 0x41  # nal_ref_idc 2, nal_unit_type 1
PARAMETER_SETS = (7, 8)
# Of the clip's parameter sets: log2_max_frame_num, macroblocks of a picture
FRAME_NUMBER_BITS = 5
MACROBLOCKS = 40 * 23

Picture = tuple[bytes | tuple[bytes, ...], ...]


@cache
def pictures() -> tuple[Picture, ...]:
    """Each picture: its slices, in front of them the parameter sets as a tuple of their own."""
    clip = load_clip()
    keyframes = [index for index, picture in enumerate(clip.video) if picture.keyframe]
    coded = [_picture(picture.data) for picture in clip.video[: keyframes[1]]]
    return tuple(coded + [(repeat(number),) for number in range(len(coded), GROUP)])


def format_parameters() -> str:
    """The ``fmtp`` parameters of the clip."""
    sets = load_clip().parameter_sets
    texts = ",".join(b64encode(one).decode("ascii") for one in sets)
    level = sets[0][1:4].hex()
    return f"packetization-mode=1;profile-level-id={level};sprop-parameter-sets={texts}"


def repeat(frame_number: int) -> bytes:
    """A picture that skips every macroblock, and so repeats the one before.

    Args:
        frame_number: Pictures since the keyframe.
    """
    bits = "1" + "00110" + "1"  # first_mb_in_slice 0, slice_type 5 (P), picture parameter set 0
    bits += f"{frame_number % (1 << FRAME_NUMBER_BITS):0{FRAME_NUMBER_BITS}b}"
    bits += "1" + "1"  # num_ref_idx_active_override_flag, one reference picture
    bits += "0" + "0"  # no list modification, sliding window
    bits += "1" + "010"  # slice_qp_delta 0, disable_deblocking_filter_idc 1
    run = f"{MACROBLOCKS + 1:b}"
    bits += "0" * (len(run) - 1) + run  # mb_skip_run
    bits += "1"  # rbsp_stop_one_bit
    bits += "0" * (-len(bits) % 8)
    return bytes((REFERENCE_SLICE,)) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def _picture(data: bytes) -> Picture:
    nal_units = split_annex_b(data)
    sets = tuple(one for one in nal_units if one[0] & 0x1F in PARAMETER_SETS)
    slices = [one for one in nal_units if one[0] & 0x1F not in PARAMETER_SETS]
    return (sets, *slices) if sets else tuple(slices)
