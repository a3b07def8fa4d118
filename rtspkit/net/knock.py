"""Whether an address takes connections, and with which certificate: for a diagnosis.

Layer:  net
Out:    what was met, as values: nothing here raises for what a network does

A connection is closed at once; nothing is sent over it but a TLS handshake.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

from rtspkit.net.clock import monotonic_clock
from rtspkit.net.resolver import Address
from rtspkit.net.tls import TlsContext, tls_context
from rtspkit.options import TLS

__all__ = ["Handshake", "Knock", "knock", "shake_hands"]


@dataclass(frozen=True, slots=True)
class Knock:
    """One try to connect.

    Attributes:
        host: The numeric address.
        seconds: How long it took, whatever came of it.
        error: Why there was no connection; a ``TimeoutError`` when nothing came back.
    """

    host: str
    seconds: float
    error: OSError | None


@dataclass(frozen=True, slots=True)
class Handshake:
    """One TLS handshake, or two when the certificate was refused.

    Attributes:
        seconds: How long the first one took.
        version: ``"TLSv1.3"``; None without a handshake.
        certificate: In DER; None when none could be had.
        error: Why it failed with verification; None when all is well.
    """

    seconds: float
    version: str | None
    certificate: bytes | None
    error: OSError | None


async def knock(address: Address, *, timeout: float) -> Knock:
    """Connect to one address, and close.

    Args:
        address: Of ``resolve``.
        timeout: Seconds.
    """
    now = monotonic_clock(asyncio.get_running_loop())
    began = now()
    error: OSError | None = None
    try:
        async with asyncio.timeout(timeout):
            (await _connected(address)).close()
    except OSError as failure:  # a TimeoutError is one
        error = failure
    return Knock(str(address[1][0]), now() - began, error)


async def shake_hands(address: Address, host: str, tls: TlsContext, *, timeout: float) -> Handshake:
    """Go through a TLS handshake, and close.

    Args:
        address: Of ``resolve``.
        host: Of the URL.
        tls: How the server is verified. A fingerprint is left to the caller to compare.
        timeout: Seconds for all of it.
    """
    now = monotonic_clock(asyncio.get_running_loop())
    began = now()
    name = tls.name_for(host)
    try:
        async with asyncio.timeout(timeout):
            try:
                version, certificate = await _shake(address, name, tls.context)
                return Handshake(now() - began, version, certificate, None)
            except ssl.SSLCertVerificationError as refused:
                seconds = now() - began
                # any certificate will do: it is only looked at, and its owner is told nothing
                anything = await tls_context(TLS(insecure=True))
                version, certificate = await _shake(address, name, anything.context)
                return Handshake(seconds, version, certificate, refused)
    except OSError as failure:  # an SSLError is one
        return Handshake(now() - began, None, None, failure)


async def _shake(
    address: Address, name: str, context: ssl.SSLContext
) -> tuple[str | None, bytes | None]:
    sock = await _connected(address)
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol, sock=sock, ssl=context, server_hostname=name
        )
    except BaseException:
        sock.close()
        raise
    try:
        tls = transport.get_extra_info("ssl_object")
        return tls.version(), tls.getpeercert(binary_form=True)
    finally:
        transport.abort()


async def _connected(address: Address) -> socket.socket:
    family, where = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock
