from __future__ import annotations

import random

import pytest

from rtspkit.testing.authenticator import Authentication, Authenticator
from rtspkit.wire.credentials import Credentials, authorize, parse_challenges
from rtspkit.wire.headers import Headers
from rtspkit.wire.message import Request

URI = "rtsp://camera/stream"
RIGHT = Credentials("user", "secret")


def make(**options) -> Authenticator:
    return Authenticator(Authentication(**options), random.Random(1))


def ask(
    authenticator: Authenticator, authorization: str | None = None, *, now: float = 0.0
) -> list[str] | None:
    headers = Headers({"Authorization": authorization} if authorization else {})
    return authenticator.check(Request("DESCRIBE", URI, headers), now)


def answer(values: list[str], credentials: Credentials = RIGHT, *, place: int = 0) -> str:
    challenge = parse_challenges(values)[place]
    return authorize(challenge, credentials, "DESCRIBE", URI, cnonce="abc")


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
@pytest.mark.parametrize("qop", [(), ("auth",)])
def test_digest_lets_the_right_password_in_and_no_other(algorithm, qop):
    authenticator = make(algorithms=(algorithm,), qop=qop)
    values = ask(authenticator)
    assert parse_challenges(values)[0].algorithm == algorithm
    assert ask(authenticator, answer(values)) is None
    assert ask(authenticator, answer(values, Credentials("user", "wrong"))) is not None
    assert (authenticator.challenged, authenticator.refused) == (2, 1)


def test_basic_lets_the_right_password_in_and_no_other():
    authenticator = make(schemes=("basic",))
    values = ask(authenticator)
    assert ask(authenticator, answer(values)) is None
    assert ask(authenticator, answer(values, Credentials("other", "secret"))) is not None
    assert ask(authenticator, "Basic !") is not None
    assert ask(authenticator, "nonsense") is not None


@pytest.mark.parametrize("one_line", [False, True])
def test_offers_several_challenges_and_takes_an_answer_to_any(one_line):
    authenticator = make(
        schemes=("basic", "digest"), algorithms=("MD5", "SHA-256"), one_line=one_line
    )
    values = ask(authenticator)
    assert len(values) == (1 if one_line else 3)
    assert [c.scheme for c in parse_challenges(values)] == ["basic", "digest", "digest"]
    for place in range(3):
        assert ask(authenticator, answer(values, place=place)) is None


def test_a_nonce_is_stale_after_so_many_requests():
    authenticator = make(nonce_requests=2)
    value = answer(ask(authenticator))
    assert ask(authenticator, value) is None
    assert ask(authenticator, value) is None
    (again,) = parse_challenges(ask(authenticator, value))
    assert again.stale
    assert authenticator.refused == 0
    assert ask(authenticator, authorize(again, RIGHT, "DESCRIBE", URI, cnonce="d")) is None


def test_a_nonce_is_stale_after_so_many_seconds():
    authenticator = make(nonce_seconds=150.0)
    value = answer(ask(authenticator, now=10.0))
    assert ask(authenticator, value, now=159.0) is None
    assert parse_challenges(ask(authenticator, value, now=160.0))[0].stale


def test_a_stale_nonce_with_a_wrong_password_is_just_refused():
    authenticator = make()
    value = answer(ask(authenticator), Credentials("user", "wrong"))
    authenticator.renew()
    assert not parse_challenges(ask(authenticator, value))[0].stale
    assert authenticator.refused == 1


def test_staleness_may_go_unannounced():
    authenticator = make(announce_stale=False)
    value = answer(ask(authenticator))
    authenticator.renew()
    assert not parse_challenges(ask(authenticator, value))[0].stale
    assert authenticator.refused == 0


def test_an_answer_for_another_url_is_refused():
    authenticator = make()
    (challenge,) = parse_challenges(ask(authenticator))
    other = authorize(challenge, RIGHT, "DESCRIBE", URI + "/x", cnonce="c")
    assert ask(authenticator, other) is not None


def test_exempt_methods_need_nothing():
    assert make().check(Request("OPTIONS", "*"), 0.0) is None
    assert make(exempt=()).check(Request("OPTIONS", "*"), 0.0) is not None


def test_the_password_is_not_printed():
    assert "secret" not in repr(Authentication())
