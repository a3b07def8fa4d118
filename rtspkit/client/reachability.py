"""What a diagnosis says of the way to a server: its name, port, certificate, and first answer.

Layer:  client (plain functions of values: no clock, no I/O)
In:     addresses, knocks, a TLS handshake, what became of DESCRIBE
Out:    findings
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from rtspkit.client.finding import Finding, Number
from rtspkit.client.verdicts import milliseconds
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    RemoteProtocolError,
    ResponseError,
    RtspError,
    Unauthorized,
)
from rtspkit.net.knock import Handshake, Knock
from rtspkit.net.resolver import Address
from rtspkit.net.tls import handshake_failure
from rtspkit.options import TLS
from rtspkit.wire.certificate import Certificate, parse_certificate

__all__ = [
    "connect_error",
    "judge_answer",
    "judge_authentication",
    "judge_handshake",
    "judge_knocks",
    "judge_name",
    "judge_refusal",
]

SLOW = 1.0  # seconds: a name or an address that takes longer delays every connect
NAMELESS = "a server without a name"
SOON = 30 * 86_400.0  # seconds before a certificate ends that it is told


def judge_name(addresses: Sequence[Address], seconds: float) -> Finding:
    """What the host's name stands for."""
    hosts = list(dict.fromkeys(str(address[1][0]) for address in addresses))
    numbers: dict[str, Number] = {"seconds": seconds, "addresses": " ".join(hosts)}
    seen = f"{', '.join(hosts)} ({milliseconds(seconds)})"
    if seconds > SLOW:
        advice = "the DNS server is slow: use the address in the URL"
        return Finding("name", "warning", seen, advice, numbers)
    return Finding("name", "ok", seen, numbers=numbers)


def judge_knocks(knocks: Sequence[Knock], port: int, limit: float) -> Finding:
    """Which addresses take connections; each had ``limit`` seconds."""
    seen = "; ".join(_describe_knock(one, port, limit) for one in knocks)
    numbers: dict[str, Number] = {
        one.host: one.seconds if one.error is None else None for one in knocks
    }
    times = [one.seconds for one in knocks if one.error is None]
    if not times:
        if any(isinstance(one.error, ConnectionRefusedError) for one in knocks):
            advice = "nothing listens there: check the port, and that RTSP is switched on"
        else:
            advice = "check the address, the network, and a firewall in between"
        return Finding("connect", "failed", seen, advice, numbers)
    if len(times) < len(knocks):
        advice = "an address that does not answer delays connects: take it out of the DNS"
        return Finding("connect", "warning", seen, advice, numbers)
    if max(times) > SLOW:
        advice = "the way is slow, or loses packets: check the network"
        return Finding("connect", "warning", seen, advice, numbers)
    return Finding("connect", "ok", seen, numbers=numbers)


def connect_error(knocks: Sequence[Knock], limit: float) -> RtspError:
    """What is in the way when no address is open."""
    causes = tuple(one.error for one in knocks if one.error is not None)
    if all(isinstance(cause, TimeoutError) for cause in causes):
        return DeadlineExceeded("connect", limit)
    reasons = dict.fromkeys(_reason(cause) for cause in causes)
    return ConnectError(f"no address took the connection ({'; '.join(reasons)})", causes=causes)


def judge_handshake(
    shaken: Handshake, wall: float, tls: TLS | ssl.SSLContext | None = None
) -> Finding:
    """What a TLS handshake told.

    Args:
        shaken: What was met.
        wall: Now, in Unix seconds.
        tls: How the user wants it verified; only a fingerprint, or ``insecure``, is looked at.
    """
    numbers: dict[str, Number] = {"seconds": shaken.seconds, "version": shaken.version}
    if shaken.certificate is None:
        advice = "check the port: rtsps:// is usually 322, and rtsp:// has no TLS"
        return Finding("tls", "failed", f"no handshake: {_why(shaken)}", advice, numbers)
    try:
        certificate = parse_certificate(shaken.certificate)
    except RemoteProtocolError as error:
        seen = f"the certificate cannot be read: {error}"
        return Finding("tls", "failed", seen, "give the server another one", numbers)
    numbers |= {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "not_before": certificate.not_before,
        "not_after": certificate.not_after,
        "fingerprint": certificate.fingerprint,
    }
    seen = f"{shaken.version}, {_describe_certificate(certificate)}"
    return _judge_trust(seen, shaken, certificate, wall, tls, numbers)


def _judge_trust(
    seen: str,
    shaken: Handshake,
    certificate: Certificate,
    wall: float,
    tls: TLS | ssl.SSLContext | None,
    numbers: dict[str, Number],
) -> Finding:
    pin = f'TLS(fingerprint="{certificate.fingerprint}") (--fingerprint)'
    if isinstance(tls, TLS) and tls.insecure:
        advice = f"nothing was verified; set {pin} instead"
        return Finding("tls", "warning", seen, advice, numbers)
    if isinstance(tls, TLS) and tls.fingerprint is not None:
        if tls.fingerprint == certificate.fingerprint:
            return Finding("tls", "ok", f"{seen}; it is the one that was pinned", "", numbers)
        advice = f"if the camera was given a new one, set {pin}"
        return Finding("tls", "failed", f"{seen}; not the one pinned", advice, numbers)
    if shaken.error is not None:
        why = getattr(shaken.error, "verify_message", "") or str(shaken.error)
        advice = f"if it is the camera's own, set {pin}"
        return Finding("tls", "failed", f"{seen}; not trusted: {why}", advice, numbers)
    if certificate.not_after - wall < SOON:
        return Finding("tls", "warning", seen, "renew the certificate soon", numbers)
    return Finding("tls", "ok", seen, numbers=numbers)


def _why(shaken: Handshake) -> str:
    """Why there was no handshake."""
    if isinstance(shaken.error, ssl.SSLError):
        failure = handshake_failure(shaken.error, "")
        return str(failure) if isinstance(failure, ConnectError) else str(shaken.error.reason)
    return str(shaken.error or "") or f"no answer within {shaken.seconds:.1f} s"


def _describe_certificate(certificate: Certificate) -> str:
    issuer = "itself" if certificate.self_issued else certificate.issuer or "nobody named"
    dates = [
        datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d")
        for wall in (certificate.not_before, certificate.not_after)
    ]
    return f"{certificate.subject or 'without a name'}, signed by {issuer}, {' to '.join(dates)}"


def _describe_knock(one: Knock, port: int, limit: float) -> str:
    host = f"[{one.host}]" if ":" in one.host else one.host
    if one.error is None:
        return f"{host}:{port} open after {milliseconds(one.seconds)}"
    if isinstance(one.error, TimeoutError) and not one.error.strerror:
        return f"{host}:{port} silent for {limit:g} s"
    return f"{host}:{port} {_reason(one.error)}"


def _reason(error: OSError) -> str:
    """The system's words: those of the loops hold an address, and differ."""
    words = os.strerror(error.errno) if error.errno else error.strerror or str(error)
    return words.lower()


def judge_answer(server: str | None, seconds: float, methods: frozenset[str] | None) -> Finding:
    """The server has described what it has, after so many seconds."""
    names = sorted(methods or ())
    numbers: dict[str, Number] = {"server": server, "seconds": seconds, "methods": " ".join(names)}
    told = ", ".join(names) or "it tells no methods"
    seen = f"{server or NAMELESS}; DESCRIBE took {milliseconds(seconds)}; {told}"
    if seconds > SLOW:
        advice = "the camera is slow to answer: give it more time with --timeout"
        return Finding("rtsp", "warning", seen, advice, numbers)
    return Finding("rtsp", "ok", seen, numbers=numbers)


def judge_refusal(server: str | None, error: RtspError) -> Finding:
    """There is no description."""
    if isinstance(error, Unauthorized):  # which is told by ``judge_authentication``
        return Finding("rtsp", "ok", server or NAMELESS, numbers={"server": server})
    if isinstance(error, ResponseError):
        numbers: dict[str, Number] = {"server": server, "status_code": error.status_code}
        return Finding("rtsp", "failed", f"{server or NAMELESS}: {error}", "", numbers)
    advice = ""
    if isinstance(error, RemoteProtocolError):
        advice = "check the port: this does not speak RTSP"
    elif isinstance(error, DeadlineExceeded):
        advice = "the port is open and nobody answers: restart the camera, or check the port"
    elif isinstance(error, ConnectionLost):
        advice = "the server hangs up: it has too many viewers, or does not speak RTSP"
    return Finding("rtsp", "failed", str(error), advice)


def judge_authentication(
    scheme: str | None, algorithm: str | None, *, refused: bool = False, encrypted: bool = False
) -> Finding:
    """What the server wants to be shown.

    Args:
        scheme: Of its challenge: ``"digest"``; None while we had nothing to answer it with.
        algorithm: Of Digest.
        refused: Whether the last answer was 401.
        encrypted: Whether the connection is TLS.
    """
    numbers: dict[str, Number] = {"scheme": scheme, "algorithm": algorithm}
    name = f"{scheme}, {algorithm}" if algorithm else scheme
    if refused and scheme is None:
        seen = "user name and password are wanted"
        advice = "give them with --user and --password, or in the URL"
        return Finding("authentication", "failed", seen, advice, numbers)
    if refused:
        seen = f"the user name or the password is wrong ({name})"
        advice = "correct it before you try again: cameras lock accounts"
        return Finding("authentication", "failed", seen, advice, numbers)
    if scheme == "basic" and not encrypted:
        advice = "the password goes over the network in the clear: switch Digest on"
        return Finding("authentication", "warning", "basic", advice, numbers)
    return Finding("authentication", "ok", name or "none asked for", numbers=numbers)
