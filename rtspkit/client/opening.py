"""The connection that a session asks for: its options, told to ``net``.

Layer:  client
"""

from __future__ import annotations

from collections.abc import Callable

from rtspkit.client.options import TLS_SCHEMES, ConnectOptions
from rtspkit.net.slab import SlabPool
from rtspkit.net.tcp import OnData, TcpCircuit, open_circuit
from rtspkit.net.tls import tls_context
from rtspkit.wire.message import Headers, Request, serialize_request

__all__ = ["open_connection"]


async def open_connection(
    options: ConnectOptions,
    racing: str,
    on_data: OnData,
    on_lost: Callable[[BaseException | None], None],
    pool: SlabPool | None = None,
) -> TcpCircuit:
    """Connect to the server of the URL; over TLS, and never without, when its scheme says so.

    Args:
        options: What the user asked for.
        racing: How connections are raced this time: a name that is not ``"auto"``.
        on_data: See ``TcpCircuit``.
        on_lost: See ``TcpCircuit``.
        pool: The memory that it reads into.

    Raises:
        RtspError: See ``open_circuit`` and ``tls_context``.
    """
    url = options.url
    tls = await tls_context(options.tls) if url.scheme in TLS_SCHEMES else None
    return await open_circuit(
        url.host,
        url.port,
        on_data,
        on_lost,
        pool,
        racing=options.racing,
        mode=racing,
        tls=tls,
        write=options.timeouts.write,
        question=_question(options),
    )


def _question(options: ConnectOptions) -> bytes:
    """What a connection is proven with; the session's own requests begin at CSeq 1."""
    headers = Headers([("CSeq", "0"), ("User-Agent", options.user_agent), *options.headers])
    return serialize_request(Request("OPTIONS", options.url.request_uri, headers))
