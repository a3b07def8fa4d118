"""What is said of the way to a server."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest
from own_certificate import DER, FINGERPRINT

from rtspkit.client.reachability import (
    connect_error,
    judge_answer,
    judge_authentication,
    judge_handshake,
    judge_knocks,
    judge_name,
    judge_refusal,
)
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    Unauthorized,
    response_error,
)
from rtspkit.net.knock import Handshake, Knock
from rtspkit.options import TLS

V4 = (socket.AF_INET, ("192.0.2.1", 554))
V6 = (socket.AF_INET6, ("2001:db8::1", 554, 0, 0))
IN_2026 = 1.79e9
OPEN = Knock("192.0.2.1", 0.012, None)
REFUSED = Knock("2001:db8::1", 0.001, ConnectionRefusedError(errno.ECONNREFUSED, "loop's words"))
SILENT = Knock("192.0.2.2", 3.0, TimeoutError())
UNREACHABLE = Knock("192.0.2.3", 0.0, OSError(errno.ENETUNREACH, "loop's words"))


def test_a_name():
    found = judge_name([V6, V4], 0.02)
    assert (found.outcome, found.seen) == ("ok", "2001:db8::1, 192.0.2.1 (20 ms)")
    assert found.numbers == {"seconds": 0.02, "addresses": "2001:db8::1 192.0.2.1"}


def test_a_slow_name_is_told():
    found = judge_name([V4], 1.5)
    assert found.outcome == "warning"
    assert "1.50 s" in found.seen
    assert "DNS" in found.advice


@pytest.mark.parametrize(
    ("knocks", "outcome", "seen", "advice"),
    [
        ([OPEN], "ok", "192.0.2.1:554 open after 12 ms", ""),
        (
            [REFUSED, OPEN],
            "warning",
            f"[2001:db8::1]:554 {os.strerror(errno.ECONNREFUSED).lower()}; 192.0.2.1:554 open",
            "take it out of the DNS",
        ),
        ([Knock("192.0.2.1", 1.2, None)], "warning", "open after 1.20 s", "check the network"),
        ([REFUSED], "failed", "refused", "nothing listens there"),
        ([SILENT], "failed", "192.0.2.2:554 silent for 3 s", "firewall"),
        ([UNREACHABLE], "failed", os.strerror(errno.ENETUNREACH).lower(), "check the address"),
    ],
)
def test_knocks(knocks, outcome, seen, advice):
    found = judge_knocks(knocks, 554, 3.0)
    assert found.outcome == outcome
    assert seen in found.seen
    assert advice in found.advice
    assert bool(found.advice) == bool(advice)


def test_the_numbers_have_the_time_of_each_address_that_is_open():
    assert judge_knocks([REFUSED, OPEN], 554, 3.0).numbers == {
        "2001:db8::1": None,
        "192.0.2.1": 0.012,
    }


def test_the_error_of_closed_ports_keeps_every_cause():
    error = connect_error([REFUSED, SILENT, UNREACHABLE], 3.0)
    assert isinstance(error, ConnectError)
    assert error.causes == (REFUSED.error, SILENT.error, UNREACHABLE.error)


def test_the_error_of_silence_is_a_deadline():
    error = connect_error([SILENT, SILENT], 3.0)
    assert isinstance(error, DeadlineExceeded)
    assert error.phase == "connect"


# -- certificates


def shaken(error: OSError | None = None, certificate: bytes | None = DER) -> Handshake:
    return Handshake(0.02, "TLSv1.3", certificate, error)


def not_trusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def test_a_certificate_that_is_trusted():
    found = judge_handshake(shaken(), IN_2026)
    assert found.outcome == "ok"
    assert found.seen == "TLSv1.3, camera, signed by itself, 2020-01-01 to 2120-01-01"
    assert found.numbers["fingerprint"] == FINGERPRINT


def test_one_that_nobody_trusts_says_what_to_pin():
    found = judge_handshake(shaken(not_trusted()), IN_2026)
    assert found.outcome == "failed"
    assert "not trusted: self-signed certificate" in found.seen
    assert f'TLS(fingerprint="{FINGERPRINT}")' in found.advice


def test_the_one_that_was_pinned_is_right_whoever_signed_it():
    found = judge_handshake(shaken(not_trusted()), IN_2026, TLS(fingerprint=FINGERPRINT))
    assert found.outcome == "ok"
    assert "pinned" in found.seen


def test_another_than_the_one_that_was_pinned_fails():
    found = judge_handshake(shaken(), IN_2026, TLS(fingerprint="00" * 32))
    assert found.outcome == "failed"
    assert FINGERPRINT in found.advice


def test_verifying_nothing_is_told():
    found = judge_handshake(shaken(), IN_2026, TLS(insecure=True))
    assert found.outcome == "warning"
    assert "nothing was verified" in found.advice


def test_one_that_ends_soon_is_told():
    ends = 4_733_510_400.0  # 2120-01-01
    assert judge_handshake(shaken(), ends - 31 * 86_400).outcome == "ok"
    assert judge_handshake(shaken(), ends - 29 * 86_400).outcome == "warning"


def test_one_that_cannot_be_read_fails():
    found = judge_handshake(shaken(certificate=b"\0"), IN_2026)
    assert (found.outcome, "cannot be read" in found.seen) == ("failed", True)


def no_tls() -> ssl.SSLError:
    error = ssl.SSLError(1, "wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


def other_failure() -> ssl.SSLError:
    error = ssl.SSLError(1, "odd")
    error.reason = "ODD_ALERT"
    return error


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (no_tls(), "is no TLS"),
        (other_failure(), "ODD_ALERT"),
        (TimeoutError(), "no answer within 0.0 s"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "reset"),
    ],
)
def test_no_handshake(error, seen):
    found = judge_handshake(shaken(error, certificate=None), IN_2026)
    assert found.outcome == "failed"
    assert seen in found.seen
    assert "check the port" in found.advice


# -- the first answer


def test_an_answer():
    found = judge_answer("Maker 1.0", 0.012, frozenset({"PLAY", "OPTIONS"}))
    assert (found.outcome, found.seen) == ("ok", "Maker 1.0; DESCRIBE took 12 ms; OPTIONS, PLAY")


def test_an_answer_that_says_little():
    found = judge_answer(None, 0.012, None)
    assert found.seen == "a server without a name; DESCRIBE took 12 ms; it tells no methods"


def test_a_slow_answer_is_told():
    assert judge_answer(None, 2.0, None).outcome == "warning"


@pytest.mark.parametrize(
    ("error", "seen", "advice"),
    [
        (response_error("DESCRIBE", 404, "Not Found"), "Maker: DESCRIBE answered 404", ""),
        (RemoteProtocolError("no RTSP: 'HTTP/1.1'"), "HTTP/1.1", "does not speak RTSP"),
        (DeadlineExceeded("describe", 10.0), "nothing within 10 s", "nobody answers"),
        (ConnectionLost("closed"), "closed", "hangs up"),
        (ConnectError("no"), "no", ""),
    ],
)
def test_refusals(error, seen, advice):
    found = judge_refusal("Maker", error)
    assert found.outcome == "failed"
    assert seen in found.seen
    assert advice in found.advice
    assert bool(found.advice) == bool(advice)


def test_a_password_that_is_wanted_is_no_failure_of_rtsp():
    assert judge_refusal("Maker", Unauthorized("DESCRIBE", 401)).outcome == "ok"


@pytest.mark.parametrize(
    ("arguments", "options", "outcome", "seen"),
    [
        ((None, None), {}, "ok", "none asked for"),
        (("digest", "MD5"), {}, "ok", "digest, MD5"),
        (("basic", None), {}, "warning", "basic"),
        (("basic", None), {"encrypted": True}, "ok", "basic"),
        ((None, None), {"refused": True}, "failed", "user name and password are wanted"),
        (
            ("digest", "SHA-256"),
            {"refused": True},
            "failed",
            "the user name or the password is wrong (digest, SHA-256)",
        ),
    ],
)
def test_authentication(arguments, options, outcome, seen):
    found = judge_authentication(*arguments, **options)
    assert (found.outcome, found.seen) == (outcome, seen)
    assert bool(found.advice) == (outcome != "ok")
