"""One group of pictures: real slices, and repeats that a decoder takes."""

from __future__ import annotations

import pytest

from bench.pictures import (
    FRAME_NUMBER_BITS,
    GROUP,
    MACROBLOCKS,
    format_parameters,
    pictures,
    repeat,
)
from rtspkit.payload.h264_parameters import parse_sequence_parameter_set
from rtspkit.payload.nal import BitReader, join_annex_b
from rtspkit.testing.clip import load_clip


def test_a_group_begins_with_its_keyframe():
    kinds = [picture[-1][0] & 0x1F for picture in pictures()]
    assert kinds == [5] + [1] * (GROUP - 1)
    sets = pictures()[0][0]
    assert sets == load_clip().parameter_sets


def test_the_clip_is_as_the_repeats_believe():
    found = parse_sequence_parameter_set(load_clip().parameter_sets[0])
    assert (found.width, found.height) == (640, 360)
    assert MACROBLOCKS == 640 // 16 * -(-360 // 16)


@pytest.mark.parametrize("number", [1, 24, 31, 32])
def test_a_repeat_skips_every_macroblock(number):
    bits = BitReader(repeat(number)[1:])
    assert [bits.exp_golomb() for _ in range(3)] == [0, 5, 0]
    assert bits.unsigned(FRAME_NUMBER_BITS) == number % 32
    assert bits.flag()
    assert bits.exp_golomb() == 0
    assert not bits.flag()
    assert not bits.flag()
    assert [bits.signed_exp_golomb(), bits.exp_golomb(), bits.exp_golomb()] == [0, 1, MACROBLOCKS]
    assert bits.flag()  # rbsp_stop_one_bit


def test_the_format_parameters_are_the_clips():
    assert format_parameters() in load_clip().tracks()[0].fmtp


def test_a_decoder_takes_the_group_and_begins_anew():
    av = pytest.importorskip("av")
    decoder = av.CodecContext.create("h264", "r")
    decoder.options = {"err_detect": "explode"}
    shown = []
    for _ in range(2):
        for picture in pictures():
            units = [nal for part in picture for nal in (part if type(part) is tuple else (part,))]
            for frame in decoder.decode(av.Packet(join_annex_b(units))):
                shown.append(bytes(frame.planes[0]))
    shown += [bytes(frame.planes[0]) for frame in decoder.decode(None)]
    assert len(shown) == 2 * GROUP
    assert len({*shown[23:30]}) == 1  # what repeats looks alike
    assert shown[22] != shown[23]
