from __future__ import annotations

import asyncio

import pytest

from rtspkit.testing.actions import (
    Action,
    Close,
    Delay,
    Drop,
    EditBody,
    EditBytes,
    EditHeaders,
    Exchange,
    Garbage,
    MediaFirst,
    Raw,
    Reply,
    Split,
    Truncate,
    reason_phrase,
)
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request, Response, serialize_response


class Media:
    """A connection that has sent all the media anyone could wait for."""

    def __init__(self) -> None:
        self.waited = 0

    async def wait_media(self, packets: int) -> None:
        self.waited += packets


async def run(*actions: Action, answer: Response | None = None) -> tuple[Exchange, bool]:
    """The exchange after every stage, and whether the request was performed."""
    exchange = Exchange(Request("PLAY", "rtsp://a/b"), Media())
    for action in actions:
        await action.before(exchange)
    performed = not exchange.decided
    if performed:
        exchange.response = answer or Response(200, "OK", Headers({"A": "1"}), b"body")
    for action in actions:
        action.edit(exchange)
    if exchange.response is not None:
        exchange.pieces = [serialize_response(exchange.response)]
    for action in actions:
        action.shape(exchange)
    for action in actions:
        await action.hold(exchange)
    return exchange, performed


async def test_reply_answers_and_prevents_the_request():
    exchange, performed = await run(Reply(461, headers={"X": "y"}, body=b"z"))
    assert not performed
    assert exchange.pieces == [
        b"RTSP/1.0 461 Unsupported Transport\r\nX: y\r\nContent-Length: 1\r\n\r\nz"
    ]


async def test_reply_takes_other_words_and_the_first_of_two_holds():
    exchange, _ = await run(Reply(500, "oh"), Reply(404))
    assert exchange.pieces == [b"RTSP/1.0 500 oh\r\n\r\n"]


async def test_one_reply_serves_many_requests_without_sharing_headers():
    reply = Reply(200, headers={"X": "y"})
    first, _ = await run(reply, EditHeaders(remove=("X",)))
    second, _ = await run(reply)
    assert first.response is not None
    assert second.response is not None
    assert "X" not in first.response.headers
    assert "X" in second.response.headers


@pytest.mark.parametrize("performed", [False, True])
async def test_drop_is_silent_and_performs_when_told(performed):
    exchange, was_performed = await run(Drop(performed=performed))
    assert exchange.pieces == []
    assert was_performed is performed


@pytest.mark.parametrize(
    ("action", "pieces", "close"),
    [
        (Close(), 0, "close"),
        (Close(reset=True), 0, "reset"),
        (Close(answered=True), 1, "close"),
    ],
)
async def test_close_ends_the_connection_with_or_without_an_answer(action, pieces, close):
    exchange, _ = await run(action)
    assert len(exchange.pieces) == pieces
    assert exchange.close == close


async def test_edits_headers():
    change = EditHeaders(set={"B": "2"}, remove=("A",), change={"C": str.upper, "D": str.upper})
    answer = Response(200, "OK", Headers([("A", "1"), ("C", "x"), ("C", "y")]))
    await run(change, answer=answer)
    assert list(answer.headers) == [("B", "2"), ("C", "X"), ("C", "Y")]
    silent, _ = await run(Drop(), change)
    assert silent.pieces == []


async def test_edits_the_body_and_the_bytes():
    exchange, _ = await run(
        EditBytes(lambda b: b.replace(b"\r\n", b"\n")), EditBody(lambda b: b + b"!")
    )
    assert exchange.pieces == [b"RTSP/1.0 200 OK\nA: 1\nContent-Length: 5\n\nbody!"]
    silent, _ = await run(Drop(), EditBytes(lambda b: b + b"!"))
    assert silent.pieces == []
    empty, _ = await run(EditBody(lambda b: b"new"), answer=Response(200, "OK"))
    assert empty.pieces == [b"RTSP/1.0 200 OK\r\n\r\n"]


async def test_raw_bytes_stand_for_the_answer():
    exchange, performed = await run(Raw(b"\xff\xfe"))
    assert exchange.pieces == [b"\xff\xfe"]
    assert not performed


async def test_garbage_goes_before_or_after_the_answer():
    before, _ = await run(Garbage(b"junk"), answer=Response(200))
    after, _ = await run(Garbage(b"junk", after=True), answer=Response(200))
    assert before.pieces[0] == after.pieces[-1] == b"junk"
    assert before.pieces[1] == after.pieces[0]


@pytest.mark.parametrize("close", ["no", "close", "reset"])
async def test_truncates(close):
    exchange, _ = await run(Truncate(5, close=close))
    assert exchange.pieces == [b"RTSP/"]
    assert exchange.close == close


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (1, [b"a", b"b", b"c", b"d", b"e"]),
        (2, [b"ab", b"cd", b"e"]),
        (0, [b"a", b"b", b"c", b"d", b"e"]),
        ((1, 3), [b"a", b"bcd", b"e"]),
        ((9, 9), [b"abcde"]),
    ],
)
async def test_splits(sizes, expected):
    exchange, _ = await run(Raw(b"abcde"), Split(sizes, pause=0.25))
    assert exchange.pieces == expected
    assert exchange.pause == 0.25


async def test_delay_waits_before_performing_or_after():
    loop = asyncio.get_running_loop()
    done = []
    for performed in (False, True):
        begun = loop.time()
        exchange = Exchange(Request("PLAY", "rtsp://a/b"), Media())
        exchange.after.append(lambda: done.append(performed))  # noqa: B023
        delay = Delay(0.01, performed=performed)
        await delay.before(exchange)
        early = loop.time() - begun
        await delay.hold(exchange)
        assert loop.time() - begun >= 0.009
        assert (early >= 0.009) is not performed
    assert done == [True]


async def test_media_first_starts_the_media_and_waits_for_it():
    media, started = Media(), []
    exchange = Exchange(Request("PLAY", "rtsp://a/b"), media)
    exchange.after.append(lambda: started.append(True))
    await MediaFirst(3).hold(exchange)
    exchange.run_after()
    assert media.waited == 3
    assert started == [True]


async def test_actions_compose_in_order():
    exchange, _ = await run(Reply(200), EditHeaders(set={"X": "y"}), Garbage(b"!"), Truncate(10))
    assert exchange.pieces == [b"!RTSP/1.0 "]


def test_reason_phrases_are_those_of_the_rfc():
    assert reason_phrase(454) == "Session Not Found"
    assert reason_phrase(999) == ""
