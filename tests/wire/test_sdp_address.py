"""The ``o=`` and ``c=`` lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.sdp_address import Connection, Origin, parse_connection, parse_origin


def test_an_origin_by_the_rfc_is_read():
    assert parse_origin("jdoe 2890844526 2890842807 IN IP6 2001:db8::1") == (
        Origin("jdoe", 2890844526, 2890842807, "IN", "IP6", "2001:db8::1"),
        [],
    )


@pytest.mark.parametrize(
    ("value", "origin", "deviations"),
    [
        ("- 1 2 IN", Origin("-", 1, 2), ["origin-malformed", "address-type"]),
        ("- 1 2 IN IP4", Origin("-", 1, 2), ["origin-malformed"]),
        ("1 2 IN IP4 h", Origin("-", 1, 2, address="h"), ["origin-malformed"]),
        ("x IN IP4 h", Origin("x", address="h"), ["origin-malformed"]),
        ("-0 7 IN IP4 h", Origin("-", 0, 7, address="h"), ["origin-malformed"]),
        ("a b 1 2 IN IP4 h", Origin("a b", 1, 2, address="h"), ["origin-malformed"]),
        ("- 0xAC4EC96E 2 IN IP4 h", Origin("-", 2890844526, 2, address="h"), ["origin-session-id"]),
        ("- 103bdb6f 2 IN IP4 h", Origin("-", 272358255, 2, address="h"), ["origin-session-id"]),
        ("- one 2 IN IP4 h", Origin("-", None, 2, address="h"), ["origin-session-id"]),
        ("- 1 2 IN IPV4 h", Origin("-", 1, 2, address="h"), ["address-type"]),
        ("- 1 2 in IP4 h", Origin("-", 1, 2, address="h"), []),
        ("- 1 2", None, ["origin-malformed"]),
        ("", None, ["origin-malformed"]),
    ],
)
def test_a_damaged_origin_gives_what_is_in_it(value, origin, deviations):
    assert parse_origin(value) == (origin, deviations)


@pytest.mark.parametrize(
    ("value", "connection"),
    [
        ("IN IP4 192.0.2.1", Connection("192.0.2.1")),
        ("IN IP4 camera.example", Connection("camera.example")),
        ("IN IP4 233.252.0.1/127", Connection("233.252.0.1", ttl=127)),
        ("IN IP4 233.252.0.1/127/3", Connection("233.252.0.1", ttl=127, count=3)),
        ("IN IP6 ff15::101/3", Connection("ff15::101", "IP6", count=3)),
        ("IN IP4 233.252.0.1/0", Connection("233.252.0.1", ttl=0)),
    ],
)
def test_a_connection_by_the_rfc_is_read(value, connection):
    assert parse_connection(value) == (connection, [])


@pytest.mark.parametrize(
    ("value", "connection", "deviations"),
    [
        ("IN IP4 IN IP4 h", Connection("h"), ["connection-malformed"]),
        (
            "IN 2001:db8::2",
            Connection("2001:db8::2", "IP6"),
            ["connection-malformed", "address-type"],
        ),
        ("IN IPV4 h", Connection("h"), ["address-type"]),
        ("IN IP4 h/999/3", Connection("h"), ["connection-malformed"]),
        ("IN IP4 h//3", Connection("h"), ["connection-malformed"]),
        ("IN IP4 h/1/2/3", Connection("h", ttl=1, count=2), ["connection-malformed"]),
        ("IN IP6 h/x", Connection("h", "IP6"), ["connection-malformed"]),
        ("IN IP4", None, ["connection-malformed"]),
        ("IN IP4 /3", None, ["connection-malformed"]),
        ("IN", None, ["connection-malformed"]),
        ("SM SM spk0_trackID2", None, ["connection-malformed"]),
        ("", None, ["connection-malformed"]),
    ],
)
def test_a_damaged_connection_gives_what_is_in_it(value, connection, deviations):
    assert parse_connection(value) == (connection, deviations)


WORDS = st.lists(
    st.sampled_from(["IN", "IP4", "IP6", "-", "0", "1", "0x1", "h", "::1", "/", "h/1", "h/1/2/3"])
    | st.text(max_size=4)
).map(" ".join)


@given(WORDS)
def test_any_text_gives_a_value_or_none(value):
    origin, origin_deviations = parse_origin(value)
    connection, connection_deviations = parse_connection(value)
    assert origin is not None or "origin-malformed" in origin_deviations
    assert connection is not None or "connection-malformed" in connection_deviations
    if connection is not None:
        assert connection.address
        assert connection.ttl is None or 0 <= connection.ttl <= 255
        assert 1 <= connection.count <= 65535
