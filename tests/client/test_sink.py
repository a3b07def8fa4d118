from __future__ import annotations

import inspect

import pytest

from rtspkit.client.fanout import Fanout
from rtspkit.client.sink import NoSink, Sink
from rtspkit.client.supervisor import Supervisor


@pytest.mark.parametrize("kind", [NoSink, Supervisor])
@pytest.mark.parametrize("name", ["on_packets", "on_event", "on_gone", "on_end"])
def test_every_sink_has_the_signatures_of_one(kind, name):
    if kind is Supervisor and name == "on_packets":  # the fan-out's own, when nothing is missing
        assert list(inspect.signature(Fanout.put_packets).parameters) == ["self", "packets"]
    else:
        promised = inspect.signature(getattr(Sink, name))
        assert inspect.signature(getattr(kind, name)) == promised
