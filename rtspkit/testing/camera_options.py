"""What a camera is told when it is made: values, checked once.

Layer:  testing
In/Out: values only; all of them may be changed while the camera runs

A change holds from the next request, session or packet on; one of ``tracks``, ``port`` or ``tls``
from the next ``start``.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from rtspkit.payload.base import DEFAULT_MAX_PACKET_SIZE
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.presentation import Track
from rtspkit.testing.responder import METHODS
from rtspkit.wire.message import Request, Response
from rtspkit.wire.rtcp import SenderReport

__all__ = ["CameraOptions"]

TRANSPORTS = ("udp", "tcp")
KEEPALIVES = ("request", "rtcp")


@dataclass(kw_only=True, eq=False, repr=False)
class CameraOptions:
    """The options of a ``Camera``. Times are in seconds.

    Attributes:
        tracks: Encoding names of the clip's tracks, or ``Track`` objects of your own.
        path: Path (and query) of the presentation's URL.
        host: Numeric address to listen at; None for 127.0.0.1, and ::1 where it exists.
        port: Port to listen at; 0 for a free one, kept when the camera is started again.
        tls: A server's context with its certificate, for ``rtsps://``; None for no TLS.
        transports: Those that SETUP takes, of ``"udp"`` and ``"tcp"``.
        authentication: What is demanded; None for nothing.
        username: With ``password``, short for an ``Authentication`` with them: Digest.
        password: See ``username``.
        session_timeout: Silence after which a session is dropped; None for never.
        advertised_timeout: What the Session header says; None for ``session_timeout``.
        keepalive: Signs of life that count, of ``"request"`` and ``"rtcp"``.
        close_on_expiry: Whether the connection is closed with a session that is dropped.
        max_sessions: Sessions at once; SETUP of one more is answered 453.
        duration: Length of the presentation; None for a live one, without an end.
        packets: RTP packets per track and session, after which it ends; None for no bound.
        speed: Pace of sending: 1 is real time, ``math.inf`` as fast as it goes.
        report_interval: Between sender reports; None for none.
        report_delay: Before the first one.
        wall_shift: Added to the wall-clock time that sender reports tell.
        max_packet_size: Bytes of one RTP packet.
        sequence_number: Of the first packet of each track; None for one by chance.
        timestamp: RTP time of the start of each track; None for one by chance.
        server: The Server header; empty for none.
        methods: What OPTIONS lists; others are answered 405 or 501.
        features: What a Require header may name.
        user_agent_required: Whether a request without User-Agent is answered 400.
        swap_channels: Whether SETUP gives other channels than those asked for.
        quirks: Names out of ``quirks.QUIRKS``.
        seed: Of everything that is by chance: ids, nonces, SSRCs, first numbers.
        on_request: Called with each request; may answer in the camera's place.
        on_packet: Called with the track's place and an RTP packet; gives what is sent instead.
        on_report: Called with the track's place and a sender report; gives what is sent instead.
    """

    tracks: Sequence[str | Track] = ("H264", "MPEG4-GENERIC")
    path: str = "/stream"
    host: str | None = None
    port: int = 0
    tls: ssl.SSLContext | None = None
    transports: Collection[str] = TRANSPORTS
    authentication: Authentication | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    session_timeout: float | None = 60.0
    advertised_timeout: float | None = None
    keepalive: Collection[str] = ("request",)
    close_on_expiry: bool = False
    max_sessions: int | None = None
    duration: float | None = None
    packets: int | None = None
    speed: float = 1.0
    report_interval: float | None = 1.0
    report_delay: float = 0.0
    wall_shift: float = 0.0
    max_packet_size: int = DEFAULT_MAX_PACKET_SIZE
    sequence_number: int | None = None
    timestamp: int | None = None
    server: str = "rtspkit camera"
    methods: Collection[str] = METHODS
    features: Collection[str] = ()
    user_agent_required: bool = False
    swap_channels: bool = False
    quirks: Collection[str] = ()
    seed: int = 0
    on_request: Callable[[Request], Response | Awaitable[Response | None] | None] | None = None
    on_packet: Callable[[int, bytes], Iterable[bytes]] | None = None
    on_report: Callable[[int, SenderReport], SenderReport | None] | None = None

    def __post_init__(self) -> None:
        for name, known in (("transports", TRANSPORTS), ("keepalive", KEEPALIVES)):
            given = getattr(self, name)
            if isinstance(given, str) or not set(given) <= set(known):
                raise ValueError(f"Camera.{name} takes some of {known}, not {given!r}")
        if not self.path.startswith("/"):
            raise ValueError("Camera.path begins with a slash")
        for name in ("session_timeout", "duration", "packets", "speed", "report_interval"):
            number = getattr(self, name)
            if number is not None and not number > 0:
                raise ValueError(f"Camera.{name} must be greater than 0, not {number!r}")
        if self.tls is not None and not isinstance(self.tls, ssl.SSLContext):
            raise TypeError(f"Camera.tls is an ssl.SSLContext, not {self.tls!r}")
        if not self.tracks:
            raise ValueError("Camera.tracks needs at least one track")
        if self.username is not None:
            if self.authentication is not None:
                raise ValueError("Camera.username goes without Camera.authentication")
            self.authentication = Authentication(
                username=self.username, password=self.password or ""
            )
