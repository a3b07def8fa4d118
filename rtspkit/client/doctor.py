"""``diagnose()``: what works with a server, what does not, and what to set; step by step.

Layer:  client
Rules
- Nothing is tried again, no session is left behind, and each step has a deadline.
- A password that is refused ends it: more knocking locks accounts.
- A step that fails ends the diagnosis where the next one needs it; the rest is ``skipped``.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable

from rtspkit.client.attempt import take_leave
from rtspkit.client.driver import Driver
from rtspkit.client.finding import NOT_REACHED, Diagnosis, Finding
from rtspkit.client.heard import Heard
from rtspkit.client.listening import listen
from rtspkit.client.options import DEFAULT_USER_AGENT, KINDS, ConnectOptions, build_options
from rtspkit.client.reachability import (
    connect_error,
    judge_answer,
    judge_authentication,
    judge_handshake,
    judge_knocks,
    judge_name,
    judge_refusal,
)
from rtspkit.client.sink import NoSink
from rtspkit.client.verdicts import (
    judge_clock,
    judge_keep_alive,
    judge_keyframes,
    judge_loss,
    judge_nat,
    judge_quirks,
    judge_streams,
    judge_transport,
)
from rtspkit.engine.handshake import Presentation, describe
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    LocalProtocolError,
    NotFound,
    ResponseError,
    RtspError,
    Unauthorized,
)
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.knock import knock, shake_hands
from rtspkit.net.resolver import Address, resolve
from rtspkit.net.tls import tls_context
from rtspkit.options import TLS, Limits, Timeouts
from rtspkit.payload.registry import supported

__all__ = ["STEPS", "diagnose"]

STEPS = (
    *("name", "connect", "tls", "rtsp", "authentication", "streams", "udp", "nat", "tcp"),
    *("keep-alive", "clock", "loss", "keyframes", "quirks"),
)
KNOCK_SECONDS = 3.0  # that one address has
MOST_ADDRESSES = 8
OPTIONS_SECONDS = 3.0  # that their answer may take


async def diagnose(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    user_agent: str = DEFAULT_USER_AGENT,
    seconds: float = 5.0,
    on_step: Callable[[str], None] = lambda step: None,
    on_finding: Callable[[Finding], None] = lambda finding: None,
    wall: Callable[[], float] = time.time,
) -> Diagnosis:
    """Look at a server from the name in the URL to the media, over each transport.

    Args:
        url: As for ``connect()``, and so are the others.
        username: Instead of the one in the URL.
        password: Instead of the one in the URL.
        timeouts: ``connect`` is the deadline of each step.
        limits: Bounds on what the peer can make us hold.
        tls: How the server of an ``rtsps://`` URL is verified.
        user_agent: Some devices refuse requests without one.
        seconds: To listen, over each transport.
        on_step: Called with the name of a step that begins.
        on_finding: Called with each finding, as soon as it is there.
        wall: Gives wall-clock seconds.

    Returns:
        The findings; what fails is among them, and nothing of it is raised.

    Raises:
        LocalProtocolError: The URL or an option cannot be used.
    """
    options = build_options(
        url,
        username,
        password,
        "auto",
        None,
        timeouts=timeouts or Timeouts(),
        limits=limits or Limits(),
        tls=tls,
        user_agent=user_agent,
        retry=None,
    )
    doctor = _Doctor(options, seconds, on_step, on_finding, wall)
    await doctor.run()
    return doctor.diagnosis


class _Doctor:
    """One diagnosis on its way."""

    def __init__(
        self,
        options: ConnectOptions,
        seconds: float,
        on_step: Callable[[str], None],
        on_finding: Callable[[Finding], None],
        wall: Callable[[], float],
    ) -> None:
        self.diagnosis = Diagnosis(str(options.url))
        self._options = options
        self._seconds = seconds
        self._on_step = on_step
        self._on_finding = on_finding
        self._wall = wall
        self._now = monotonic_clock(asyncio.get_running_loop())
        self._quirks: dict[str, int] = {}

    async def run(self) -> None:
        began = self._now()
        try:
            addresses = await self._name()
            reached = await self._connect(addresses)
            if self._options.url.scheme == "rtsps":
                await self._tls(reached)
            await self._describe()
            await self._media()
        except RtspError as error:
            self.diagnosis.error = error
        done = {finding.step for finding in self.diagnosis.findings}
        for step in STEPS:
            if step not in done and (step != "tls" or self._options.url.scheme == "rtsps"):
                self._found(Finding(step, "skipped", NOT_REACHED))
        self.diagnosis.findings.sort(key=lambda finding: STEPS.index(finding.step))
        self.diagnosis.seconds = self._now() - began

    def _found(self, finding: Finding) -> None:
        self.diagnosis.findings.append(finding)
        self._on_finding(finding)

    # -- the network --------------------------------------------------------------------------

    async def _name(self) -> list[Address]:
        self._on_step("name")
        url, began = self._options.url, self._now()
        try:
            async with asyncio.timeout(self._options.timeouts.connect):
                found = await resolve(url.host, url.port)
        except TimeoutError as error:
            late = error if isinstance(error, RtspError) else self._late("resolve")
            self._found(Finding("name", "failed", str(late), "check the DNS server"))
            raise late from None
        except ConnectError as error:
            self._found(Finding("name", "failed", str(error), "check the host name in the URL"))
            raise
        self._found(judge_name(found, self._now() - began))
        return found

    def _late(self, phase: str) -> DeadlineExceeded:
        return DeadlineExceeded(phase, self._options.timeouts.connect)

    async def _connect(self, addresses: list[Address]) -> Address:
        """Knock at each address; gives the first that opens."""
        self._on_step("connect")
        limit = min(KNOCK_SECONDS, self._options.timeouts.connect)
        addresses = addresses[:MOST_ADDRESSES]
        knocks = [await knock(address, timeout=limit) for address in addresses]
        self._found(judge_knocks(knocks, self._options.url.port, limit))
        for address, one in zip(addresses, knocks, strict=True):
            if one.error is None:
                return address
        raise connect_error(knocks, limit)

    async def _tls(self, address: Address) -> None:
        self._on_step("tls")
        options = self._options
        try:
            context = await tls_context(options.tls)
        except LocalProtocolError as error:
            self._found(Finding("tls", "failed", str(error)))
            raise
        seconds = options.timeouts.connect
        shaken = await shake_hands(address, options.url.host, context, timeout=seconds)
        finding = judge_handshake(shaken, self._wall(), options.tls)
        self._found(finding)
        if finding.outcome == "failed":
            causes = (shaken.error,) if shaken.error is not None else ()
            raise ConnectError(finding.seen, causes=causes, phase="tls", retryable=False)

    # -- the control connection ---------------------------------------------------------------

    async def _describe(self) -> None:
        """DESCRIBE, and with it the password; then OPTIONS."""
        self._on_step("rtsp")
        options = self._options
        driver = Driver(options, NoSink())
        began, limit = self._now(), options.timeouts.connect
        try:
            async with asyncio.timeout(limit):
                await driver.open("none")
                uri = options.url.request_uri
                dialogue = describe(uri, driver.note, options.limits)
                presentation: Presentation = await driver.run(dialogue)
            seconds = self._now() - began
            await _ask_options(driver, uri)
            await take_leave(driver, options.timeouts.teardown)
        except TimeoutError as error:
            late = error if isinstance(error, RtspError) else self._late(driver.phase)
            self._refused(driver, late)
            raise late from None
        except RtspError as error:
            self._refused(driver, error)
            raise
        finally:
            driver.hang_up()
        self._found(judge_answer(driver.machine.server, seconds, driver.machine.methods))
        self._found(self._authentication(driver))
        self._found(judge_streams(presentation.streams, supported()))
        self._quirks |= driver.machine.quirks.counts

    def _refused(self, driver: Driver, error: RtspError) -> None:
        """Why there is no description."""
        self._found(judge_refusal(driver.machine.server, error))
        if isinstance(error, Unauthorized | NotFound):
            self._found(self._authentication(driver, error))

    def _authentication(self, driver: Driver, error: RtspError | None = None) -> Finding:
        authenticator = driver.machine.authenticator
        return judge_authentication(
            authenticator.scheme,
            authenticator.algorithm,
            refused=isinstance(error, Unauthorized),
            encrypted=self._options.url.scheme == "rtsps",
        )

    # -- the media ----------------------------------------------------------------------------

    async def _media(self) -> None:
        """Listen over each transport, then say what it means."""
        heard: dict[str, Heard] = {}
        kept = False
        for kind in KINDS:
            if kind not in self._options.kinds:
                seen = f"{self._options.url.scheme}:// leaves it out"
                self._found(Finding(kind, "skipped", seen))
                if kind == "udp":
                    self._found(Finding("nat", "skipped", seen))
                continue
            self._on_step(kind)
            one = heard[kind] = await listen(
                self._options, kind, self._seconds, keep_alive=not kept, wall=self._wall
            )
            kept = kept or one.kept_alive is not None
            for name, count in one.quirks.items():
                self._quirks[name] = self._quirks.get(name, 0) + count
        udp, tcp = heard.get("udp"), heard.get("tcp")
        if udp is not None:
            self._found(judge_transport(udp, tcp))
            self._found(judge_nat(udp, tcp))
        if tcp is not None:
            self._found(judge_transport(tcp, udp))
        works = [one for one in heard.values() if one.works]
        self.diagnosis.transports = tuple(one.kind for one in works)
        if works:
            best = works[0]
            tried = next((one for one in works if one.kept_alive is not None), best)
            for finding in (
                judge_keep_alive(tried),
                judge_clock(best),
                judge_loss(best),
                judge_keyframes(best),
            ):
                self._found(finding)
        self._found(judge_quirks(self._quirks))
        if not works:
            self.diagnosis.error = next(
                (h.error for h in reversed(heard.values()) if h.error), None
            )


async def _ask_options(driver: Driver, uri: str) -> None:
    try:
        await driver.requests.ask("OPTIONS", uri, timeout=OPTIONS_SECONDS)
    except (ResponseError, ConnectionLost, DeadlineExceeded):
        driver.note("options-refused", "")
