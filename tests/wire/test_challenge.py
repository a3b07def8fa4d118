"""WWW-Authenticate as devices write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.challenge import (
    ALGORITHMS,
    Challenge,
    format_challenge,
    parse_challenges,
    parse_parameters,
    quoted,
)

BASIC = 'Basic realm="cam"'
DIGEST = 'Digest realm="cam", nonce="abc", stale=FALSE'


def test_the_challenge_of_the_rfc_is_read():
    (challenge,) = parse_challenges(
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", charset=UTF-8, stale=true'
    )
    assert challenge == Challenge(
        "digest",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "SHA-256",
        qop=("auth", "auth-int"),
        opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
        stale=True,
        charset="UTF-8",
    )
    assert challenge.algorithm_named
    assert challenge.deviations == ()


@pytest.mark.parametrize(
    ("values", "schemes"),
    [
        ([BASIC, DIGEST], ["basic", "digest"]),
        ([DIGEST, BASIC], ["digest", "basic"]),
        (f"{BASIC}, {DIGEST}", ["basic", "digest"]),
        (f"{DIGEST}, {BASIC}", ["digest", "basic"]),
        (f"{DIGEST} {BASIC}", ["digest", "basic"]),
        (f"{DIGEST}  ,, {BASIC} ", ["digest", "basic"]),
        (f"{DIGEST}, {DIGEST}", ["digest", "digest"]),
        (f"Negotiate, {DIGEST}", ["negotiate", "digest"]),
        (f"Negotiate YWJj==, {DIGEST}, Bearer x", ["negotiate", "digest", "bearer"]),
        ("BASIC", ["basic"]),
    ],
)
def test_quirk_www_authenticate_basic_and_digest_in_either_order_on_one_line_or_two(
    values, schemes
):
    found = parse_challenges(values)
    assert [challenge.scheme for challenge in found] == schemes
    for challenge in found:
        if challenge.scheme == "digest":
            assert (challenge.realm, challenge.nonce) == ("cam", "abc")
        if challenge.scheme == "basic" and values != "BASIC":
            assert challenge.realm == "cam"


@pytest.mark.parametrize(
    "value",
    [
        'Digest nonce="abc", realm="cam"',
        'digest  stale="FALSE" ,nonce = "abc",realm= "cam"   ',
        'Digest realm="cam",nonce="abc",',
        'Digest realm="cam"; nonce="abc"',
        'Digest realm="cam" nonce="abc"',
        'Digest REALM="cam", Nonce="abc", unknown=1',
    ],
)
def test_quirk_www_authenticate_directives_in_any_order_with_trailing_blanks(value):
    (challenge,) = parse_challenges(value)
    assert (challenge.realm, challenge.nonce, challenge.stale) == ("cam", "abc", False)
    assert challenge.deviations == ()


@pytest.mark.parametrize(
    ("value", "realm", "nonce"),
    [
        ("Digest realm=cam,nonce=abc", "cam", "abc"),
        ("Digest realm=IP Camera(23435), nonce=abc==", "IP Camera(23435)", "abc=="),
        ("Digest realm=IP Camera nonce=abc", "IP Camera", "abc"),
        ("Digest nonce=abc, realm=cam Basic realm=cam", "cam", "abc"),
    ],
)
def test_quirk_www_authenticate_unquoted_values(value, realm, nonce):
    challenge = parse_challenges(value)[0]
    assert (challenge.realm, challenge.nonce) == (realm, nonce)
    assert challenge.deviations == ("challenge-value-unquoted",)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_quirk_www_authenticate_algorithms_in_any_case_quoted_or_not(name):
    for text in (name, name.lower(), f'"{name}"', f'" {name} "'):
        (challenge,) = parse_challenges(f'Digest realm="a", nonce="b", algorithm={text}')
        assert (challenge.algorithm, challenge.algorithm_named) == (name, True)


@pytest.mark.parametrize(
    ("value", "deviation"),
    [
        ('Digest realm="a", nonce="b", algorithm=SHA-1', "challenge-algorithm-unknown"),
        ('Digest realm="a"', "challenge-nonce-missing"),
        ('Digest nonce="a"', "challenge-realm-missing"),
        ("Basic", "challenge-realm-missing"),
        ('Digest nonce="a", realm="b', "challenge-quote-unclosed"),
        ('Digest nonce="a", realm="b", nonce="c"', "challenge-parameter-repeated"),
    ],
)
def test_what_was_put_up_with_is_told(value, deviation):
    (challenge,) = parse_challenges(value)
    assert challenge.deviations == (deviation,)


def test_escapes_in_quoted_values_are_taken_out_and_put_back():
    (challenge,) = parse_challenges(r'Basic realm="a \"b\" \\ c, Digest nonce=x"')
    assert challenge.realm == r'a "b" \ c, Digest nonce=x'
    assert parse_challenges(format_challenge(challenge)) == [challenge]


@pytest.mark.parametrize("values", ["", " ", [], ",;=", 'realm="x"', "=", '"'])
def test_no_challenge_at_all_is_a_typed_error(values):
    with pytest.raises(RemoteProtocolError, match="no challenge"):
        parse_challenges(values)


@pytest.mark.parametrize("control", ["\r", "\n", "\0", "\x7f"])
def test_S7_a_control_character_never_gets_in_or_out(control):
    with pytest.raises(RemoteProtocolError, match="control character"):
        parse_challenges(f'Basic realm="a{control}b"')
    with pytest.raises(LocalProtocolError, match="control character"):
        quoted(f"a{control}b")
    with pytest.raises(LocalProtocolError):
        format_challenge(Challenge("digest", "a", "b", f"MD5{control}"))


def test_S8_no_nonce_is_shown():
    (challenge,) = parse_challenges('Digest realm="cam", nonce="hunter2", opaque="hunter2"')
    assert "cam" in repr(challenge)
    assert "hunter2" not in repr(challenge)


def test_parameters_keep_their_text_and_lose_the_case_of_their_names():
    assert parse_parameters('Digest URI="a,b", NC=00000001') == [
        ("digest", {"uri": "a,b", "nc": "00000001"}, [])
    ]


def test_a_long_header_takes_linear_time():
    assert len(parse_challenges("Basic " * 50_000)) == 50_000
    assert parse_challenges("Digest nonce=" + "a " * 100_000)[0].scheme == "digest"
    assert parse_challenges("Digest" + ' a="' * 50_000)[0].scheme == "digest"
    assert parse_challenges("Digest" + " a=b" * 50_000)[0].scheme == "digest"
    assert parse_challenges("Digest" + " " * 100_000 + "\\" * 100_000)[0].scheme == "digest"


TEXT = st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=12)
VISIBLE = TEXT.filter(lambda text: "\x7f" not in text)


@given(
    st.builds(
        Challenge,
        st.just("digest"),
        VISIBLE,
        VISIBLE.filter(bool),
        st.sampled_from(ALGORITHMS),
        st.booleans(),
        st.sampled_from([(), ("auth",), ("auth", "auth-int"), ("auth-int",)]),
        st.none() | VISIBLE,
        st.booleans(),
        st.sampled_from([None, "UTF-8"]),
    )
    | st.builds(Challenge, st.just("basic"), VISIBLE)
)
def test_what_is_written_is_read_back(challenge):
    assert parse_challenges(format_challenge(challenge)) == [challenge]


PIECES = st.sampled_from(
    [
        "Digest",
        "Basic",
        "Bearer",
        " ",
        ",",
        "=",
        '"',
        "\\",
        "realm",
        "nonce",
        "qop",
        "algorithm",
        "SHA-256",
        "auth",
        "x",
        "é",
        "\t",
        ";",
        "stale",
        "true",
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join) | st.text())
def test_nothing_but_the_documented_error_escapes_and_what_is_read_can_be_written(value):
    try:
        found = parse_challenges(value)
    except RemoteProtocolError:
        return
    for challenge in found:
        if challenge.scheme in ("basic", "digest"):
            try:
                written = format_challenge(challenge)
            except LocalProtocolError:  # an algorithm or qop that is no token
                assert challenge.algorithm not in ALGORITHMS or challenge.qop
                continue
            (again,) = parse_challenges(written)
            assert (again.realm, again.nonce) == (
                challenge.realm,
                challenge.nonce if again.scheme == "digest" else "",
            )
