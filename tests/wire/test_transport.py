"""The Transport header as devices write it, and as the RFC does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.transport import (
    Transport,
    parse_transport,
    parse_transports,
    serialize_transport,
)


def test_the_example_of_the_rfc_is_read():
    assert parse_transports(
        'RTP/AVP;multicast;ttl=127;mode="PLAY",RTP/AVP;unicast;client_port=3456-3457;mode="PLAY"'
    ) == [
        Transport("UDP", delivery="multicast", ttl=127, mode="play"),
        Transport("UDP", delivery="unicast", client_port=(3456, 3457), mode="play"),
    ]


def test_a_tcp_response_is_read():
    transport = parse_transport("RTP/AVP/TCP;unicast;interleaved=2-3;ssrc=4CACC3D1")
    assert transport == Transport(
        "TCP", delivery="unicast", interleaved=(2, 3), ssrc=0x4CACC3D1, deviations=()
    )
    assert transport.deviations == ()


def test_of_a_list_the_first_rtp_transport_counts():
    value = "RAW/RAW/UDP;unicast, RTP/SAVPF/TCP;interleaved=0-1, RTP/AVP;unicast"
    assert parse_transport(value) == Transport("TCP", "SAVPF", interleaved=(0, 1))


@pytest.mark.parametrize(
    ("value", "fields", "deviation"),
    [
        ("RTP/AVP/TCP;unicast", {"interleaved": None}, None),
        ("RTP/AVP/TCP;interleaved=6-7", {"interleaved": (6, 7)}, None),
        ("RTP/AVP/TCP;interleaved=4", {"interleaved": (4, 5)}, None),
        ("RTP/AVP/TCP;interleaved= 0 - 1", {"interleaved": (0, 1)}, None),
        ("RTP/AVP/TCP;interleaved=0-256", {"interleaved": None}, "transport-number-unusable"),
        ("RTP/AVP;unicast;interleaved=0-1", {"protocol": "TCP"}, "transport-tcp-unnamed"),
        ("RTP/AVP;ssrc=d6d6627", {"ssrc": 0xD6D6627}, "transport-ssrc-short"),
        ("RTP/AVP;ssrc= d6d6627", {"ssrc": 0xD6D6627}, "transport-ssrc-short"),
        ("RTP/AVP;ssrc=0x12345678", {"ssrc": 0x12345678}, "transport-ssrc-short"),
        ("RTP/AVP;ssrc=00000000", {"ssrc": None}, "transport-ssrc-zero"),
        ("RTP/AVP;ssrc=123456789", {"ssrc": None}, "transport-ssrc-unusable"),
        ("RTP/AVP;ssrc=", {"ssrc": None}, "transport-ssrc-unusable"),
        (
            "ssrc=12345678;RTP/AVP;unicast",
            {"ssrc": 0x12345678, "delivery": "unicast"},
            "transport-protocol-not-first",
        ),
        ("RTP/AVP;source=camera.lan", {"source": "camera.lan"}, None),
        ("RTP/AVP;source=[2001:db8::1]", {"source": "2001:db8::1"}, None),
        ("RTP/AVP;source=", {"source": None}, "transport-address-unusable"),
        (
            "RTP/AVP;unicast;port=5000-5001",
            {"client_port": (5000, 5001), "port": None},
            "transport-port-for-client-port",
        ),
        ("RTP/AVP;multicast;port=5000", {"client_port": None, "port": (5000, 5001)}, None),
        ("RTP/AVP;unicast;client_port=5000-5001", {"server_port": None}, None),
        ("RTP/AVP;server_port=0-0", {"server_port": None}, "transport-port-zero"),
        ("RTP/AVP;server_port=0", {"server_port": None}, "transport-port-zero"),
        ("RTP/AVP;client_port=65535", {"client_port": None}, "transport-number-unusable"),
        ("RTP/AVP;client_port=1_0-11", {"client_port": None}, "transport-number-unusable"),
        ("RTP/AVP;ttl=256", {"ttl": None}, None),
        ("rtp/avp/udp; Unicast ;Mode=Play", {"mode": "play", "delivery": "unicast"}, None),
        ("RTP/AVP;mode=receive", {"mode": "record"}, None),
        ('RTP/AVP;mode="PLAY,RECORD"', {"mode": "play"}, None),
        ("RTP/AVP;mode=x", {"mode": None}, "transport-mode-unknown"),
        ("RTP/AVP;append;mode=record", {"append": True}, None),
        ("RTP/AVP;;unicast;", {"delivery": "unicast"}, None),
        ("RTP/AVP;ttl=1;ttl=2", {"ttl": 1}, "transport-parameter-repeated"),
        ("unicast;interleaved=0-1", {"protocol": "TCP"}, "transport-protocol-missing"),
        ("unicast;client_port=6-7", {"protocol": "UDP"}, "transport-protocol-missing"),
        (
            "RTP/AVP/TCP;unicast,interleaved=0-1,ssrc=12345678",
            {"interleaved": (0, 1), "ssrc": 0x12345678},
            "transport-comma-for-semicolon",
        ),
        ('RTP/AVP;mode="PLAY;unicast', {"delivery": "unicast"}, None),
    ],
)
def test_quirk_transport_reply(value, fields, deviation):
    transport = parse_transport(value)
    assert {name: getattr(transport, name) for name in fields} == fields
    assert transport.deviations == ((deviation,) if deviation else ())


def test_quirk_transport_reply_of_the_other_protocol_is_told_as_it_is():
    assert parse_transport("RTP/AVP/UDP;unicast;server_port=5000-5001").protocol == "UDP"
    assert parse_transport("RTP/AVP/UDP;unicast;interleaved=0-1").protocol == "UDP"
    assert parse_transport("RTP/AVP/TCP;unicast;interleaved=0-1").protocol == "TCP"


@pytest.mark.parametrize(
    "value",
    ["", " ", ",", ";", "RAW/RAW/UDP", "RTP/XYZ", "RTP/AVP/DCCP", "a", "RTP/AVP/TCP/X", "/"],
)
def test_what_has_no_rtp_transport_is_a_typed_error(value):
    with pytest.raises(RemoteProtocolError, match="no RTP transport"):
        parse_transports(value)


def test_the_request_is_written_by_the_rfc():
    tcp = Transport("TCP", delivery="unicast", interleaved=(0, 1), mode="play")
    assert serialize_transport(tcp) == 'RTP/AVP/TCP;unicast;interleaved=0-1;mode="PLAY"'
    udp = Transport("UDP", "SAVP", "unicast", client_port=(6, 7), ssrc=0xABC)
    assert serialize_transport(udp) == "RTP/SAVP;unicast;client_port=6-7;ssrc=00000ABC"


@pytest.mark.parametrize(
    "transport",
    [
        Transport("SCTP"),
        Transport("UDP", "XYZ"),
        Transport("UDP", delivery="anycast"),
        Transport("UDP", mode="PLAY"),
        Transport("UDP", destination="a;b"),
        Transport("UDP", destination=""),
        Transport("UDP", source="a\r\nb"),
        Transport("TCP", interleaved=(0, 256)),
        Transport("UDP", client_port=(-1, 0)),
        Transport("UDP", ttl=256),
        Transport("UDP", ssrc=1 << 32),
    ],
)
def test_S7_what_a_parameter_cannot_hold_is_refused(transport):
    with pytest.raises(LocalProtocolError):
        serialize_transport(transport)


PORTS = st.none() | st.tuples(st.integers(1, 65_535), st.integers(0, 65_535))
CHANNELS = st.none() | st.tuples(st.integers(0, 255), st.integers(0, 255))
HOSTS = st.none() | st.sampled_from(["192.0.2.1", "camera.lan", "2001:db8::1"])


@given(
    st.builds(
        Transport,
        st.sampled_from(["UDP", "TCP"]),
        st.sampled_from(["AVP", "AVPF", "SAVP", "SAVPF"]),
        st.sampled_from([None, "multicast"]),
        HOSTS,
        HOSTS,
        client_port=PORTS,
        server_port=PORTS,
        port=PORTS,
        ttl=st.none() | st.integers(0, 255),
        ssrc=st.none() | st.integers(1, 2**32 - 1),
        mode=st.sampled_from([None, "play", "record"]),
        append=st.booleans(),
        layers=st.none() | st.integers(0, 255),
    ),
    CHANNELS,
)
def test_what_is_written_is_read_back(transport, channels):
    if transport.protocol == "TCP":
        transport.interleaved = channels
    assert parse_transport(serialize_transport(transport)) == transport


PIECES = st.sampled_from(
    [
        "RTP/AVP",
        "/TCP",
        ";",
        ",",
        "=",
        '"',
        "unicast",
        "ssrc",
        "mode",
        "port",
        "interleaved",
        "client_port",
        "source",
        "0",
        "-1",
        "ff",
        " ",
        "é",
        "\0",
        "append",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join) | st.text())
def test_nothing_but_the_documented_error_escapes_and_what_is_read_can_be_written(value):
    try:
        found = parse_transports(value)
    except RemoteProtocolError:
        return
    for transport in found:
        assert parse_transport(serialize_transport(transport)) == transport


def test_a_long_header_takes_linear_time():
    assert parse_transport("RTP/AVP" + ";ttl=1" * 100_000 + ",x" * 100_000).ttl == 1
