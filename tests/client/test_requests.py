from __future__ import annotations

import asyncio

import pytest

from rtspkit.client.machines import new_session_machine
from rtspkit.client.options import build_options
from rtspkit.client.requests import Requests
from rtspkit.engine.exchange import Answered, Failed
from rtspkit.errors import ConnectionLost, DeadlineExceeded, NotFound
from rtspkit.options import Timeouts

URI = "rtsp://camera/x"


class Line:
    """Requests on a machine whose other end is the test."""

    def __init__(self) -> None:
        options = build_options(URI, None, None, "tcp", None, timeouts=Timeouts(response=7))
        self.machine = new_session_machine(options)
        self.sent: list[bytes] = []
        self.now = 100.0
        self.requests = Requests(self.machine, lambda: self.now, self.pump)

    def pump(self) -> None:
        if data := self.machine.data_to_send():
            self.sent.append(data)
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, Answered | Failed):
                self.requests.tell(event)

    def receive(self, data: bytes) -> None:
        self.machine.receive_data(memoryview(data), self.now)
        self.pump()

    async def begin(self, method: str = "SETUP") -> asyncio.Task[object]:
        task = asyncio.create_task(self.requests.ask(method, URI))
        await asyncio.sleep(0)
        return task


async def test_a_response_reaches_who_asked():
    line = Line()
    first, second = await line.begin("OPTIONS"), await line.begin("DESCRIBE")
    line.receive(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\n\r\nRTSP/1.0 200 Fine\r\nCSeq: 1\r\n\r\n")
    assert (await first).reason_phrase == "Fine"
    assert (await second).reason_phrase == "OK"
    assert len(line.sent) == 2


async def test_a_refusal_is_raised():
    line = Line()
    task = await line.begin()
    line.receive(b"RTSP/1.0 404 No\r\nCSeq: 1\r\n\r\n")
    with pytest.raises(NotFound):
        await task


async def test_no_response_is_a_deadline():
    line = Line()
    task = await line.begin()
    line.now += 7
    line.machine.handle_deadline(line.now)
    line.pump()
    with pytest.raises(DeadlineExceeded, match="setup: nothing within 7 s"):
        await task


async def test_the_end_fails_whoever_waits():
    line = Line()
    tasks = [await line.begin("OPTIONS"), await line.begin("DESCRIBE")]
    line.requests.fail(ConnectionLost("over"))
    for task in tasks:
        with pytest.raises(ConnectionLost, match="over"):
            await task


async def test_a_request_given_up_drops_its_response():
    line = Line()
    task = await line.begin("OPTIONS")
    task.cancel()
    await asyncio.wait([task])
    assert not line.requests.unsettled
    await line.requests.settle()
    line.receive(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
    assert line.machine.counters.unmatched == 1


@pytest.mark.parametrize("answer", [b"200 OK\r\nSession: abc", b"500 No"])
async def test_a_setup_given_up_is_heard_to_its_end(answer):
    line = Line()
    task = await line.begin("SETUP")
    task.cancel()
    await asyncio.wait([task])
    assert line.requests.unsettled
    settling = asyncio.create_task(line.requests.settle())
    await asyncio.sleep(0)
    assert not settling.done()
    line.receive(b"RTSP/1.0 " + answer + b"\r\nCSeq: 1\r\n\r\n")
    await settling
    assert not line.requests.unsettled
    assert line.machine.session_id == ("abc" if b"abc" in answer else None)


async def test_the_end_settles_what_was_cut_short():
    line = Line()
    task = await line.begin("SETUP")
    task.cancel()
    await asyncio.wait([task])
    line.requests.fail(ConnectionLost("over"))
    await line.requests.settle()
    assert not line.requests.unsettled


@pytest.mark.parametrize("failed", [True, False])
async def test_cancelled_just_when_the_answer_is_there_nothing_is_forgotten(failed):
    """No "exception was never retrieved" either: the fixture would see it."""
    line = Line()
    task = await line.begin("SETUP")
    answer = b"RTSP/1.0 500 No" if failed else b"RTSP/1.0 200 OK\r\nSession: abc"
    line.receive(answer + b"\r\nCSeq: 1\r\n\r\n")
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not line.requests.unsettled


async def test_a_setup_answered_in_the_same_breath_as_it_is_cancelled_is_settled():
    line = Line()
    task = await line.begin()
    task.cancel()
    line.receive(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: 7\r\n\r\n")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not line.requests.unsettled
    assert line.machine.session_id == "7"


async def test_what_is_sent_without_waiting_teaches_the_machine():
    line = Line()
    line.requests.send("OPTIONS", URI)
    line.receive(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: PLAY\r\n\r\n")
    assert line.machine.methods == {"PLAY"}
