"""Every event is one line on standard error."""

import asyncio

import pytest

import rtspkit
from rtspkit.cli.narrate import Narrator, describe_event
from rtspkit.engine import events
from rtspkit.errors import ConnectError, ConnectionLost, UnsupportedPayload
from rtspkit.testing.camera import Camera
from rtspkit.wire.stream import Stream

STREAM = Stream(1, "audio", "PCMU", 0, 8000)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.StateChanged(0, "ready", "playing"), "state: ready -> playing"),
        (
            events.TransportRejected(0, "udp", "tcp", "461"),
            "udp does not work, tcp is next: 461",
        ),
        (
            events.StreamSkipped(0, STREAM, UnsupportedPayload("X")),
            "stream 1 (audio PCMU) is left out: no depacketizer for 'X';"
            " packets() still delivers it",
        ),
        (events.QuirkSeen(0, "odd", "it is odd", ""), "quirk odd: it is odd"),
        (events.QuirkSeen(0, "odd", "it is odd", "a\r\nb"), "quirk odd: it is odd (a  b)"),
        (
            events.KeepAliveChanged(0, "GET_PARAMETER", "OPTIONS", "501"),
            "keep-alive: GET_PARAMETER -> OPTIONS: 501",
        ),
        (events.ServerRequested(0, "OPTIONS", 200), "the server asked OPTIONS, answered 200"),
        (
            events.SourceChanged(0, STREAM, None, 0xAB),
            "stream 1 (audio PCMU) has another source: none -> 000000ab",
        ),
        (
            events.SourceChanged(0, STREAM, 1, 0xAB),
            "stream 1 (audio PCMU) has another source: 00000001 -> 000000ab",
        ),
        (events.StreamEnded(0, STREAM, "BYE"), "stream 1 (audio PCMU) has ended: BYE"),
        (
            events.SessionRestored(0, 0.25),
            "the server had dropped the session; restored in 0.250 s",
        ),
        (
            events.Reconnecting(0, 1, ConnectionLost("gone"), 0.0, "linear", "first-wins"),
            "lost: gone; attempt 1 at once (linear, racing first-wins)",
        ),
        (
            events.Reconnecting(0, 3, ConnectionLost("refused"), 0.666, "exponential", "none"),
            "attempt 2 failed: refused; attempt 3 in 0.67 s (exponential)",
        ),
        (events.AttemptFailed(0, 2, ConnectionLost("gone"), "linear"), "attempt 2 failed: gone"),
        (events.Reconnected(0, 3, 1.234, "linear"), "back after 1.23 s, at attempt 3"),
        (
            events.StrategyChanged(0, "linear", "immediate", "first-wins", "7 of 10 failed"),
            "strategy: linear -> immediate, racing first-wins: 7 of 10 failed",
        ),
        (
            events.StrategyChanged(0, "linear", "linear", "last-wins", "7 of 10 failed"),
            "strategy: linear, racing last-wins: 7 of 10 failed",
        ),
        (
            events.StreamChanged(0, Stream(1, "audio", "L16", 97, 48_000), STREAM),
            "stream 1 (audio PCMU) has come back as another: was stream 1 (audio L16)",
        ),
        (
            events.StreamChanged(0, None, STREAM),
            "stream 1 (audio PCMU) has come back as another: new",
        ),
        (
            events.StoreProblem(0, "the disk is full"),
            "what is remembered of servers: the disk is full",
        ),
        (events.SessionEnded(0, None), "the session has ended"),
        (events.SessionEnded(0, ConnectionLost("gone")), "the session has ended: gone"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_event_has_its_words(event, line):
    assert describe_event(event) == line


def test_no_event_is_without_words():
    class Other(events.Event):
        pass

    assert describe_event(Other(0)) == "Other"


async def test_tells_a_session_from_its_beginning_to_its_closing(capsys):
    began = asyncio.get_running_loop().time()
    async with (
        Camera() as camera,
        Narrator(began) as narrator,
        rtspkit.connect(camera.url, transport="tcp") as session,
    ):
        narrator.listen(session)
    captured = capsys.readouterr()
    lines = [line.split("  s  ")[-1] for line in captured.err.splitlines()]
    assert captured.out == ""
    assert lines[0].endswith("s  state: connecting -> ready")
    assert lines[-1].endswith("s  the session has ended")
    assert all(0 <= float(line.split()[0]) < 10 for line in lines)


async def test_a_quiet_one_tells_what_concerns_survival_alone(capsys):
    async with Camera() as camera:
        began = asyncio.get_running_loop().time()
        narrator = Narrator(began, verbose=False)
        connecting = rtspkit.connect(camera.url, transport="tcp")
        connecting.on_session = narrator.listen
        async with narrator, connecting as session:
            await anext(session.packets())
            camera.kill()
            async for event in session.events():
                if isinstance(event, events.Reconnected):
                    break
    lines = [line.split(" s  ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines[0].startswith("lost: ")
    assert lines[-1].startswith("back after ")
    assert all("attempt" in line for line in lines)


async def test_a_connect_that_fails_is_told_to_its_end(capsys, unused_tcp_port):
    narrator = Narrator(0.0)
    connecting = rtspkit.connect(f"rtsp://127.0.0.1:{unused_tcp_port}/", retry=None)
    connecting.on_session = narrator.listen
    with pytest.raises(ConnectError):
        async with narrator, connecting:
            pass
    lines = [line.split(" s  ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines[0].startswith("attempt 1 failed: no connection")
    assert lines[-1].startswith("the session has ended: no connection")


async def test_a_narrator_that_never_listened_is_no_trouble(capsys):
    async with Narrator(0.0):
        pass
    assert capsys.readouterr().err == ""
