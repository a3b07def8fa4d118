"""``connect()``: one budget, every fallback inside it, and a session or an error at its end.

Layer:  client
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from typing import Any

from rtspkit.client.fanout import Fanout
from rtspkit.client.options import (
    DEFAULT_USER_AGENT,
    Backpressure,
    ConnectOptions,
    Nat,
    ReceiverName,
    TransportName,
    build_options,
)
from rtspkit.client.pool import ConnectionPool
from rtspkit.client.retry_memory import learns
from rtspkit.client.session import Session
from rtspkit.client.sharing import join
from rtspkit.client.transport_memory import remembered_transports
from rtspkit.engine.selection import Selection
from rtspkit.net.clock import wall_clock
from rtspkit.options import TLS, Limits, Racing, Retry, Timeouts

__all__ = ["Connector", "connect"]

DEFAULT_RETRY = Retry()
DEFAULT_RACING = Racing()


class Connector:
    """What ``connect()`` gives: await it, or enter it with ``async with``.

    Attributes:
        on_session: Set it before, to be called with the session when its first attempt begins:
            ``session.events()`` tells of that one, too, and of a connect that fails.
    """

    def __init__(self, options: ConnectOptions, *, remember: bool) -> None:
        self._options = options
        self._remember = remember and options.remember  # the transport
        self._session: Session | None = None
        self.on_session: Callable[[Session], None] | None = None

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.aclose()

    async def _open(self) -> Session:
        options = self._options
        if options.pool is not None:
            options.pool.check()
        if options.share:
            return await join(options, self._establish)
        return await self._establish(options)

    async def _establish(self, options: ConnectOptions, fanout: Fanout | None = None) -> Session:
        server = (options.url.host, options.url.port)
        if self._remember or (options.remember and learns(options)):
            await remembered_transports.store.load()
        if self._remember:
            kinds = remembered_transports.order(server, options.kinds, wall_clock())
            options = replace(options, kinds=kinds)
        session = Session(options, fanout=fanout)
        if self.on_session is not None:
            self.on_session(session)
        await session._connect()
        if self._remember and options.play and not session._supervisor.attempts.no_ports:
            remembered_transports.remember(server, session.transport, wall_clock())
        return session


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    transport: TransportName | Iterable[TransportName] = "auto",
    streams: Selection = None,
    require_all: bool | None = None,
    timeouts: Timeouts | None = None,
    retry: Retry | None = DEFAULT_RETRY,
    racing: Racing = DEFAULT_RACING,
    limits: Limits | None = None,
    tls: TLS | ssl.SSLContext | None = None,
    reorder: float = 0.1,
    backpressure: Backpressure = "drop_oldest",
    receiver: ReceiverName = "auto",
    coalesce: float = 0.0,
    nat: Nat = "punch",
    remember: bool = True,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    user_agent: str = DEFAULT_USER_AGENT,
    client_ports: tuple[int, int] | None = None,
    play: bool = True,
    pool: ConnectionPool | None = None,
    share: bool = False,
) -> Connector:
    """Connect to a camera or server, set its streams up and begin to play.

    The session survives: when it is lost, it is asked for again until it is back, and its iterators
    go on, with ``discontinuity`` set where they do. What is for good ends it: a wrong password, a
    path that is not there.

    Use it with ``async with``, which closes the session, or ``await`` it and call ``aclose()``
    yourself: one that is forgotten is torn down when it is garbage, with a warning.

    Args:
        url: ``rtsp://user:password@host:554/path``. ``rtspt://`` means TCP, ``rtspu://`` UDP,
            ``rtsps://`` TLS, and the media over it.
        username: Instead of the one in the URL.
        password: Instead of the one in the URL.
        transport: ``"auto"`` is UDP, then TCP when UDP is refused or silent; what worked comes
            first the next time (``remember``). Or ``"udp"``, ``"tcp"``, or a sequence in order,
            which goes before what the scheme of the URL means.
        streams: Which streams to set up: a media (``"video"``), an encoding name (``"H264"``), an
            index, several of them, or a predicate on ``Stream``. None takes all.
        require_all: Whether a stream that the server refuses to set up is an error. By default,
            only when ``streams`` names what is wanted; else the others go on, with an event.
        timeouts: Deadlines; ``Timeouts()`` by default.
        retry: How the session is had again when it is lost, and how often the first connect is
            tried. With None nothing is tried twice, and a lost connection raises.
        racing: How many connections are tried side by side.
        limits: Bounds on what the peer can make us hold; ``Limits()`` by default.
        tls: How the server of ``rtsps://`` is verified when the system does not know it:
            ``TLS(ca=…)``, ``TLS(fingerprint=…)``, or a context of your own.
        reorder: Seconds that a packet waits for an earlier one; 0 lets none wait.
        backpressure: What a full queue does: ``"drop_oldest"``, ``"drop_newest"``, ``"latest"``,
            which keeps one packet, or ``"block"``, which stops reading until the consumer has
            caught up: the kernel, and over TCP the server, has to wait. Over TCP, all is read while
            an answer is waited for, and what does not fit then is dropped. ``access_units()`` makes
            whole units of what is left: ``"latest"`` drops all that waits when its queue is full.
        receiver: How UDP comes in: ``"recvmmsg"`` takes many datagrams with one system call
            (Linux), ``"recv_into"`` one, ``"datagram"`` leaves it to the loop, which cannot be held
            up and keeps its datagrams outside of ``slab_memory``; ``"auto"`` takes the first that
            works.
        coalesce: Seconds, at most 0.005, between two reads of all UDP sockets of the loop
            together; 0 reads each when it has something. With many streams it saves wake-ups.
        nat: ``"punch"`` opens the way for UDP through a NAT or firewall with small packets of ours
            to the server's ports, and keeps it open; ``"off"`` sends none.
        remember: Whether this user's cache folder keeps, for a week, which transport works with
            this server and what ``Retry("adaptive")`` has learnt of it; no names and no passwords.
        headers: Sent with every request.
        user_agent: Some devices refuse requests without one.
        client_ports: First and last UDP port that may be used.
        play: Whether to send PLAY; else call ``session.play()``.
        pool: Bounds the connections to the host, and has sessions go on with those of others that
            were closed; None bounds only races, by what the server is known to bear.
        share: Whether all calls for this URL with ``share`` have one session together. Each holds
            and closes one of its own, with its own iterators; all options but ``backpressure``
            have to be equal. While others share it, ``play``, ``pause`` and ``seek`` are refused.

    Raises:
        LocalProtocolError: The URL or an option cannot be used. Raised at once.
        RtspError: When awaited: no session could be had, within ``timeouts.connect``.
    """
    options = build_options(
        url,
        username,
        password,
        transport,
        headers,
        wish=streams,
        require_all=require_all,
        timeouts=timeouts or Timeouts(),
        retry=retry,
        racing=racing,
        limits=limits or Limits(),
        tls=tls,
        reorder=reorder,
        backpressure=backpressure,
        receiver=receiver,
        coalesce=coalesce,
        nat=nat,
        remember=remember,
        user_agent=user_agent,
        client_ports=client_ports,
        play=play,
        pool=pool,
        share=share,
    )
    return Connector(options, remember=transport == "auto" and len(options.kinds) > 1)
