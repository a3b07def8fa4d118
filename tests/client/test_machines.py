from __future__ import annotations

from rtspkit.client.machines import new_playback, new_session_machine
from rtspkit.client.options import build_options
from rtspkit.wire.rtcp import SourceDescription, parse_rtcp
from rtspkit.wire.stream import Stream


def options():
    return build_options("rtsp://camera/x", "user", "secret", "udp", {"X-A": "1"}, user_agent="me")


def test_requests_have_what_the_user_asked_for():
    machine = new_session_machine(options())
    machine.request("OPTIONS", "rtsp://camera/x", now=0.0)
    sent = machine.data_to_send()
    assert b"User-Agent: me\r\n" in sent
    assert b"X-A: 1\r\n" in sent
    assert b"secret" not in sent


def names_of_reports() -> tuple[int, bytes]:
    """Our source and our name, in the reports of a new connection."""
    playback = new_playback(options())
    stream = Stream(0, "audio", "PCMU", 0, 8000)
    playback.add(stream)
    stream.ssrc = 1
    playback.start(0.0, first_packet=10, keepalive_interval=30)
    playback.leave(1.0)
    ((_, data),) = playback.data_to_send()
    (description,) = [p for p in parse_rtcp(data) if isinstance(p, SourceDescription)]
    chunk = description.chunks[0]
    return chunk.ssrc, bytes(chunk.items[0][1])


def test_every_connection_has_a_source_and_a_name_of_its_own():
    (ssrc, name), (other_ssrc, other_name) = names_of_reports(), names_of_reports()
    assert ssrc != other_ssrc
    assert name != other_name
    assert name.endswith(b"@rtspkit.invalid")
