from __future__ import annotations

import pytest

from rtspkit.testing.presentation import Track, Unit, describe
from rtspkit.wire.sdp import parse_sdp


def make(**options) -> Track:
    """Four units of 10 ticks at 100 ticks per second; the first and the third are keyframes."""
    units = [Unit(bytes([n]), 10 * n, n % 2 == 0) for n in range(4)]
    return Track("video", "H264", 96, 100, units, 40, **options)


def test_the_row_of_units_goes_on_from_turn_to_turn():
    track = make()
    assert [track.ticks(n) for n in range(9)] == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert [track.unit(n).data for n in range(6)] == [b"\0", b"\1", b"\2", b"\3", b"\0", b"\1"]


@pytest.mark.parametrize(
    ("npt", "first", "keyframe"),
    [
        (0.0, 0, 0),
        (0.05, 1, 0),
        (0.1, 1, 0),
        (0.29, 3, 2),
        (0.35, 4, 2),
        (0.4, 4, 4),
        (1.01, 11, 10),
    ],
)
def test_units_are_found_by_time(npt, first, keyframe):
    assert make().first_at(npt) == first
    assert make().keyframe_at(npt) == keyframe


@pytest.mark.parametrize(
    "units",
    [
        [],
        [Unit(b"", 0, keyframe=False)],
        [Unit(b"", 0), Unit(b"", 0)],
        [Unit(b"", 10), Unit(b"", 0)],
        [Unit(b"", 0), Unit(b"", 40)],
        [Unit(b"", -1)],
    ],
)
def test_tracks_that_cannot_be_looped_are_refused(units):
    with pytest.raises(ValueError, match=r"keyframe|ticks"):
        Track("video", "H264", 96, 100, units, 40)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_description_says_what_the_tracks_are(address):
    tracks = [
        make(fmtp="packetization-mode=1", framerate=12.5, control="a"),
        Track("audio", "L16", 97, 44100, [Unit(b"", 0)], 9, channels=2, control="b"),
        Track("audio", "PCMU", 0, 8000, [Unit(b"", 0)], 9, channels=1, control="c"),
    ]
    description = parse_sdp(describe(tracks, address=address, session_id=5, range_value="npt=0-10"))
    assert description.deviations == ()
    assert (description.control, description.range) == ("*", "npt=0-10")
    assert description.origin is not None
    assert (description.origin.session_id, description.origin.address) == (5, address)
    video, stereo, mono = description.media
    assert video.framerate == 12.5
    assert video.payload_formats[0].fmtp == {"packetization-mode": "1"}
    assert [media.control for media in description.media] == ["a", "b", "c"]
    assert (stereo.payload_formats[0].clock_rate, stereo.payload_formats[0].channels) == (44100, 2)
    assert mono.payload_formats[0].encoding_name == "PCMU"


def test_the_aggregate_control_may_be_left_out():
    data = describe([make()], address="127.0.0.1", session_id=1, range_value="npt=0-", control="")
    assert parse_sdp(data).control is None
