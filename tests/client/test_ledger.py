"""The books of several connections: what is summed, and what is that of the last one."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from rtspkit.client.ledger import SESSION_SUMS, STREAM_SUMS, Ledger
from rtspkit.engine.statistics import SessionStats, StreamStats

# of the connection of now: what another one has counted says nothing of it
STREAM_LATEST = {
    *("index", "media", "encoding_name", "ssrc", "jitter", "waiting", "first_packet"),
    *("last_packet", "media_time", "bitrate"),
}
UNITS = {  # counted by iterators, which outlive a connection
    *("access_units", "keyframes", "before_keyframe", "dropped_units", "incomplete_units"),
    *("malformed_payloads", "first_keyframe"),
}
SESSION_LATEST = {
    *("streams", "transport", "duration", "receiver", "receive_buffer", "pool", "largest_batch"),
}
SUPERVISED = {  # counted once for the whole session
    *("consumer_dropped", "reconnects", "attempts", "strategy", "outage", "last_error"),
}


def one(index: int = 0, **counts: object) -> StreamStats:
    return StreamStats(index=index, **counts)


def test_every_number_is_accounted_for():
    names = {field.name for field in fields(StreamStats)}
    assert set(STREAM_SUMS) | STREAM_LATEST | UNITS == names
    assert not set(STREAM_SUMS) & (STREAM_LATEST | UNITS)
    names = {field.name for field in fields(SessionStats)}
    assert set(SESSION_SUMS) | SESSION_LATEST | SUPERVISED == names
    assert not set(SESSION_SUMS) & (SESSION_LATEST | SUPERVISED)


def test_of_one_connection_the_numbers_are_its_own():
    stats = SessionStats(streams=(one(packets=3),), requests=5)
    assert Ledger().total(stats) is stats


@pytest.mark.parametrize("name", SESSION_SUMS)
def test_the_numbers_of_the_session_are_summed(name):
    ledger = Ledger()
    ledger.close(SessionStats(**{name: 5}))
    ledger.close(SessionStats(**{name: 20}))
    assert getattr(ledger.total(SessionStats(**{name: 100})), name) == 125
    assert (
        getattr(ledger.total(SessionStats(**{name: 101})), name) == 126
    )  # and asking adds nothing


@pytest.mark.parametrize("name", STREAM_SUMS)
def test_the_numbers_of_each_stream_are_summed(name):
    ledger = Ledger()
    ledger.close(SessionStats(streams=(one(0, **{name: 5}), one(1, **{name: 7}))))
    total = ledger.total(SessionStats(streams=(one(0, **{name: 10}), one(1, **{name: 20}))))
    assert [getattr(stream, name) for stream in total.streams] == [15, 27]


def test_the_first_packet_is_that_of_the_first_connection():
    ledger = Ledger()
    ledger.close(SessionStats(streams=(one(first_packet=0.2, last_packet=5.0),)))
    now = one(first_packet=0.01, last_packet=9.0, media_time=8.8, ssrc=2, bitrate=3.0)
    (total,) = ledger.total(SessionStats(streams=(now,))).streams
    assert total == replace(now, first_packet=0.2)


def test_until_something_has_come_the_last_packet_is_that_of_before():
    ledger, before = Ledger(), one(last_packet=5.0, media_time=4.5, bitrate=100.0, ssrc=7)
    ledger.close(SessionStats(streams=(before,)))
    (total,) = ledger.total(SessionStats(streams=(one(),))).streams
    assert total == before


def test_a_stream_that_was_not_there_begins_at_nothing():
    ledger = Ledger()
    ledger.close(SessionStats(streams=(one(0, packets=5),)))
    total = ledger.total(SessionStats(streams=(one(0, packets=1), one(1, packets=2))))
    assert [stream.packets for stream in total.streams] == [6, 2]


def test_a_stream_that_is_gone_is_in_no_books():
    ledger = Ledger()
    ledger.close(SessionStats(streams=(one(0, packets=5), one(1, packets=9))))
    assert [s.packets for s in ledger.total(SessionStats(streams=(one(0),))).streams] == [5]


def test_the_largest_batch_is_the_largest_of_all():
    ledger = Ledger()
    ledger.close(SessionStats(largest_batch=9))
    assert ledger.total(SessionStats(largest_batch=4)).largest_batch == 9
    assert ledger.total(SessionStats(largest_batch=12)).largest_batch == 12
