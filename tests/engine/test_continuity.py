"""Streams of before, found again in a fresh description; and what has changed."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.engine.continuity import Change, check_complete, gone, reconcile, same_format
from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.header import Transport
from rtspkit.wire.stream import Stream

BASE = "rtsp://camera/"


def video(index=0, **changes):
    return replace(Stream(index, "video", "H264", 96, 90_000, control_url=f"{BASE}v"), **changes)


def audio(index=1, **changes):
    return replace(Stream(index, "audio", "PCMU", 0, 8000, channels=1), **changes)


class TestSameFormat:
    def test_what_says_nothing_of_the_format_may_differ(self):
        one = video(fmtp={"packetization-mode": "1"})
        other = video(
            3,
            media="VIDEO",
            fmtp={"packetization-mode": "1"},
            control_url="rtsp://elsewhere/",
            direction="recvonly",
            framerate=12.5,
            transport=Transport("TCP"),
            ssrc=7,
            parameter_sets=(b"sps",),
        )
        assert same_format(one, other)

    @pytest.mark.parametrize(
        "change",
        [
            {"media": "audio"},
            {"encoding_name": "H265"},
            {"payload_type": 97},
            {"clock_rate": 48_000},
            {"channels": 2},
            {"fmtp": {"sprop-parameter-sets": "Z0L="}},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_what_a_decoder_was_made_for_may_not(self, change):
        assert not same_format(video(), video(**change))


class TestReconcile:
    def test_the_same_streams_stay_the_same_objects(self):
        known, fresh = (video(), audio()), (video(), audio())
        streams, changes = reconcile(known, fresh)
        assert streams[0] is known[0]
        assert streams[1] is known[1]
        assert changes == ()

    def test_they_take_on_what_the_description_says_now(self):
        old = video(transport=Transport("TCP"), ssrc=7, parameter_sets=(b"sps",))
        fresh = video(
            1,
            control_url="rtsp://camera/new",
            direction="recvonly",
            framerate=5.0,
        )
        ((first, second), changes) = reconcile((old,), (audio(0), fresh))
        assert second is old
        assert first is not old
        assert (old.index, old.control_url) == (1, "rtsp://camera/new")
        assert (old.direction, old.framerate) == ("recvonly", 5.0)
        assert (old.transport, old.ssrc) == (None, None)  # those of another connection
        assert old.parameter_sets == (b"sps",)
        assert changes == ()

    def test_another_format_in_its_place_is_a_change(self):
        known, fresh = (video(), audio()), (video(encoding_name="H265"), audio())
        streams, changes = reconcile(known, fresh)
        assert streams[0] is fresh[0]
        assert streams[1] is known[1]
        assert changes == (Change(known[0], fresh[0]),)
        assert known[0].encoding_name == "H264"

    def test_what_is_not_there_any_more_has_nothing_in_its_place(self):
        known, fresh = (video(), audio()), (video(),)
        streams, changes = reconcile(known, fresh)
        assert streams == (known[0],)
        assert changes == (Change(known[1], None),)

    def test_what_is_new_is_no_change(self):
        known, fresh = (video(),), (video(), audio())
        streams, changes = reconcile(known, fresh)
        assert streams == (known[0], fresh[1])
        assert changes == ()

    def test_before_the_first_connection_nothing_is_known(self):
        fresh = (video(), audio())
        assert reconcile((), fresh) == (fresh, ())

    def test_another_order_is_seen_through(self):
        known, fresh = (video(0), audio(1)), (audio(0), video(1))
        streams, changes = reconcile(known, fresh)
        assert streams == (known[1], known[0])
        assert [stream.index for stream in known] == [1, 0]
        assert changes == ()

    def test_of_two_alike_each_keeps_its_place(self):
        known = (video(0), video(1))
        streams, _ = reconcile(known, (video(0), video(1)))
        assert streams == known

    def test_of_two_alike_the_one_in_the_place_counts(self):
        known = (video(1),)
        streams, changes = reconcile(known, (video(0), video(1)))
        assert streams[1] is known[0]
        assert streams[0] is not known[0]
        assert changes == ()

    def test_the_encoding_tells_more_than_the_place(self):
        """Main and sub stream, exchanged: each goes on in the format that it had."""
        known = (video(0), video(1, encoding_name="H265"))
        streams, changes = reconcile(known, (video(0, encoding_name="H265"), video(1)))
        assert streams == (known[1], known[0])
        assert changes == ()

    def test_a_stream_goes_to_one_of_before_only(self):
        known = (video(0), video(1))
        streams, changes = reconcile(known, (video(0),))
        assert streams == (known[0],)
        assert changes == (Change(known[1], None),)

    @given(
        st.lists(st.sampled_from(["H264", "H265", "PCMU"]), max_size=5),
        st.lists(st.sampled_from(["H264", "H265", "PCMU"]), max_size=5),
    )
    def test_every_known_stream_stays_or_has_changed_and_none_is_there_twice(self, before, after):
        def make(names):
            media = {"PCMU": audio}
            return tuple(
                media.get(name, video)(place, encoding_name=name)
                for place, name in enumerate(names)
            )

        known, fresh = make(before), make(after)
        streams, changes = reconcile(known, fresh)
        changed = [change.before for change in changes]
        assert [stream in streams for stream in known] == [s not in changed for s in known]
        assert len(streams) == len(set(streams)) == len(fresh)
        assert [stream.encoding_name for stream in streams] == after
        assert [stream.index for stream in streams] == list(range(len(after)))
        heirs = [change.stream for change in changes if change.stream is not None]
        assert len(heirs) == len(set(heirs))
        assert set(heirs) <= set(streams)
        assert all(
            change.before.media == change.stream.media for change in changes if change.stream
        )


class TestComplete:
    def test_all_are_there(self):
        known = (video(), audio())
        check_complete(known, (), known)
        assert gone(known, (), known) == []

    def test_in_another_format_it_is_there_too(self):
        known, other = (video(), audio()), video(encoding_name="H265")
        changes = (Change(known[0], other),)
        check_complete(known, changes, (other, known[1]))
        assert gone(known, changes, (other, known[1])) == []

    @pytest.mark.parametrize("in_the_description", [True, False])
    def test_what_is_missing_is_named_and_may_come_back(self, in_the_description):
        known = (video(), audio())
        changes = () if in_the_description else (Change(known[1], None),)
        with pytest.raises(RemoteProtocolError, match="came back without its audio PCMU") as caught:
            check_complete(known, changes, (known[0],))
        assert caught.value.retryable
        assert caught.value.phase == "setup"
        assert gone(known, changes, (known[0],)) == [known[1]]

    def test_an_heir_that_is_not_set_up_is_missing(self):
        known, other = (video(),), video(encoding_name="H265")
        assert gone(known, (Change(known[0], other),), ()) == [known[0]]

    def test_a_stream_without_an_encoding_is_named_by_its_media(self):
        odd = Stream(0, "application", "", None, 90_000)
        with pytest.raises(RemoteProtocolError, match=r"without its application$"):
            check_complete((odd,), (), ())

    def test_more_than_was_there_is_right(self):
        known = (video(),)
        check_complete(known, (), (known[0], audio()))

    def test_whatever_is_left_out_is_found(self):
        known = (video(0), audio(1), video(2))
        for count in range(4):
            for chosen in itertools.combinations(known, count):
                assert gone(known, (), chosen) == [one for one in known if one not in chosen]
