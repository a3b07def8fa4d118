"""Basic and Digest: the answer to a challenge, and its verification."""

import pickle
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.challenge import ALGORITHMS, parse_parameters
from rtspkit.wire.credentials import (
    Challenge,
    Credentials,
    authorize,
    format_challenge,
    parse_challenges,
    strongest,
    verify_authorization,
)

URI = "rtsp://192.0.2.10/stream1"
USER = Credentials("admin", "pass")
BASIC = Challenge("basic", "cam")
MD5 = Challenge("digest", "cam", "n1")
SHA256 = Challenge("digest", "cam", "n2", "SHA-256", True, ("auth",))
SHA512 = Challenge("digest", "cam", "n3", "SHA-512-256", True, ("auth",))


def fields(value: str) -> dict[str, str]:
    return parse_parameters(value)[0][1]


def test_the_example_of_rfc_2617_comes_out():
    challenge = Challenge(
        "digest",
        "testrealm@host.com",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        qop=("auth", "auth-int"),
        opaque="5ccc069c403ebaf9f0171e9517f40e41",
    )
    value = authorize(
        challenge,
        Credentials("Mufasa", "Circle Of Life"),
        "GET",
        "/dir/index.html",
        cnonce="0a4f113b",
    )
    assert value == (
        'Digest username="Mufasa", realm="testrealm@host.com", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", '
        'response="6629fae49393a05397450978507c4ef1", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41", qop=auth, nc=00000001, cnonce="0a4f113b"'
    )


def test_the_example_of_rfc_7617_comes_out():
    credentials = Credentials("Aladdin", "open sesame")
    value = authorize(BASIC, credentials, "OPTIONS", URI, cnonce="")
    assert value == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_without_qop_the_form_of_rfc_2069_is_sent():
    value = authorize(MD5, USER, "PLAY", URI, cnonce="c")
    assert set(fields(value)) == {"username", "realm", "nonce", "uri", "response"}


def test_the_algorithm_is_named_only_when_the_server_named_it():
    named = Challenge("digest", "cam", "n", "MD5", algorithm_named=True)
    assert "algorithm=MD5" in authorize(named, USER, "PLAY", URI, cnonce="c")
    assert "algorithm" not in authorize(MD5, USER, "PLAY", URI, cnonce="c")


def test_a_session_algorithm_without_qop_sends_its_cnonce():
    challenge = Challenge("digest", "cam", "n", "MD5-sess")
    assert fields(authorize(challenge, USER, "PLAY", URI, cnonce="c"))["cnonce"] == "c"


def test_auth_is_preferred_and_auth_int_used_only_when_alone():
    both = Challenge("digest", "cam", "n", qop=("auth-int", "auth"))
    alone = Challenge("digest", "cam", "n", qop=("auth-int",))
    assert "qop=auth," in authorize(both, USER, "PLAY", URI, cnonce="c")
    value = authorize(alone, USER, "SET_PARAMETER", URI, cnonce="c", body=b"a: b\r\n")
    assert "qop=auth-int," in value
    assert verify_authorization(value, alone, USER, "SET_PARAMETER", body=b"a: b\r\n")
    assert not verify_authorization(value, alone, USER, "SET_PARAMETER", body=b"a: c\r\n")


def test_the_nonce_count_is_eight_hexadecimal_digits():
    assert "nc=0000001a" in authorize(SHA256, USER, "PLAY", URI, cnonce="c", nonce_count=26)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([BASIC, MD5], MD5),
        ([MD5, BASIC], MD5),
        ([MD5, SHA256], SHA256),
        ([SHA256, SHA512, MD5], SHA512),
        ([SHA256], SHA256),
        ([Challenge("bearer"), BASIC], BASIC),
        ([Challenge("negotiate"), MD5], MD5),
        ([Challenge("digest", "a", "b", "SHA-1"), MD5], MD5),
        ([Challenge("digest", "a", ""), MD5], MD5),
        ([Challenge("digest", "a", "b", "SHA-256", qop=("token",)), MD5], MD5),
        ([MD5, Challenge("digest", "other", "n")], MD5),
        ([Challenge("bearer")], None),
        ([], None),
    ],
)
def test_S6_the_strongest_comes_first(offered, chosen):
    assert strongest(offered, allow_basic="only-alternative") is chosen


def test_S6_basic_only_by_rule():
    unusable = Challenge("digest", "a", "b", "SHA-1")
    assert strongest([BASIC], allow_basic="never") is None
    assert strongest([BASIC], allow_basic="only-alternative") is BASIC
    assert strongest([unusable, BASIC], allow_basic="only-alternative") is None
    assert strongest([unusable, BASIC], allow_basic="always") is BASIC
    assert strongest([BASIC, MD5], allow_basic="always") is MD5


def test_quirk_a_nonce_that_was_renewed_is_answered_with_the_new_one():
    old, new = parse_challenges(
        [
            'Digest realm="cam", nonce="old"',
            'Digest realm="cam", nonce="new", stale=true',
        ]
    )
    assert new.stale
    assert not old.stale
    value = authorize(new, USER, "GET_PARAMETER", URI, cnonce="c")
    assert fields(value)["nonce"] == "new"
    assert not verify_authorization(value, old, USER, "GET_PARAMETER")


@pytest.mark.parametrize(
    ("challenge", "credentials", "words"),
    [
        (Challenge("bearer"), USER, "'bearer'"),
        (Challenge("digest", "a", "b", "SHA-1"), USER, "'SHA-1'"),
        (Challenge("digest", "a", "b", qop=("x",)), USER, "'x'"),
        (MD5, Credentials("a\r\nb", "p"), "control character"),
        (BASIC, Credentials("a\r\nb", "hunter2"), "control character"),
        (BASIC, Credentials("a:b", "hunter2"), "':'"),
        (MD5, Credentials("a", "hunter2\ud800"), "UTF-8"),
    ],
)
def test_what_cannot_be_answered_is_a_typed_error_without_a_secret(challenge, credentials, words):
    with pytest.raises(LocalProtocolError, match=words) as caught:
        authorize(challenge, credentials, "PLAY", URI, cnonce="c")
    assert "hunter2" not in repr(pickle.loads(pickle.dumps(caught.value)))


def test_a_cnonce_is_needed_only_where_it_is_sent():
    assert authorize(BASIC, USER, "PLAY", URI).startswith("Basic ")
    assert authorize(MD5, USER, "PLAY", URI) == authorize(MD5, USER, "PLAY", URI, cnonce="c")
    for challenge in (SHA256, Challenge("digest", "cam", "n", "MD5-sess")):
        with pytest.raises(LocalProtocolError, match="cnonce"):
            authorize(challenge, USER, "PLAY", URI)


@pytest.mark.parametrize("count", [0, -1, 1 << 32])
def test_a_nonce_count_out_of_range_is_refused(count):
    with pytest.raises(LocalProtocolError, match="nonce count"):
        authorize(MD5, USER, "PLAY", URI, cnonce="c", nonce_count=count)


@pytest.mark.parametrize("field", ["username", "uri", "cnonce"])
def test_S7_quotes_are_escaped_in_every_field_and_controls_refused(field):
    def value(text):
        username = text if field == "username" else "u"
        return authorize(
            SHA256,
            Credentials(username, "p"),
            "PLAY",
            text if field == "uri" else URI,
            cnonce=text if field == "cnonce" else "c",
        )

    assert fields(value('a", b="\\'))[field] == 'a", b="\\'
    with pytest.raises(LocalProtocolError):
        value("a\r\nX: y")


def test_S8_no_password_is_shown():
    assert "hunter2" not in f"{Credentials('u', 'hunter2')} {Credentials('u', 'hunter2')!r}"
    assert "hunter2" not in authorize(MD5, Credentials("u", "hunter2"), "PLAY", URI, cnonce="c")


@pytest.mark.parametrize("password", ["", "p:w", "%41", 'p"w', "pässwörd"])
def test_passwords_that_are_empty_or_odd_work_with_basic_and_digest(password):
    credentials = Credentials("admin", password)
    basic = authorize(BASIC, credentials, "PLAY", URI, cnonce="c")
    assert b64decode(basic.removeprefix("Basic ")) == f"admin:{password}".encode()
    for challenge in (BASIC, MD5, SHA256):
        value = authorize(challenge, credentials, "PLAY", URI, cnonce="c")
        assert verify_authorization(value, challenge, credentials, "PLAY", uri=URI)
        assert not verify_authorization(value, challenge, Credentials("admin", "x"), "PLAY")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('username="admin"', 'username="other"'),
        ('realm="cam"', 'realm="x"'),
        ('nonce="n2"', 'nonce="x"'),
        ("qop=auth", "qop=auth-int"),
        ("qop=auth, ", ""),
        ("nc=00000001", "nc=00000002"),
        ("nc=00000001", "nc=00000000"),
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=+0000001"),
        ('cnonce="c"', 'cnonce="d"'),
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("Digest ", "Basic "),
        ("Digest ", ""),
        ("Digest ", "Digest x, Digest "),
        (f'uri="{URI}", ', ""),
        ('response="', 'response="0'),
        ('response="', 'response="é'),
        ("Digest ", "Digest \ud800"),
    ],
)
def test_a_wrong_answer_is_refused(right, wrong):
    value = authorize(SHA256, USER, "PLAY", URI, cnonce="c")
    assert verify_authorization(value, SHA256, USER, "PLAY", uri=URI)
    assert right in value
    assert not verify_authorization(value.replace(right, wrong, 1), SHA256, USER, "PLAY")


def test_the_method_and_the_uri_are_part_of_the_answer():
    value = authorize(SHA256, USER, "PLAY", URI, cnonce="c")
    assert not verify_authorization(value, SHA256, USER, "PAUSE")
    assert not verify_authorization(value, SHA256, USER, "PLAY", uri=f"{URI}/")


@pytest.mark.parametrize("value", ["", "Basic", "Basic !", "Basic YTpi", "Basic é", "Digest"])
def test_a_wrong_basic_answer_is_refused(value):
    assert not verify_authorization(value, BASIC, USER, "PLAY")


NAMES = st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]))


@given(st.sampled_from(ALGORITHMS), st.sampled_from([(), ("auth",), ("auth-int",)]), NAMES, NAMES)
def test_every_answer_is_verified_after_a_trip_over_the_wire(algorithm, qop, username, password):
    sent = Challenge("digest", f"realm of {username}", "nonce", algorithm, qop=qop, opaque="o")
    (challenge,) = parse_challenges(format_challenge(sent))
    credentials = Credentials(username, password)
    value = authorize(challenge, credentials, "DESCRIBE", URI, cnonce=username, nonce_count=7)
    assert verify_authorization(value, sent, credentials, "DESCRIBE", uri=URI)


@given(st.text() | st.text(alphabet='Digest basic=", \\unonce').map(lambda t: f"Digest {t}"))
def test_whatever_the_header_is_verification_only_says_no(value):
    assert verify_authorization(value, SHA256, USER, "PLAY") is False
    assert verify_authorization(value, BASIC, USER, "PLAY") is False
