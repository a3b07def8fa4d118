from __future__ import annotations

import math
import ssl

import pytest

import rtspkit
from rtspkit import LocalProtocolError
from rtspkit.client.connector import connect
from rtspkit.client.options import build_options, check_backpressure, transport_kinds
from rtspkit.net import udp_port
from rtspkit.options import TLS


def build(url: str = "rtsp://camera/x", **options: object):
    for name in ("username", "password", "headers"):
        options.setdefault(name, None)
    options.setdefault("transport", "auto")
    return build_options(url, **options)


@pytest.mark.parametrize(
    ("transport", "scheme", "kinds"),
    [
        ("auto", "rtsp", ("udp", "tcp")),
        ("auto", "rtspt", ("tcp",)),
        ("auto", "rtspu", ("udp",)),
        ("auto", "rtsps", ("tcp",)),
        ("udp", "rtsps", ("udp",)),
        ("udp", "rtspt", ("udp",)),
        ("tcp", "rtsp", ("tcp",)),
        (("tcp", "udp"), "rtsp", ("tcp", "udp")),
        (["tcp", "tcp"], "rtsp", ("tcp",)),
    ],
)
def test_the_transports_to_try(transport, scheme, kinds):
    assert transport_kinds(transport, scheme) == kinds


@pytest.mark.parametrize("transport", ["sctp", ("udp", "auto"), (), ""])
def test_a_transport_that_is_not_known_is_refused_by_name(transport):
    with pytest.raises(LocalProtocolError, match="transport"):
        transport_kinds(transport, "rtsp")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backpressure": "panic"}, "backpressure is one of drop_oldest"),
        ({"receiver": "magic"}, "receiver is one of 'auto', 'recvmmsg'"),
        ({"receiver": ""}, "receiver is one of"),
        ({"coalesce": -0.001}, "coalesce is 0 to 0.005 seconds"),
        ({"coalesce": 0.0051}, "coalesce is 0 to 0.005 seconds"),
        ({"coalesce": math.nan}, "coalesce is 0 to 0.005 seconds"),
        ({"reorder": -1}, "reorder is 0 to 10 seconds"),
        ({"reorder": math.nan}, "reorder is 0 to 10 seconds"),
        ({"client_ports": (0, 5)}, "client_ports"),
        ({"client_ports": (6000, 5000)}, "client_ports"),
        ({"client_ports": (5000, 70_000)}, "client_ports"),
        ({"url": "rtsph://camera/x"}, "rtsph:// is not supported by this version"),
        ({"url": "http://camera/x"}, ""),
        ({"url": "rtsp://"}, ""),
        ({"url": "rtsp://camera/x\r\nEvil: 1"}, ""),
        ({"headers": {"X-A": "1\r\nEvil: 2"}}, ""),
        ({"headers": {"X A": "1"}}, ""),
        ({"user_agent": "a\r\nb"}, ""),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(options, words):
    rest = {"url": "rtsp://127.0.0.1:9/x", **options}
    with pytest.raises(LocalProtocolError) as caught:
        rtspkit.connect(rest.pop("url"), **rest)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"receiver": "auto"},
        {"receiver": "recv_into"},
        {"receiver": "datagram"},
        {"coalesce": 0},
        {"coalesce": 0.005},
        {"backpressure": "block"},
        {"backpressure": "latest"},
    ],
)
def test_what_can_be_used_is_taken(options):
    ((name, value),) = options.items()
    assert getattr(build(**options), name) == value


def test_without_a_wish_it_is_the_best_way_in_and_nothing_waits():
    options = build()
    assert (options.receiver, options.coalesce, options.backpressure) == ("auto", 0, "drop_oldest")


def test_a_system_without_recvmmsg_says_so(monkeypatch):
    monkeypatch.setattr(udp_port, "recvmmsg_works", lambda: False)
    with pytest.raises(LocalProtocolError, match="this system has no recvmmsg"):
        build(receiver="recvmmsg")
    assert build(receiver="auto").receiver == "auto"


@pytest.mark.parametrize("policy", ["panic", "", "Block"])
def test_what_is_no_policy_is_refused(policy):
    with pytest.raises(LocalProtocolError, match="drop_oldest, drop_newest, latest, block"):
        check_backpressure(policy)


def test_unknown_options_are_a_type_error():
    with pytest.raises(TypeError):
        rtspkit.connect("rtsp://camera/x", no_such_option=1)
    with pytest.raises(TypeError, match=r"retry is a rtspkit\.Retry, not 'always'"):
        rtspkit.connect("rtsp://camera/x", retry="always")


def test_credentials_come_from_the_url_or_beside_it():
    assert build().credentials is None
    both = build("rtsp://user:p%40ss@camera/x").credentials
    assert (both.username, both.password) == ("user", "p@ss")
    other = build("rtsp://user:p%40ss@camera/x", username="admin", password="").credentials
    assert (other.username, other.password) == ("admin", "")
    alone = build(password="secret").credentials
    assert (alone.username, alone.password) == ("", "secret")


def test_secrets_are_not_printed():
    options = build("rtsp://user:pass-word@camera/x")
    assert "pass-word" not in repr(options) + str(options.url)


@pytest.mark.parametrize("headers", [{"X-A": "1"}, [("X-A", "1")]])
def test_headers_may_be_a_mapping_or_pairs(headers):
    assert build(headers=headers).headers == (("X-A", "1"),)


@pytest.mark.parametrize("options", [{"timeouts": 5}, {"limits": 5}])
def test_a_number_where_an_object_belongs_is_named(options):
    (name,) = options
    with pytest.raises(TypeError, match=f"{name} is a rtspkit"):
        connect("rtsp://127.0.0.1/x", **options)


def test_a_selection_that_can_be_read_once_is_kept_for_every_transport():
    options = build_options(
        "rtsp://127.0.0.1/x", None, None, "auto", None, wish=iter(["video", "audio"])
    )
    assert options.streams == ("video", "audio")


@pytest.mark.parametrize("tls", [TLS(insecure=True), ssl.create_default_context()])
def test_tls_goes_with_its_scheme_only(tls):
    assert build("rtsps://camera/x", tls=tls).tls is tls
    for scheme in ("rtsp", "rtspt", "rtspu"):
        with pytest.raises(LocalProtocolError, match=f"tls is for rtsps:// only, and {scheme}://"):
            build(f"{scheme}://camera/x", tls=tls)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tls", True, "tls is a rtspkit.TLS or an ssl.SSLContext, not True"),
        ("racing", "none", "racing is a rtspkit.Racing, not 'none'"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name, value, words):
    with pytest.raises(TypeError, match=words):
        build("rtsps://camera/x", **{name: value})


def test_the_port_of_rtsps_is_322():
    assert build("rtsps://camera/x").url.port == 322
    assert build("rtsps://[::1]/x").url.request_uri == "rtsps://[::1]/x"
