"""The connection that a session asks for: its options, told to ``net``.

Layer:  client
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import replace

from rtspkit.client.idle import IdleConnection
from rtspkit.client.machines import new_session_machine
from rtspkit.client.options import TLS_SCHEMES, ConnectOptions
from rtspkit.client.pool import Lease
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import ConnectionLost, DeadlineExceeded
from rtspkit.net.budget import Server, budget_of
from rtspkit.net.tcp import OnData, TcpCircuit, open_circuit
from rtspkit.net.tls import tls_context
from rtspkit.wire.message import Headers, Request, Response, serialize_request

__all__ = ["accepted", "keep_open", "no_room", "open_connection", "refused", "reserve"]


async def reserve(options: ConnectOptions, *, fresh: bool) -> Lease:
    """Room for the connections of one attempt; a pool has us wait for it.

    Args:
        options: What the user asked for.
        fresh: Whether a session has been lost: then no connection of before is trusted, and a
            pool that was closed meanwhile keeps nobody from coming back.

    Raises:
        LocalProtocolError: The pool is closed.
    """
    pool, server, wanted = options.pool, _server(options), options.racing.max_connections
    if pool is None or (fresh and pool.closed):
        return Lease(budget_of(asyncio.get_running_loop()).take(server, wanted))
    uri = options.url.request_uri
    return await pool.lease(_origin(options), server, uri, wanted, fresh=fresh)


def no_room(options: ConnectOptions) -> DeadlineExceeded | None:
    """What it means when there is no room until ``timeouts.connect`` is over; None without pool."""
    if options.pool is None:
        return None
    host, port = _server(options)
    seconds = options.timeouts.connect
    return DeadlineExceeded(
        "pool",
        seconds,
        message=f"pool: no room for a connection to {f'[{host}]' if ':' in host else host}:{port} "
        f"within {seconds:g} s: {options.pool.bound((host, port))}",
    )


def refused(options: ConnectOptions, machine: SessionMachine) -> None:
    """The server has answered 453 to this session: it bears those that there are, and no more."""
    budget, server = budget_of(asyncio.get_running_loop()), _server(options)
    own = machine.session_id is not None
    budget.refused(server, budget.sessions(server) - own)


def accepted(options: ConnectOptions) -> None:
    """The server has taken one more session."""
    budget_of(asyncio.get_running_loop()).accepted(_server(options))


async def open_connection(
    options: ConnectOptions,
    racing: str,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    machine: SessionMachine | None = None,
    lease: Lease | None = None,
) -> TcpCircuit:
    """Connect to the server of the URL; over TLS, and never without, when its scheme says so.

    Args:
        options: What the user asked for.
        racing: How connections are raced this time: a name that is not ``"auto"``.
        on_data: See ``TcpCircuit``.
        on_lost: See ``TcpCircuit``.
        machine: Of the session, which has sent nothing yet.
        lease: What it may connect with; given back here. None counts, and waits for nothing.

    Raises:
        RtspError: See ``open_circuit`` and ``tls_context``.
    """
    if lease is None:
        budget = budget_of(asyncio.get_running_loop())
        lease = Lease(budget.take(_server(options), options.racing.max_connections))
    places, circuit = lease.places, None
    if lease.idle is not None:
        circuit = lease.idle.pass_on(on_data, on_lost)
        if circuit is None:  # its place is free when its socket is gone
            raise ConnectionLost("the connection that was kept open has ended", phase="connect")
        if machine is not None:
            machine.inherit(lease.idle.machine)
    try:
        if circuit is None:
            circuit = await _open(options, racing, on_data, on_lost, lease)
    except BaseException:
        places.shrink(0)
        raise
    places.bind(circuit.closed, lambda: machine is not None and machine.session_id is not None)
    return circuit


async def _open(
    options: ConnectOptions,
    racing: str,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    lease: Lease,
) -> TcpCircuit:
    url = options.url
    tls = await tls_context(options.tls) if url.scheme in TLS_SCHEMES else None
    return await open_circuit(
        url.host,
        url.port,
        on_data,
        on_lost,
        racing=replace(options.racing, max_connections=max(lease.places.number, 1)),
        mode=racing,
        tls=tls,
        write=options.timeouts.write,
        question=_question(options),
        stood=lease.knocked,
    )


def keep_open(
    options: ConnectOptions, circuit: TcpCircuit | None, machine: SessionMachine, last: Response
) -> None:
    """Give the connection of a session that was in order to the pool, where there is one.

    Args:
        options: Of the session.
        circuit: Its connection: when it is kept, it is over for the session.
        machine: Of the session, which was torn down.
        last: The answer to TEARDOWN.
    """
    pool = options.pool
    closing = "close" in (last.headers.get("Connection") or "").lower()
    if pool is None or circuit is None or not pool.keeps or closing or not machine.settled:
        return
    heir = new_session_machine(options)
    heir.inherit(machine)
    pool.keep(_origin(options), IdleConnection(circuit, heir, pool.lost))


def _server(options: ConnectOptions) -> Server:
    _, host, port = options.url.origin
    return host, port


def _origin(options: ConnectOptions) -> Hashable:
    """What a connection must be equal in to be used again: all that its server has seen of it."""
    seen = (options.credentials, options.tls, options.user_agent, options.headers)
    return options.url.origin, *seen


def _question(options: ConnectOptions) -> bytes:
    """What a connection is proven with; the session's own requests begin at CSeq 1."""
    headers = Headers([("CSeq", "0"), ("User-Agent", options.user_agent), *options.headers])
    return serialize_request(Request("OPTIONS", options.url.request_uri, headers))
