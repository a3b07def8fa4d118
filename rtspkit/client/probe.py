"""``probe()``: what a server has and can do, without playing anything.

Layer:  client
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rtspkit.client.connector import Connector
from rtspkit.client.driver import Driver
from rtspkit.client.options import DEFAULT_USER_AGENT, KINDS, ConnectOptions, build_options
from rtspkit.client.sink import NoSink
from rtspkit.engine.handshake import Presentation, describe
from rtspkit.errors import (
    ConnectionLost,
    DeadlineExceeded,
    ResponseError,
    RtspError,
    UnsupportedPayload,
    UnsupportedTransport,
)
from rtspkit.options import TLS, Limits, Timeouts
from rtspkit.payload.nal_units import NalUnitDepacketizer
from rtspkit.payload.parameter_sets import VideoParameters
from rtspkit.payload.registry import depacketizer
from rtspkit.wire.sdp import SessionDescription
from rtspkit.wire.stream import Stream

__all__ = ["Probe", "probe"]


@dataclass(slots=True)
class Probe:
    """What ``probe()`` found.

    Attributes:
        url: What was asked, without the password.
        server: The server's name for itself, or None.
        methods: What it advertises, sorted; empty when it does not.
        authentication: ``"basic"``, ``"digest"``, or None when it asked for nothing.
        algorithm: The Digest algorithm, or None.
        streams: Every stream of the presentation.
        video: By the index of a video stream, what its parameter sets tell.
        transports: ``"udp"`` and ``"tcp"``, each with whether SETUP was accepted; None when the
            answer was about something else, or none came in time.
        session_timeout: Seconds, as SETUP told; None when no SETUP succeeded.
        quirks: What the server does wrong.
        description: The SDP.
    """

    url: str
    server: str | None
    methods: tuple[str, ...]
    authentication: str | None
    algorithm: str | None
    streams: tuple[Stream, ...]
    video: dict[int, VideoParameters]
    description: SessionDescription
    transports: dict[str, bool | None] = field(default_factory=lambda: dict.fromkeys(KINDS))
    session_timeout: float | None = None
    quirks: tuple[str, ...] = ()


async def probe(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    user_agent: str = DEFAULT_USER_AGENT,
) -> Probe:
    """Ask a server what it has: OPTIONS, DESCRIBE, and a SETUP for each transport.

    Nothing is played, nothing is tried again, and every session is torn down.

    Args:
        url: As for ``connect()``, and so are the others.
        username: Instead of the one in the URL.
        password: Instead of the one in the URL.
        timeouts: ``connect`` is the deadline of the whole.
        limits: Bounds on what the peer can make us hold.
        tls: How the server of ``rtsps://`` is verified.
        headers: Sent with every request.
        user_agent: Some devices refuse requests without one.

    Raises:
        LocalProtocolError: The URL or an option cannot be used.
        RtspError: The description could not be had, within ``timeouts.connect`` seconds.
    """
    options = build_options(
        url,
        username,
        password,
        "auto",
        headers,
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        tls=tls,
        user_agent=user_agent,
        retry=None,
        play=False,
    )
    seconds = options.timeouts.connect
    asking = _Asking(options)
    try:
        async with asyncio.timeout(seconds):
            return await asking.run()
    except TimeoutError as error:
        if isinstance(error, RtspError):
            raise
        if asking.found is not None:
            return asking.found
        raise DeadlineExceeded(
            asking.phase,
            seconds,
            message=f"{asking.phase}: probe() was not done within {seconds:g} s",
        ) from None


class _Asking:
    """One ``probe()`` on its way."""

    def __init__(self, options: ConnectOptions) -> None:
        self._options = options
        self._driver: Driver | None = None
        self.found: Probe | None = None  # as soon as there is something to tell

    @property
    def phase(self) -> str:
        return self._driver.phase if self._driver is not None else "connect"

    async def run(self) -> Probe:
        """Describe on one connection, then SETUP on one for each transport."""
        found = self.found = await self._describe()
        for kind in KINDS:
            found.transports[kind] = await self._set_up(kind, found)
        return found

    async def _describe(self) -> Probe:
        options = self._options
        driver = self._driver = Driver(options, NoSink())
        try:
            await driver.open()
            uri = options.url.request_uri
            presentation: Presentation = await driver.run(
                describe(uri, driver.note, options.limits)
            )
            await self._options_of(driver, uri)
            await driver.leave()
            return self._report(driver, presentation)
        finally:
            driver.hang_up()

    async def _options_of(self, driver: Driver, uri: str) -> None:
        try:
            await driver.ask("OPTIONS", uri)
        except (ResponseError, ConnectionLost, DeadlineExceeded):
            driver.note("options-refused", "")

    def _report(self, driver: Driver, presentation: Presentation) -> Probe:
        machine = driver.machine
        video = {}
        for stream in presentation.streams:
            parameters = _read_parameters(stream)
            if parameters is not None:
                video[stream.index] = parameters
        return Probe(
            url=str(self._options.url),
            server=machine.server,
            methods=tuple(sorted(machine.methods or ())),
            authentication=machine.authenticator.scheme,
            algorithm=machine.authenticator.algorithm,
            streams=presentation.streams,
            video=video,
            description=presentation.description,
            quirks=tuple(sorted(machine.quirks.counts)),
        )

    async def _set_up(self, kind: str, found: Probe) -> bool | None:
        """Whether SETUP over one transport is accepted; None when it failed otherwise."""
        options = replace(self._options, kinds=(kind,))
        try:
            session = await Connector(options, remember=False)
        except UnsupportedTransport:
            return False
        except RtspError:
            return None
        try:
            found.session_timeout = session.session_timeout
            return True
        finally:
            await session.aclose()


def _read_parameters(stream: Stream) -> VideoParameters | None:
    """Fill in the parameter sets of the description; what they say of the picture."""
    try:
        maker = depacketizer(stream.encoding_name, stream.clock_rate, stream.fmtp, stream.channels)
    except UnsupportedPayload:
        return None
    stream.parameter_sets = maker.parameter_sets
    return maker.parameters if isinstance(maker, NalUnitDepacketizer) else None
