"""User info, host and port: one reading of what follows ``://``, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.authority import (
    cut_authority,
    is_bare_ipv6,
    is_host_and_port,
    is_ipv4,
    refused_url,
    split_authority,
    split_host_and_port,
)


def test_the_authority_ends_at_the_first_delimiter():
    assert cut_authority("h:1/a?b") == ("h:1", "/a?b")
    assert cut_authority("h?b/c") == ("h", "?b/c")
    assert cut_authority("h#f") == ("h", "#f")
    assert cut_authority("h") == ("h", "")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("h/x", (None, "h", "/x")),
        ("@h/x", ("", "h", "/x")),
        ("u:p@h/x", ("u:p", "h", "/x")),
        ("u:p@q@h/x", ("u:p@q", "h", "/x")),
        ("u:p/q@h/x", ("u:p/q", "h", "/x")),
        ("u:p?q@h/x", ("u:p?q", "h", "/x")),
        ("u:p#q@h/x", ("u:p#q", "h", "/x")),
        ("u:p/q@r@h:99/x", ("u:p/q@r", "h:99", "/x")),
        ("h/x@y", (None, "h", "/x@y")),
        ("h:554/x?mail=a@b", (None, "h:554", "/x?mail=a@b")),
        ("u:p@h/x@2x", ("u:p", "h", "/x@2x")),
        ("u:12@34/x", ("u:12", "34", "/x")),
    ],
)
def test_there_is_one_reading(text, parts):
    assert split_authority(text) == parts


@pytest.mark.parametrize("text", ["u:p/q@h/x@y", "h:99#4@cam/x", "u:p/q@h/a@b/c@d"])
def test_two_readings_are_refused(text):
    with pytest.raises(LocalProtocolError) as caught:
        split_authority(text)
    assert caught.value.phase == "url"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("h", ("h", None)),
        ("h:", ("h", None)),
        ("h:1", ("h", 1)),
        ("h_1.lan:65535", ("h_1.lan", 65535)),
        ("[::1]", ("::1", None)),
        ("[::1]:554", ("::1", 554)),
        ("[fe80::1%eth0]:554", ("fe80::1%eth0", 554)),
        ("[fe80::1%25eth0]", ("fe80::1%eth0", None)),
        ("bücher.example", ("xn--bcher-kva.example", None)),
    ],
)
def test_host_and_port_are_split(text, pair):
    assert split_host_and_port(text) == pair
    assert is_host_and_port(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":554",
        "h:0",
        "h:65536",
        "h:+1",
        "h:1_0",
        "h:٣",
        "::1",
        "fe80::1:554",
        "[::1",
        "[::1]x",
        "[]",
        "[h]",
        "[::1%]",
        "h%2f",
        "h\\x",
        "a\uff0fb",
        "h h",
        "." * 70 + "é",
    ],
)
def test_what_is_no_host_and_port_is_refused(text):
    assert not is_host_and_port(text)


def test_addresses_are_told_from_names():
    assert is_ipv4("192.168.1.10")
    assert not any(map(is_ipv4, ["192.168.1", "192.168.1.256", "a.b.c.d", "1.2.3.4.5", ""]))
    assert is_bare_ipv6("::ffff:192.168.1.123")
    assert not any(map(is_bare_ipv6, ["h:554", "[::1]", "a:b:c", ""]))


def test_the_error_names_its_phase():
    assert refused_url("why").phase == "url"


@given(st.text(alphabet="hu:p@/?#[]%1.é", max_size=25) | st.text())
def test_nothing_but_the_documented_error_escapes_and_nothing_is_lost(text):
    try:
        user_info, hostport, rest = split_authority(text)
    except LocalProtocolError:
        return
    assert text == ("" if user_info is None else f"{user_info}@") + hostport + rest
    assert is_host_and_port(hostport) in (True, False)
