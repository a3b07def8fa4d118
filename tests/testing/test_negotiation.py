from __future__ import annotations

import pytest

from rtspkit.testing.answer import Refused
from rtspkit.testing.negotiation import choose_channels, choose_transport
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request

UDP = "RTP/AVP;unicast;client_port=5000-5001"
TCP = "RTP/AVP/TCP;unicast;interleaved=0-1"


def setup(value: str | None) -> Request:
    return Request("SETUP", "rtsp://h/s", Headers({"Transport": value} if value else {}))


@pytest.mark.parametrize(
    ("value", "enabled", "protocol"),
    [
        (UDP, ("udp", "tcp"), "UDP"),
        (TCP, ("udp", "tcp"), "TCP"),
        (f"{UDP},{TCP}", ("udp", "tcp"), "UDP"),
        (f"{UDP},{TCP}", ("tcp",), "TCP"),
        (f"RTP/AVP;multicast,{TCP}", ("udp", "tcp"), "TCP"),
        (f"RTP/SAVP;unicast;client_port=1-2,{UDP}", ("udp",), "UDP"),
        ("RTP/AVP/TCP;unicast", ("tcp",), "TCP"),
    ],
)
def test_takes_the_first_transport_that_is_enabled(value, enabled, protocol):
    assert choose_transport(setup(value), enabled).protocol == protocol


@pytest.mark.parametrize(
    ("value", "enabled", "status"),
    [
        (UDP, ("tcp",), 461),
        (TCP, ("udp",), 461),
        (UDP, (), 461),
        ("RTP/AVP;multicast", ("udp", "tcp"), 461),
        ("RTP/AVP;unicast", ("udp",), 461),
        ("RAW/RAW/UDP", ("udp", "tcp"), 461),
        (None, ("udp", "tcp"), 400),
    ],
)
def test_refuses_what_it_cannot_do(value, enabled, status):
    with pytest.raises(Refused) as caught:
        choose_transport(setup(value), enabled)
    assert caught.value.response.status_code == status


@pytest.mark.parametrize(
    ("wanted", "taken", "swap", "channels"),
    [
        ((0, 1), [], False, (0, 1)),
        ((8, 9), [0, 1], False, (8, 9)),
        ((0, 1), [0, 1], False, (2, 3)),
        (None, [0, 1], False, (2, 3)),
        ((0, 1), [], True, (2, 3)),
    ],
)
def test_gives_the_channels_asked_for_when_they_are_free(wanted, taken, swap, channels):
    assert choose_channels(wanted, taken, swap=swap) == channels


def test_refuses_when_no_channel_is_left():
    with pytest.raises(Refused) as caught:
        choose_channels(None, range(256))
    assert caught.value.response.status_code == 453
