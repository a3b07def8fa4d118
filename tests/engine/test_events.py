"""Events are plain values with a time, and show no secret."""

from dataclasses import fields, is_dataclass

import pytest

from rtspkit.engine import events
from rtspkit.engine.events import (
    Event,
    PacketsDropped,
    SessionEnded,
    StateChanged,
    StreamSkipped,
)
from rtspkit.errors import NotFound
from rtspkit.wire.stream import Stream

CLASSES = [getattr(events, name) for name in events.__all__]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_event_is_an_event_with_a_time(kind):
    assert issubclass(kind, Event)
    assert is_dataclass(kind)
    assert fields(kind)[0].name == "at"
    assert "__slots__" in vars(kind)
    assert kind.__doc__


def test_events_compare_by_their_values():
    assert StateChanged(1.0, "ready", "playing") == StateChanged(1.0, "ready", "playing")
    assert SessionEnded(1.0, None) != SessionEnded(2.0, None)


def test_an_event_says_what_happened():
    stream = Stream(1, "audio", "PCMU", 0, 8000, control_url="rtsp://camera/a")
    shown = repr(StreamSkipped(1.0, stream, NotFound("SETUP", 404, "Not Found")))
    assert "PCMU" in shown
    assert "SETUP answered 404" in shown


def test_drops_are_told_with_their_number():
    event = PacketsDropped(1.0, 48)
    assert (event.at, event.count) == (1.0, 48)
    assert event != PacketsDropped(1.0, 49)
