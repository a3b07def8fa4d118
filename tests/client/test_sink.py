from __future__ import annotations

import inspect

from rtspkit.client.session import Session
from rtspkit.client.sink import Sink


def test_a_session_is_a_sink_with_the_same_signatures():
    for name in ("on_packets", "on_event", "on_gone", "on_end"):
        promised = inspect.signature(getattr(Sink, name))
        assert inspect.signature(getattr(Session, name)) == promised
