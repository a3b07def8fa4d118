"""What a user may set, as plain values: ``Timeouts``, ``Limits``, ``Retry``, ``Racing``, ``TLS``.

Layer:  below ``wire``, beside ``errors``: every layer is bounded by these numbers
In/Out: nothing; values only, checked once when they are made

Every await has a deadline and every buffer a bound; each has its name, unit and default
here, and the error that reports it prints that name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

__all__ = ["TLS", "Limits", "Racing", "RacingMode", "Retry", "Strategy", "Timeouts"]

Strategy = Literal[
    "none", "immediate", "linear", "exponential", "exponential-jitter", "auto", "adaptive"
]
RacingMode = Literal["auto", "none", "first-wins", "last-wins", "hybrid"]


def _check(value: object, *, whole: bool, leave: tuple[str, ...] = ()) -> None:
    """Refuse what is no positive number, by name. ``value`` is one of the classes below."""
    for field in fields(value):  # type: ignore[arg-type]
        if field.name in leave:
            continue
        number = getattr(value, field.name)
        kind = type(value).__name__
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"{kind}.{field.name} must be a number, not {number!r}")
        if whole and field.type == "int" and not isinstance(number, int):
            raise TypeError(f"{kind}.{field.name} must be a whole number, not {number!r}")
        if not number > 0 or not math.isfinite(number):
            raise ValueError(f"{kind}.{field.name} must be finite and over 0, not {number!r}")


def _check_choice(value: object, name: str, known: tuple[str, ...]) -> None:
    """Refuse what is none of the names."""
    chosen = getattr(value, name)
    if chosen not in known:
        kind = type(value).__name__
        raise ValueError(f"{kind}.{name} is one of {', '.join(known)}, not {chosen!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines, in seconds.

    Attributes:
        connect: The whole of ``connect()``: resolving, connecting, every request, every fallback.
        response: One response of the server.
        first_packet: Silence after PLAY over UDP before the next transport is tried.
        first_packet_tcp: Silence after PLAY over TCP, and over UDP when nothing is left to try.
        media_silence: Silence of a session that was playing before it counts as lost.
        bye_grace: How long an RTCP BYE is only a hint: media in this time takes it back.
        write: How long the peer may refuse to take what we send.
        teardown: All of the leave-taking: TEARDOWN, its response, closing.
    """

    connect: float = 10.0
    response: float = 10.0
    first_packet: float = 1.5
    first_packet_tcp: float = 10.0
    media_silence: float = 10.0
    bye_grace: float = 2.0
    write: float = 10.0
    teardown: float = 2.0

    def __post_init__(self) -> None:
        _check(self, whole=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what a peer can make us hold. Sizes in bytes, ages in seconds.

    Attributes:
        header_lines: Header lines of one RTSP message.
        header_name: Length of one header's name.
        header_value: Length of one header's value, after joining its folded lines.
        message: One RTSP message without its body.
        body: Body of one RTSP message.
        garbage: Bytes that may be skipped while looking for the next frame or message.
        garbage_time: Seconds that this may take.
        sdp_media: Media of one description.
        sdp_attributes: Attributes of one media.
        sdp_line: Length of one line of a description.
        video_access_unit: Size of one video access unit.
        audio_access_unit: Size of one audio access unit.
        nal_units: NAL units in one access unit.
        access_unit_age: Seconds that an access unit may stay unfinished.
        reorder_packets: Packets that wait for an earlier one.
        queue_packets: Packets that one iterator may have waiting.
        slab_memory: Bytes that all sessions of an event loop receive into; the largest number that
            one of them asked for holds. Past it, packets are copied close together, then dropped.
        events: Events that one ``events()`` iterator may have waiting.
        output: Bytes that may wait to be sent on the control connection.
        authentication_attempts: Tries after one challenge; one more for a stale or new nonce.
        server_requests: Requests of the server answered in one second.
    """

    header_lines: int = 128
    header_name: int = 256
    header_value: int = 8_192
    message: int = 256 * 1024
    body: int = 128 * 1024
    garbage: int = 64 * 1024
    garbage_time: float = 2.0
    sdp_media: int = 64
    sdp_attributes: int = 256
    sdp_line: int = 16 * 1024
    video_access_unit: int = 4 * 1024 * 1024
    audio_access_unit: int = 64 * 1024
    nal_units: int = 512
    access_unit_age: float = 2.0
    reorder_packets: int = 128
    queue_packets: int = 8_192
    slab_memory: int = 64 * 1024 * 1024
    events: int = 1_024
    output: int = 256 * 1024
    authentication_attempts: int = 1
    server_requests: int = 20

    def __post_init__(self) -> None:
        _check(self, whole=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When to try again, for the first connect and after a loss. Delays in seconds.

    Attributes:
        strategy: ``"auto"`` judges from how attempts and sessions fare, ``"adaptive"`` learns what
            works with each server; the others are fixed: ``"immediate"``, ``"linear"`` (two seconds
            more each time), ``"exponential"`` (twice as much each time), ``"exponential-jitter"``
            (the same, times 0.75 to 1.25), ``"none"``.
        max_attempts: Attempts of the first connect, all within ``timeouts.connect``; a session
            that has played is tried for without end.
        initial_delay: Before the second attempt. A session that was playing is tried for at once.
        maximum_delay: What delays grow to.
        reset_after: Seconds of good media after which delays begin from the start.
        after_goodbye: Whether a live stream that the server has ended (RTCP BYE) is asked for
            again; else that is its end.
    """

    strategy: Strategy = "auto"
    max_attempts: int = 5
    initial_delay: float = 1.0
    maximum_delay: float = 30.0
    reset_after: float = 10.0
    after_goodbye: bool = False

    def __post_init__(self) -> None:
        _check_choice(self, "strategy", get_args(Strategy))
        _check(self, whole=True, leave=("strategy", "after_goodbye"))
        if self.initial_delay > self.maximum_delay:
            raise ValueError(
                f"Retry.initial_delay ({self.initial_delay:g} s) is over maximum_delay "
                f"({self.maximum_delay:g} s)"
            )


@dataclass(frozen=True, slots=True)
class Racing:
    """How many connections are tried side by side; only one of them is ever set up. Seconds.

    Attributes:
        mode: ``"first-wins"`` takes the first connection that stands, ``"last-wins"`` the newest
            one that answers OPTIONS, ``"hybrid"`` the first when it comes before a second one was
            begun, and else as ``"last-wins"``; ``"none"`` tries one address after the other.
            ``"auto"`` leaves it to the retry strategy, which begins with ``"first-wins"``.
        max_connections: At most so many at a time.
        delay: Between the beginnings of two.
        timeout: Of all of them together.
    """

    mode: RacingMode = "auto"
    max_connections: int = 3
    delay: float = 0.25
    timeout: float = 5.0

    def __post_init__(self) -> None:
        _check_choice(self, "mode", get_args(RacingMode))
        _check(self, whole=True, leave=("mode",))


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """How the server of an ``rtsps://`` URL is verified: by the system's authorities, unless told.

    Attributes:
        ca: File of certificates (PEM) that are trusted instead.
        fingerprint: SHA-256 of the server's certificate, in hexadecimal, with or without colons:
            this certificate and no other is right, whoever signed it.
        server_name: Name that the certificate is for; None for the URL's host.
        insecure: Whether any certificate will do: whoever stands between reads everything.
    """

    ca: str | None = None
    fingerprint: str | None = None
    server_name: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.insecure and (self.ca is not None or self.fingerprint is not None):
            raise ValueError("TLS.insecure verifies nothing: leave out ca and fingerprint")
        if self.fingerprint is not None:
            digits = self.fingerprint.replace(":", "").lower()
            if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
                raise ValueError("TLS.fingerprint is the SHA-256 of a certificate: 64 hex digits")
            object.__setattr__(self, "fingerprint", digits)
