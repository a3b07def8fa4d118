"""Which credentials go out, how often, and when a 401 is the last word."""

import pytest

from rtspkit.engine.authentication import Authenticator
from rtspkit.options import Limits
from rtspkit.wire.credentials import Challenge, Credentials, verify_authorization
from rtspkit.wire.credentials import format_challenge as text

USER = Credentials("user", "secret")
BASIC = 'Basic realm="camera"'
URI = "rtsp://camera.example/live"


def digest(nonce="n1", *, algorithm="MD5", stale=False, qop=("auth",)):
    return Challenge("digest", "camera", nonce, algorithm, qop=qop, stale=stale)


def make(credentials=USER, **more):
    tokens = iter(f"token{number}" for number in range(100))
    return Authenticator(credentials, token=lambda: next(tokens), limits=Limits(), **more)


def challenged(authenticator, *challenges, attempts=0, nonce=None, fresh=False):
    values = [one if isinstance(one, str) else text(one) for one in challenges]
    return authenticator.challenged(values, attempts=attempts, nonce=nonce, fresh=fresh)


def holds(authenticator, challenge, method="PLAY"):
    value = authenticator.authorization(method, URI)
    return verify_authorization(value, challenge, USER, method, uri=URI)


class TestHeader:
    def test_nothing_is_sent_before_it_is_asked_for(self):
        authenticator = make()
        assert authenticator.authorization("DESCRIBE", URI) is None
        assert (authenticator.scheme, authenticator.algorithm, authenticator.nonce) == (None,) * 3

    def test_after_the_first_challenge_every_request_carries_credentials(self):
        authenticator = make()
        challenged(authenticator, digest())
        for method in ("DESCRIBE", "SETUP", "GET_PARAMETER", "TEARDOWN"):
            assert holds(authenticator, digest(), method)

    def test_each_request_has_its_own_count_and_client_nonce(self):
        authenticator = make()
        challenged(authenticator, digest())
        first, second = (authenticator.authorization("PLAY", URI) for _ in range(2))
        assert "nc=00000001" in first
        assert 'cnonce="token0"' in first
        assert "nc=00000002" in second
        assert 'cnonce="token1"' in second

    def test_the_count_begins_anew_with_a_new_nonce_only(self):
        authenticator = make()
        for nonce, count in (("n1", 1), ("n1", 2), ("n2", 1)):
            challenged(authenticator, digest(nonce))
            assert f"nc={count:08x}" in authenticator.authorization("PLAY", URI)

    def test_basic(self):
        authenticator = make()
        assert challenged(authenticator, BASIC)
        assert authenticator.authorization("PLAY", URI) == "Basic dXNlcjpzZWNyZXQ="
        assert (authenticator.scheme, authenticator.algorithm) == ("basic", None)
        assert authenticator.nonce is None

    def test_what_is_in_use_can_be_told(self):
        authenticator = make()
        challenged(authenticator, digest(algorithm="SHA-256"))
        assert (authenticator.scheme, authenticator.algorithm) == ("digest", "SHA-256")
        assert authenticator.nonce == "n1"


class TestChoice:
    @pytest.mark.parametrize("order", [1, -1])
    def test_the_strongest_goes_first_in_any_order(self, order):
        offers = [BASIC, digest("a"), digest("b", algorithm="SHA-256")][::order]
        authenticator = make()
        assert challenged(authenticator, *offers)
        assert authenticator.algorithm == "SHA-256"

    def test_basic_before_digest_on_one_line(self):
        authenticator = make()
        assert challenged(authenticator, f"{BASIC}, {text(digest())}")
        assert authenticator.scheme == "digest"

    def test_basic_is_never_sent_after_digest_has_worked(self):
        authenticator = make(allow_basic="always")
        challenged(authenticator, digest())
        authenticator.authorization("DESCRIBE", URI)
        authenticator.accepted()
        assert authenticator.digest_worked
        assert not challenged(authenticator, BASIC)
        assert authenticator.authorization("PLAY", URI).startswith("Digest ")

    def test_basic_is_not_sent_after_digest_was_offered_and_refused(self):
        """A downgrade: the password would go out in the clear."""
        authenticator = make()
        challenged(authenticator, digest())
        assert not challenged(authenticator, BASIC, attempts=1, nonce="n1", fresh=True)
        assert not challenged(authenticator, BASIC)
        assert authenticator.authorization("PLAY", URI).startswith("Digest ")
        assert "challenge-weaker" in authenticator.take_deviations()

    def test_basic_that_works_does_not_forbid_basic(self):
        authenticator = make()
        challenged(authenticator, BASIC)
        authenticator.accepted()
        assert not authenticator.digest_worked
        assert challenged(authenticator, BASIC)

    def test_basic_may_be_forbidden(self):
        authenticator = make(allow_basic="never")
        assert not challenged(authenticator, BASIC)
        assert authenticator.authorization("PLAY", URI) is None

    def test_basic_beside_a_digest_that_we_do_not_have_is_not_sent(self):
        authenticator = make()
        assert not challenged(authenticator, BASIC, digest(algorithm="RIPEMD"))
        assert authenticator.authorization("PLAY", URI) is None
        assert "challenge-unusable" in authenticator.take_deviations()

    @pytest.mark.parametrize("values", [(), ("",), (" , ;",)])
    def test_a_401_without_a_challenge_is_no_error_and_no_reason_to_try(self, values):
        authenticator = make()
        assert not challenged(authenticator, *values)
        assert authenticator.take_deviations() == ["challenge-missing"]
        assert authenticator.take_deviations() == []

    def test_without_credentials_nothing_is_tried(self):
        authenticator = make(None)
        assert not challenged(authenticator, digest())
        assert authenticator.authorization("PLAY", URI) is None
        assert authenticator.scheme is None

    def test_an_empty_password_is_a_password(self):
        authenticator = make(Credentials("user", ""))
        assert challenged(authenticator, BASIC)
        assert authenticator.authorization("PLAY", URI) == "Basic dXNlcjo="


class TestAttempts:
    def test_a_request_without_credentials_is_tried_with_them(self):
        assert challenged(make(), digest())

    @pytest.mark.parametrize("nonce", ["n1", "n2"])
    def test_a_401_after_a_fresh_attempt_is_permanent(self, nonce):
        """Most servers give a new nonce with every 401: that alone is no reason."""
        authenticator = make()
        challenged(authenticator, digest("n1"))
        assert not challenged(authenticator, digest(nonce), attempts=1, nonce="n1", fresh=True)

    def test_a_stale_nonce_is_worth_one_more(self):
        authenticator = make()
        challenged(authenticator, digest("n1"))
        stale = digest("n2", stale=True)
        assert challenged(authenticator, stale, attempts=1, nonce="n1", fresh=True)
        assert holds(authenticator, stale)

    def test_an_older_nonce_that_has_changed_is_worth_one_more(self):
        authenticator = make()
        challenged(authenticator, digest("n1"))
        authenticator.accepted()
        assert challenged(authenticator, digest("n2"), attempts=1, nonce="n1")
        assert holds(authenticator, digest("n2"))

    def test_an_older_nonce_that_has_not_changed_is_not(self):
        authenticator = make()
        challenged(authenticator, digest("n1"))
        authenticator.accepted()
        assert not challenged(authenticator, digest("n1"), attempts=1, nonce="n1")

    def test_two_requests_on_their_way_with_the_old_nonce_are_both_sent_again(self):
        authenticator = make()
        challenged(authenticator, digest("n1"))
        authenticator.accepted()
        for _ in range(2):
            assert challenged(authenticator, digest("n2"), attempts=1, nonce="n1")

    def test_never_a_third_time_however_stale(self):
        authenticator = make()
        challenged(authenticator, digest("n1"))
        assert challenged(authenticator, digest("n2", stale=True), attempts=1, nonce="n1")
        assert not challenged(authenticator, digest("n3", stale=True), attempts=2, nonce="n2")

    def test_stale_basic_is_not_tried_again(self):
        authenticator = make()
        challenged(authenticator, BASIC)
        assert not challenged(authenticator, BASIC + ", stale=true", attempts=1)

    def test_after_a_refusal_other_requests_have_one_attempt(self):
        """The password has changed: keep-alive and TEARDOWN must not lock the account."""
        authenticator = make()
        challenged(authenticator, digest("n1"))
        assert not challenged(authenticator, digest("n2"), attempts=1, nonce="n1", fresh=True)
        assert not challenged(authenticator, digest("n3"), attempts=1, nonce="n2")
        authenticator.accepted()
        assert challenged(authenticator, digest("n5"), attempts=1, nonce="n4")

    def test_the_number_of_attempts_can_be_raised(self):
        limits = Limits(authentication_attempts=3)
        authenticator = Authenticator(USER, token=str, limits=limits)
        tries = [
            challenged(authenticator, digest(), attempts=n, nonce="n1", fresh=n > 0)
            for n in range(5)
        ]
        assert tries == [True, True, True, False, False]


def test_it_shows_no_secret():
    authenticator = make()
    challenged(authenticator, digest("nonce-secret"))
    for shown in (repr(authenticator), repr(vars(authenticator))):
        assert "nonce-secret" not in shown
        assert "'secret'" not in shown


def test_the_next_session_on_a_connection_goes_on_with_its_nonce_and_count():
    before, after = make(), make()
    challenged(before, digest())
    before.authorization("PLAY", URI)
    before.accepted()
    after.inherit(before)
    assert "nc=00000002" in after.authorization("DESCRIBE", URI)
    assert holds(after, digest())
    assert not challenged(after, BASIC, attempts=1)  # Digest has worked on this connection
