"""The shared vectors of headers: Transport, Session, Range, Content-Base, and their fuzz seeds."""

from contextlib import suppress
from datetime import datetime

import pytest
from rtspkit_vectors import cases, load, read

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.challenge import parse_challenges
from rtspkit.wire.credentials import Credentials, verify_authorization
from rtspkit.wire.header import (
    SmpteTime,
    parse_range,
    parse_rtp_info,
    parse_session,
    parse_transport,
    parse_transports,
    serialize_range,
    serialize_session,
    serialize_transport,
)
from rtspkit.wire.url import choose_base, parse_url

SEED_PARSERS = {
    "FuzzAuthenticateUnmarshal": parse_challenges,
    "FuzzAuthorizationUnmarshal": lambda value: verify_authorization(
        value, parse_challenges('Digest realm="a", nonce="b"')[0], Credentials("u", "p"), "PLAY"
    ),
    "FuzzRTPInfoUnmarshal": parse_rtp_info,
    "FuzzRangeUnmarshal": parse_range,
    "FuzzSessionUnmarshal": parse_session,
    "FuzzTransportsUnmarshal": parse_transports,
}
# MIKEY (RFC 3830) comes with SRTP: there is no parser of Key-Mgmt yet.
NO_PARSER = {"FuzzKeyMgmtUnmarshal"}


def _transport_fields(transport, expect):
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name in expect
        for value in [getattr(transport, name)]
    }


@pytest.mark.parametrize("case", cases("headers/transport.json"))
def test_transport(case):
    transport = parse_transport(case["input"])
    assert _transport_fields(transport, case["expect"]) == case["expect"]
    assert parse_transport(serialize_transport(transport)) == transport
    assert parse_transport(case["canonical"]) == transport


@pytest.mark.parametrize("case", cases("headers/transport.json", "lists"))
def test_transports(case):
    found = parse_transports(case["input"])
    fields = [_transport_fields(t, e) for t, e in zip(found, case["expect"], strict=True)]
    assert fields == case["expect"]


@pytest.mark.parametrize("case", cases("headers/session.json"))
def test_session(case):
    session = parse_session(case["input"])
    assert (session.id, session.timeout) == (case["expect"]["id"], case["expect"]["timeout"])
    assert serialize_session(session) == case["canonical"]


def _range_time(text):
    if isinstance(text, dict):
        return SmpteTime(text["seconds"], text["frame"], text["subframe"])
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else text


@pytest.mark.parametrize("case", cases("headers/range.json"))
def test_range(case):
    found = parse_range(case["input"])
    expect = case["expect"]
    assert found.unit == expect["unit"]
    assert found.start == _range_time(expect["start"])
    assert found.end == _range_time(expect["end"])
    assert serialize_range(found) == case["canonical"]


@pytest.mark.parametrize("case", cases("headers/content_base_url.json"))
def test_content_base(case):
    base, deviations = choose_base(case["input"], None, "rtsp://192.168.1.123/onvif/profile.1")
    url = parse_url(base)
    expect = case["expect"]
    assert (url.host, url.target) == (expect["host"], expect["path"])
    assert url.port == (expect["port"] or 554)
    assert deviations


SEEDS = [
    pytest.param(seed, id=f"{seed['target']}-{seed['name']}")
    for seed in load("seeds/index.json").get("seeds", [])
    if seed["package"] == "headers" and seed["target"] not in NO_PARSER
] or cases("seeds/index.json", "absent")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fuzz_seed_gives_a_value_or_the_typed_error(seed):
    parser = SEED_PARSERS[seed["target"]]
    for argument in seed["args"]:
        text = read(f"seeds/{argument['file']}").decode("latin-1")
        with suppress(RemoteProtocolError):
            assert parser(text) is not None
