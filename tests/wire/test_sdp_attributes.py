"""Attributes with a structure of their own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.wire.sdp_attributes import (
    Crypto,
    KeyManagement,
    RtcpFeedback,
    SourceFilter,
    parse_crypto,
    parse_extmap,
    parse_key_management,
    parse_rtcp_feedback,
    parse_source_filter,
    parse_ssrc,
)

KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4"


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        (
            parse_crypto,
            f"1 AES_CM_128_HMAC_SHA1_80 {KEY} FEC_ORDER=FEC_SRTP",
            Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY, ("FEC_ORDER=FEC_SRTP",)),
        ),
        (parse_key_management, "mikey AQAFgM0X", KeyManagement("mikey", b"\x01\0\x05\x80\xcd\x17")),
        (parse_key_management, "MIKEY  AQAFgA==", KeyManagement("mikey", b"\x01\0\x05\x80")),
        (
            parse_extmap,
            "1 urn:ietf:params:rtp-hdrext:toffset",
            (1, "urn:ietf:params:rtp-hdrext:toffset"),
        ),
        (parse_extmap, "2/sendonly http://example.com/x attr", (2, "http://example.com/x")),
        (parse_rtcp_feedback, "* nack", RtcpFeedback(None, "nack")),
        (parse_rtcp_feedback, "96 ccm  fir", RtcpFeedback(96, "ccm fir")),
        (
            parse_source_filter,
            " incl IN IP4 * 192.0.2.10 192.0.2.11",
            SourceFilter("incl", "IP4", "*", ("192.0.2.10", "192.0.2.11")),
        ),
        (parse_ssrc, "3735928559 cname:a:b c", (3735928559, "cname", "a:b c")),
        (parse_ssrc, "1", (1, "", "")),
    ],
)
def test_an_attribute_by_its_rfc_is_read(parse, value, expected):
    assert parse(value) == expected


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        (parse_crypto, "1 AES_CM_128_HMAC_SHA1_80"),
        (parse_crypto, "x AES_CM_128_HMAC_SHA1_80 inline:AAAA"),
        (parse_crypto, "1 AES_CM_128_HMAC_SHA1_80 uri:AAAA"),
        (parse_key_management, "mikey"),
        (parse_key_management, "mikey !!"),
        (parse_key_management, "mikey AAAA AAAA"),
        (parse_extmap, "0 urn:x"),
        (parse_extmap, "4352 urn:x"),
        (parse_extmap, "1"),
        (parse_rtcp_feedback, "128 nack"),
        (parse_rtcp_feedback, "*"),
        (parse_source_filter, "maybe IN IP4 * 192.0.2.10"),
        (parse_source_filter, "incl IN IP4 *"),
        (parse_ssrc, "4294967296 cname:x"),
        (parse_ssrc, ""),
    ],
)
def test_what_cannot_be_read_is_none(parse, value):
    assert parse(value) is None


def test_keys_never_print():
    crypto = parse_crypto(f"1 AES_CM_128_HMAC_SHA1_80 {KEY}")
    assert "WVNfX19" not in repr(crypto)
    assert "x05" not in repr(parse_key_management("mikey AQAFgM0X"))


PARSERS = (
    parse_crypto,
    parse_key_management,
    parse_extmap,
    parse_rtcp_feedback,
    parse_source_filter,
    parse_ssrc,
)
WORDS = st.lists(
    st.sampled_from(["1", "*", "IN", "IP4", "incl", "inline:AA==", "mikey", "AAAA", "x:y"])
    | st.text(max_size=6)
).map(" ".join)


@given(st.sampled_from(PARSERS), WORDS)
def test_any_text_gives_a_value_or_none(parse, value):
    found = parse(value)
    assert found is None or found == parse(value)
