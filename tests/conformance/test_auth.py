"""The shared vectors of Basic and Digest."""

import pytest
from rtspkit_vectors import cases

from rtspkit.wire.challenge import parse_parameters
from rtspkit.wire.credentials import Challenge, Credentials, authorize, verify_authorization


@pytest.mark.parametrize("case", cases("auth/digest.json", "digest"))
def test_digest(case):
    challenge = Challenge(
        "digest",
        case["realm"],
        case["nonce"],
        case["algorithm"],
        qop=(case["qop"],) if case["qop"] else (),
        opaque=case.get("opaque"),
    )
    credentials = Credentials(case["username"], case["password"])
    body = case.get("body", "").encode()
    value = authorize(
        challenge,
        credentials,
        case["method"],
        case["uri"],
        cnonce=case["cnonce"] or "",
        nonce_count=int(case["nc"] or "1", 16),
        body=body,
    )
    ((scheme, fields, deviations),) = parse_parameters(value)
    assert (scheme, deviations) == ("digest", [])
    assert fields["response"] == case["response"]
    wanted = ("username", "realm", "nonce", "uri", "opaque", "qop", "nc")
    assert {n: fields.get(n) for n in wanted} == {n: case.get(n) for n in wanted}
    assert verify_authorization(value, challenge, credentials, case["method"], body=body)


@pytest.mark.parametrize("case", cases("auth/digest.json", "basic"))
def test_basic(case):
    credentials = Credentials(case["username"], case["password"])
    value = authorize(Challenge("basic", "x"), credentials, "OPTIONS", "*", cnonce="")
    assert value == f"Basic {case['token']}"
