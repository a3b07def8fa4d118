"""Access units out of the packets of a source: whole, in order, and only what can be decoded."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.client.access_units import AT_ONCE, AccessUnitIterator, make_depacketizers
from rtspkit.client.packet_source import Backlog, PacketSource
from rtspkit.errors import ConnectionLost, UnsupportedPayload
from rtspkit.options import Limits
from rtspkit.payload.base import AccessUnit, Depacketizer
from rtspkit.payload.registry import packetizer
from rtspkit.testing.clip import load_clip
from rtspkit.wire.rtp import RtpPacket, parse_rtp
from rtspkit.wire.stream import Stream

AUDIO = Stream(0, "audio", "PCMU", 0, 8000, channels=1)
VIDEO = Stream(1, "video", "H264", 96, 90_000)
ODD = Stream(2, "application", "x-odd", 97, 90_000)
SOUND = Stream(
    3,
    "audio",
    "MPEG4-GENERIC",
    97,
    48_000,
    channels=2,
    fmtp={
        "mode": "AAC-hbr",
        "config": "1190",
        "sizelength": "13",
        "indexlength": "3",
        "indexdeltalength": "3",
        "maxdisplacement": "3072",
    },
)
KEYFRAMES = 24  # pictures from one to the next


def media(pictures: int = 96, *, audio: bool = True, skip: int = 0) -> list[RtpPacket]:
    """The clip, from picture ``skip`` on: its pictures, each with 40 ms of sound behind it."""
    video = packetizer("H264", payload_type=96, ssrc=1, max_packet_size=500)
    sound = packetizer("PCMU", payload_type=0, ssrc=2)
    made: list[RtpPacket] = []
    clip = load_clip()
    for number in range(pictures + skip):
        picture = clip.video[number % len(clip.video)]
        for data in video.push(picture.data, number * 3600):
            made.append(packet(VIDEO, data, number / 25))
        for half in (0, 160) if audio else ():
            place = number * 320 + half
            for data in sound.push(clip.pcmu[place % 30_000 :][:160], place):
                made.append(packet(AUDIO, data, number / 25))
    return [one for one in made if one.arrival >= skip / 25]


def packet(stream: Stream, data: bytes, arrival: float) -> RtpPacket:
    made = parse_rtp(memoryview(data))
    made.stream, made.arrival, made.media_time = stream, arrival, arrival
    return made


def units_of(
    *streams: Stream, maximum: int = 8192, **options: Any
) -> tuple[PacketSource, AccessUnitIterator]:
    makers = make_depacketizers(streams, Limits(), required=True)
    one = PacketSource(streams, Backlog(maximum, **options), whole_units=True)
    return one, AccessUnitIterator(one, makers)


async def all_of(one: PacketSource, iterator: AccessUnitIterator) -> list[AccessUnit]:
    one.end(None)
    return [unit async for unit in iterator]


def pictures(units: list[AccessUnit]) -> list[AccessUnit]:
    return [unit for unit in units if unit.stream is VIDEO]


MEDIA = media()


# -- what comes out -----------------------------------------------------------------------------


async def test_access_units_know_their_stream_and_are_counted():
    one, iterator = units_of(AUDIO)
    one.put(media(3))
    units = await all_of(one, iterator)
    assert [unit.stream for unit in units] == [AUDIO] * 6
    assert all(len(unit.data) == 160 for unit in units)
    assert iterator.counters[0].access_units == 6
    assert iterator.dropped == 0


async def test_every_picture_of_the_clip_comes_out():
    one, iterator = units_of(VIDEO, AUDIO)
    one.put(media(96))
    units = await all_of(one, iterator)
    clip = load_clip()
    assert [unit.data[-30:] for unit in pictures(units)] == [p.data[-30:] for p in clip.video]
    assert [unit.keyframe for unit in pictures(units)] == [p.keyframe for p in clip.video]
    assert not any(unit.discontinuity or unit.lost for unit in units)
    counters = iterator.counters[VIDEO.index]
    assert (counters.access_units, counters.keyframes, counters.first_keyframe) == (96, 4, 0.0)
    assert VIDEO.parameter_sets == clip.parameter_sets


async def test_units_come_as_soon_as_they_are_complete():
    one, iterator = units_of(VIDEO)
    waiting = asyncio.ensure_future(anext(iterator))
    first, second = media(1, audio=False), media(1, audio=False, skip=1)
    for each in first[:-1]:
        one.put([each])
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
    one.put(first[-1:])
    assert (await waiting).keyframe
    one.put(second)
    assert not (await anext(iterator)).keyframe


@pytest.mark.parametrize("error", [None, ConnectionLost("gone")])
async def test_what_a_depacketizer_still_holds_comes_before_the_end(error):
    one, iterator = units_of(VIDEO)
    *packets, last = media(2, audio=False)
    data = bytearray(bytes(last))
    data[1] &= 0x7F  # without its marker, nobody knows yet that it is the last
    one.put([*packets, packet(VIDEO, bytes(data), 0.5)])
    one.end(error)
    assert [(await anext(iterator)).arrival for _ in range(2)] == [0.0, 0.5]
    for _ in range(2):
        with pytest.raises(StopAsyncIteration if error is None else ConnectionLost):
            await anext(iterator)


async def test_half_a_picture_at_the_end_is_none():
    one, iterator = units_of(VIDEO)
    one.put(media(1, audio=False)[:-1])
    assert await all_of(one, iterator) == []
    assert iterator.counters[1].dropped_units == 1


async def test_broken_payloads_are_counted_and_nothing_raises():
    one, iterator = units_of(VIDEO)
    broken = packet(VIDEO, b"\x80\x60\xff\xff\xff" + bytes(7) + b"\x7c", 0.0)  # FU-A, no more
    one.put([broken, *media(1, audio=False)])
    assert len(await all_of(one, iterator)) == 1
    assert iterator.counters[1].malformed_payloads == 1


async def test_what_a_sender_does_wrong_is_noted_once_a_stream():
    noted: list[tuple[str, str]] = []
    makers = make_depacketizers((VIDEO,), Limits(), required=True)
    one = PacketSource((VIDEO,), Backlog(8192))
    iterator = AccessUnitIterator(one, makers, lambda *what: noted.append(what))
    for number in range(3):
        empty = packet(VIDEO, b"\x80\x60" + number.to_bytes(2, "big") + bytes(8), 0.0)
        one.put([empty])
    await all_of(one, iterator)
    assert noted == [("payload-empty", "video H264")]


def test_an_encoding_without_a_depacketizer_is_left_out_or_an_error():
    limits = Limits()
    assert set(make_depacketizers((AUDIO, ODD), limits, required=False)) == {0}
    with pytest.raises(UnsupportedPayload, match="x-odd"):
        make_depacketizers((AUDIO, ODD), limits, required=True)
    with pytest.raises(UnsupportedPayload, match="x-odd"):
        make_depacketizers((ODD,), limits, required=False)


def test_an_iterator_is_no_part_of_a_cycle():
    """It goes as soon as nobody holds it, so that ``break`` detaches it at once."""
    gc.disable()
    try:
        iterator = units_of(AUDIO)[1]
        reference = weakref.ref(iterator)
        del iterator
        assert reference() is None
    finally:
        gc.enable()


# -- the first keyframe -------------------------------------------------------------------------


async def test_a_stream_of_pictures_begins_with_a_keyframe_and_sound_at_once():
    one, iterator = units_of(VIDEO, AUDIO)
    one.put(media(40, skip=10))
    units = await all_of(one, iterator)
    assert len([unit for unit in units if unit.stream is AUDIO]) == 80
    assert units[0].stream is AUDIO
    assert pictures(units)[0].keyframe
    assert len(pictures(units)) == 50 - KEYFRAMES
    assert iterator.counters[VIDEO.index].before_keyframe == KEYFRAMES - 10
    assert not any(unit.discontinuity for unit in units)


async def test_a_keyframe_with_a_hole_is_no_beginning():
    one, iterator = units_of(VIDEO)
    packets = media(30, audio=False)
    del packets[2]
    one.put(packets)
    units = await all_of(one, iterator)
    assert (units[0].keyframe, units[0].complete) == (True, True)
    assert len(units) == 30 - KEYFRAMES


async def test_after_ten_seconds_without_one_it_begins_with_whatever_comes():
    one, iterator = units_of(VIDEO)
    late = media(20, audio=False, skip=1)
    for each in late[len(late) // 2 :]:
        each.arrival += 10.0
    one.put(late)
    units = await all_of(one, iterator)
    assert units
    assert not any(unit.keyframe for unit in units)
    assert units[0].arrival >= 10.0


# -- a consumer that is too slow ----------------------------------------------------------------


def assert_decodable(units: list[AccessUnit]) -> None:
    """Each picture follows its predecessor, or is a complete keyframe that says so."""
    before: AccessUnit | None = None
    for unit in pictures(units):
        follows = before is not None and unit.timestamp == before.timestamp + 3600
        assert unit.complete
        assert follows or (unit.keyframe and unit.discontinuity == (before is not None))
        before = unit


async def test_after_drops_pictures_go_on_with_a_keyframe_and_sound_at_once():
    one, iterator = units_of(VIDEO, AUDIO, maximum=300)
    packets = media(96 * 2)
    one.put(packets[:100])
    first = [await anext(iterator) for _ in range(10)]
    taken = AT_ONCE * -(-(100 - len(one.queue.items)) // AT_ONCE)
    assert taken <= 100
    for each in packets[100:]:
        one.put([each])
    rest = await all_of(one, iterator)
    units = first + rest
    assert iterator.dropped > 0
    assert_decodable(units)
    marked = [unit for unit in units if unit.discontinuity]
    assert {unit.stream for unit in marked} == {AUDIO, VIDEO}
    assert len(marked) == 2  # the first of each
    (picture,) = pictures(marked)
    (sound,) = [unit for unit in marked if unit.stream is AUDIO]
    assert picture.keyframe
    assert sound.arrival < picture.arrival
    skipped = iterator.counters[VIDEO.index].before_keyframe
    seen = len(pictures(units))
    assert 0 < skipped < KEYFRAMES
    assert iterator.counters[VIDEO.index].access_units == seen


def interleaved(number: int, *indexes: int) -> RtpPacket:
    """A packet of sound with units at these distances, of five bytes each."""
    headers = b"".join((5 << 3 | index).to_bytes(2, "big") for index in indexes)
    payload = (16 * len(indexes)).to_bytes(2, "big") + headers + b"sound" * len(indexes)
    head = b"\x80\xe1" + number.to_bytes(2, "big") + (number * 4096).to_bytes(4, "big")
    return packet(SOUND, head + bytes(4) + payload, number / 10)


async def test_sound_that_is_given_up_at_a_gap_is_not_told_to_have_come_before_a_keyframe():
    one, iterator = units_of(SOUND, maximum=4)
    one.put([interleaved(0, 0, 2)])  # the second unit waits for those between
    assert (await anext(iterator)).timestamp == 0
    for number in range(1, 12):
        one.put([interleaved(number, 0)])
    units = await all_of(one, iterator)
    assert iterator.dropped > 0
    assert units[0].discontinuity
    assert all(unit.timestamp >= 4096 * 8 for unit in units)
    assert iterator.counters[SOUND.index].before_keyframe == 0


async def test_drops_while_nothing_was_taken_are_no_more_than_a_late_beginning():
    one, iterator = units_of(VIDEO, maximum=240)
    for each in media(96, audio=False):
        one.put([each])
    units = await all_of(one, iterator)
    assert units[0].keyframe
    assert iterator.dropped > 0
    timestamps = [unit.timestamp for unit in units]
    assert timestamps == list(range(timestamps[0], 96 * 3600, 3600))


@pytest.mark.parametrize("policy", ["drop_newest", "block"])
async def test_what_waits_before_a_gap_is_given_and_behind_it_a_keyframe_is_waited_for(policy):
    one, iterator = units_of(VIDEO, maximum=150, policy=policy)
    packets = media(96 * 2, audio=False)
    units: list[AccessUnit] = []
    for number, each in enumerate(packets):
        one.put([each])
        if number % 400 == 399:  # the consumer comes by now and then
            while one.queue.items:
                units.append(await anext(iterator))
    units += await all_of(one, iterator)
    assert iterator.dropped > 0
    assert_decodable(units)


async def test_the_latest_policy_drops_all_that_waits_when_it_is_full():
    one, iterator = units_of(AUDIO, policy="latest", maximum=5)
    for each in media(3, audio=True):
        one.put([each])
    units = await all_of(one, iterator)
    assert len(units) == 1
    assert units[0].discontinuity


# -- many at once -------------------------------------------------------------------------------


def one_by_one(packets: list[RtpPacket]) -> dict[int, list[AccessUnit]]:
    makers = make_depacketizers((VIDEO, AUDIO), Limits(), required=True)
    units: dict[int, list[AccessUnit]] = {index: [] for index in makers}
    for each in packets:
        units[each.stream.index] += makers[each.stream.index].push(each)
    for index, maker in makers.items():
        units[index] += maker.flush()
    return {index: [replace(unit, stream=None) for unit in made] for index, made in units.items()}


def together(packets: list[RtpPacket], sizes: list[int]) -> dict[int, list[AccessUnit]]:
    one, iterator = units_of(VIDEO, AUDIO)
    iterator._before_keyframe.clear()  # whatever comes, from the first packet on
    for size in (*sizes, len(packets)):
        one.put(packets[:size])
        packets = packets[size:]
        while one.queue.items:
            iterator._push(one.queue.take(AT_ONCE))
    iterator._flush()
    units: dict[int, list[AccessUnit]] = {VIDEO.index: [], AUDIO.index: []}
    for unit in iterator._ready:
        units[unit.stream.index].append(replace(unit, stream=None))
    return units


@given(
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.01, 0.1]),
    st.lists(st.integers(1, 200), max_size=12),
)
@settings(max_examples=40, deadline=None)
def test_taken_together_packets_make_the_same_units_as_one_by_one(seed, damage, sizes):
    generator = random.Random(seed)
    packets: list[RtpPacket] = []
    for each in MEDIA:
        packets += [each] * (generator.choice([0, 2]) if generator.random() < damage else 1)
    assert together(packets, sizes) == one_by_one(packets)


# -- another connection ---------------------------------------------------------------------------


def remaking(
    *streams: Stream, required: bool = False
) -> tuple[PacketSource, AccessUnitIterator, list[Stream]]:
    """An iterator that makes depacketizers for what comes back; and what it made them for."""
    asked: list[Stream] = []

    def make(stream: Stream) -> Depacketizer | None:
        asked.append(stream)
        try:
            return make_depacketizers((stream,), Limits(), required=True)[stream.index]
        except UnsupportedPayload:
            if required:
                raise
            return None

    makers = make_depacketizers(streams, Limits(), required=True)
    one = PacketSource(streams, Backlog(8192), whole_units=True)
    return one, AccessUnitIterator(one, makers, make=make), asked


def come_back(one: PacketSource, before: Stream, stream: Stream) -> None:
    one.change(before, stream)
    one.queue.interrupt()


def as_stream(packets: list[RtpPacket], stream: Stream) -> list[RtpPacket]:
    return [packet(stream, bytes(each), each.arrival) for each in packets]


async def test_an_interruption_in_the_middle_of_a_picture_goes_on_at_a_keyframe():
    one, iterator, asked = remaking(VIDEO)
    first = media(10, audio=False)
    one.put(first[:-1])  # the last picture lacks its end
    one.queue.interrupt()
    rest = media(40, audio=False, skip=12)
    one.put(rest)
    units = await all_of(one, iterator)
    place = next(place for place, unit in enumerate(units) if unit.discontinuity)
    assert place == 9
    assert units[place].keyframe
    assert units[place].arrival == pytest.approx(KEYFRAMES / 25)
    assert sum(unit.discontinuity for unit in units) == 1
    assert all(unit.complete for unit in units)
    assert iterator.counters[1].before_keyframe == KEYFRAMES - 12
    assert asked == []


async def test_sound_goes_on_at_once_with_a_discontinuity():
    one, iterator, _ = remaking(AUDIO)
    one.put(media(3))
    one.queue.interrupt()
    one.put(media(5, skip=3))
    units = await all_of(one, iterator)
    assert [unit.discontinuity for unit in units] == [place == 6 for place in range(len(units))]


async def test_another_format_of_the_same_stream_has_a_depacketizer_of_its_own():
    one, iterator, asked = remaking(VIDEO, AUDIO)
    other = Stream(1, "video", "H264", 98, 90_000)
    one.put(media(5))
    come_back(one, VIDEO, other)
    back = [each for each in media(30) if each.stream is AUDIO]
    back += as_stream([e for e in media(30) if e.stream is VIDEO], other)
    one.put(sorted(back, key=lambda each: each.arrival))
    units = await all_of(one, iterator)
    assert asked == [other]
    old = [unit for unit in units if unit.stream is VIDEO]
    new = [unit for unit in units if unit.stream is other]
    assert (len(old), len(new)) == (5, 30)
    assert units.index(new[0]) > units.index(old[-1])
    assert (new[0].keyframe, new[0].discontinuity) == (True, True)
    assert not any(unit.discontinuity for unit in new[1:])
    assert other.parameter_sets == VIDEO.parameter_sets
    assert iterator.counters[1].access_units == 35


async def test_no_picture_is_made_of_packets_of_two_formats():
    one, iterator, _ = remaking(VIDEO)
    other = Stream(1, "video", "H264", 98, 90_000)
    one.put(media(3, audio=False)[:-1])
    come_back(one, VIDEO, other)
    one.put(as_stream(media(30, audio=False, skip=2)[-60:], other))  # the end of a picture, first
    units = await all_of(one, iterator)
    assert [unit.stream for unit in units[:3]] == [VIDEO, VIDEO, other]
    assert (units[2].keyframe, units[2].arrival) == (True, KEYFRAMES / 25)
    assert all(unit.complete for unit in units)


async def test_another_encoding_in_the_middle_of_the_iteration():
    one, iterator, asked = remaking(AUDIO)
    law = Stream(0, "audio", "L16", 96, 8000, channels=1)
    one.put(media(2))
    come_back(one, AUDIO, law)
    one.put(as_stream([each for each in media(2) if each.stream is AUDIO], law))
    units = await all_of(one, iterator)
    assert asked == [law]
    assert [unit.stream for unit in units] == [AUDIO] * 4 + [law] * 4
    assert [unit.discontinuity for unit in units] == [False] * 4 + [True] + [False] * 3


async def test_another_format_is_a_discontinuity_by_itself():
    one, iterator, _ = remaking(AUDIO)
    law = Stream(0, "audio", "L16", 96, 8000, channels=1)
    one.put(media(1))
    one.change(AUDIO, law)
    one.put(as_stream([each for each in media(1) if each.stream is AUDIO], law))
    units = await all_of(one, iterator)
    assert [unit.discontinuity for unit in units] == [False, False, True, False]


async def test_pictures_in_the_place_of_sound_begin_at_a_keyframe():
    one, iterator, _ = remaking(AUDIO)
    pictures_now = Stream(0, "video", "H264", 96, 90_000)
    one.put(media(2))
    come_back(one, AUDIO, pictures_now)
    late = [each for each in media(50, skip=3) if each.stream is VIDEO]
    one.put(as_stream(late, pictures_now))
    units = [u for u in await all_of(one, iterator) if u.stream is pictures_now]
    assert (units[0].keyframe, units[0].discontinuity) == (True, True)
    assert iterator.counters[0].before_keyframe == KEYFRAMES - 3


async def test_an_encoding_that_nobody_knows_is_left_out_and_the_others_go_on():
    one, iterator, asked = remaking(VIDEO, AUDIO)
    odd = Stream(1, "video", "x-odd", 98, 90_000)
    one.put(media(2))
    come_back(one, VIDEO, odd)
    back = media(4)
    one.put([e if e.stream is AUDIO else packet(odd, bytes(e), e.arrival) for e in back])
    units = await all_of(one, iterator)
    assert [unit.stream for unit in units if unit.stream is not AUDIO] == [VIDEO] * 2
    assert sum(unit.stream is AUDIO for unit in units) == 4 + 8
    assert set(asked) == {odd}


async def test_an_encoding_that_nobody_knows_raises_where_it_was_asked_for():
    one, iterator, _ = remaking(VIDEO, required=True)
    odd = Stream(1, "video", "x-odd", 98, 90_000)
    one.put(media(2, audio=False))
    come_back(one, VIDEO, odd)
    one.put(as_stream(media(1, audio=False), odd))
    assert [(await anext(iterator)).stream for _ in range(2)] == [VIDEO] * 2
    with pytest.raises(UnsupportedPayload, match="x-odd"):
        await anext(iterator)


async def test_back_in_a_known_encoding_it_goes_on_again():
    one, iterator, _ = remaking(VIDEO)
    odd, again = Stream(1, "video", "x-odd", 98, 90_000), Stream(1, "video", "H264", 99, 90_000)
    one.put(media(2, audio=False))
    come_back(one, VIDEO, odd)
    one.put(as_stream(media(2, audio=False), odd))
    come_back(one, odd, again)
    one.put(as_stream(media(2, audio=False), again))
    units = await all_of(one, iterator)
    assert [unit.stream for unit in units] == [VIDEO] * 2 + [again] * 2
    assert units[2].discontinuity


async def test_streams_that_have_changed_places_go_on():
    """The same objects, described in another order."""
    video, audio = replace(VIDEO, index=0), replace(AUDIO, index=1)
    one, iterator, _ = remaking(video, audio)
    here = {VIDEO: video, AUDIO: audio}
    one.put([packet(here[e.stream], bytes(e), e.arrival) for e in media(3)])
    assert len([await anext(iterator) for _ in range(9)]) == 9
    video.index, audio.index = 1, 0
    one.queue.interrupt()
    one.put([packet(here[e.stream], bytes(e), e.arrival) for e in media(3)])
    units = await all_of(one, iterator)
    assert {unit.stream for unit in units} == {video, audio}
    assert [len(unit.data) for unit in units if unit.stream is audio] == [160] * 6
    assert all(unit.complete for unit in units)


@pytest.mark.parametrize("error", [None, ConnectionLost("gone")])
async def test_streams_that_have_changed_places_may_end_before_they_go_on(error):
    video, audio = replace(VIDEO, index=0), replace(AUDIO, index=1)
    one, iterator, _ = remaking(video)
    one.put([packet(video, bytes(e), e.arrival) for e in media(2, audio=False)])
    assert len([await anext(iterator) for _ in range(2)]) == 2
    video.index, audio.index = 1, 0
    one.queue.interrupt()
    one.end(error)
    with pytest.raises(StopAsyncIteration if error is None else ConnectionLost):
        await anext(iterator)


async def test_what_is_left_at_the_end_of_a_changed_stream_comes_out():
    one, iterator, _ = remaking(VIDEO)
    other = Stream(1, "video", "H264", 98, 90_000)
    one.put(media(1, audio=False))
    come_back(one, VIDEO, other)
    *most, last = media(2, audio=False)
    data = bytearray(bytes(last))
    data[1] &= 0x7F  # without its marker, nobody knows yet that it is the last
    one.put(as_stream([*most, packet(VIDEO, bytes(data), 0.5)], other))
    units = await all_of(one, iterator)
    assert [unit.stream for unit in units] == [VIDEO, other, other]
