"""What a server has to show before we speak to it: contexts, fingerprints, and what is wrong.

Layer:  net
In:     ``TLS`` of the user, or an ``ssl.SSLContext`` of their own
Out:    TlsContext; errors that say what to set
Source: RFC 8446 (TLS 1.3), RFC 5246 (1.2), RFC 6125 §6 (the name in a certificate)

Facts the code leans on
- Reading the system's authorities takes tens of milliseconds of disk and CPU: it is done in a
  thread, once for each set of options.
- A certificate that is not right stays so on every other address of the host: the error is final.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import weakref
from collections import OrderedDict
from dataclasses import dataclass

from rtspkit.errors import ConnectError, LocalProtocolError
from rtspkit.net.off_loop import off_loop
from rtspkit.options import TLS

__all__ = ["TlsContext", "check_fingerprint", "handshake_failure", "tls_context"]

KEPT = 32  # contexts
MISMATCH = 62, 64  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH
NO_TLS = {  # reasons of OpenSSL: what came is no TLS at all
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "PACKET_LENGTH_TOO_LONG",
}
NO_COMMON_VERSION = {
    "UNSUPPORTED_PROTOCOL",
    "TLSV1_ALERT_PROTOCOL_VERSION",
    "NO_PROTOCOLS_AVAILABLE",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY",
    "DH_KEY_TOO_SMALL",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
}

_contexts: OrderedDict[TLS, ssl.SSLContext] = OrderedDict()
_Building = dict[TLS, "asyncio.Future[ssl.SSLContext]"]
_building: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Building]
_building = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class TlsContext:
    """How to verify one server.

    Attributes:
        context: What OpenSSL verifies.
        server_name: Name that the certificate is for; None for the host of the connection.
        fingerprint: SHA-256 that the certificate has to have, in lower-case hexadecimal, or None.
    """

    context: ssl.SSLContext
    server_name: str | None = None
    fingerprint: str | None = None

    def name_for(self, host: str) -> str:
        """What the certificate of ``host`` has to be for: no scope, no dot at the end."""
        return self.server_name or host.partition("%")[0].removesuffix(".")


async def tls_context(tls: TLS | ssl.SSLContext | None = None) -> TlsContext:
    """The context for some options, made in a thread when it is asked for the first time.

    Args:
        tls: A context of the user's is taken as it is. None verifies with the system's authorities.

    Raises:
        LocalProtocolError: The file of certificates cannot be read, or has none.
    """
    if isinstance(tls, ssl.SSLContext):
        return TlsContext(tls)
    tls = tls or TLS()
    context = _contexts.get(tls)
    if context is None:
        context = await _built(tls)
        _contexts[tls] = context
    _contexts.move_to_end(tls)
    while len(_contexts) > KEPT:
        _contexts.popitem(last=False)
    return TlsContext(context, tls.server_name, tls.fingerprint)


async def _built(tls: TLS) -> ssl.SSLContext:
    """Have it built, once for all who wait on this loop."""
    building = _building.setdefault(asyncio.get_running_loop(), {})
    future = building.get(tls)
    if future is None:
        future = building[tls] = off_loop(lambda: _build(tls), "rtspkit-tls")
        future.add_done_callback(lambda _: building.pop(tls, None))
    try:
        return await asyncio.shield(future)  # one who gives up does not stop the others
    except OSError as error:  # of which ssl.SSLError is one
        reason = error.strerror or str(error)
        raise LocalProtocolError(
            f"TLS.ca: no certificates in {tls.ca!r} ({reason})", phase="tls"
        ) from error


def _build(tls: TLS) -> ssl.SSLContext:
    """A context that verifies as told. It reads files."""
    if tls.insecure or tls.fingerprint is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=tls.ca)


def check_fingerprint(wanted: str, certificate: bytes | None) -> None:
    """Compare the server's certificate, DER, with the one that was told.

    Raises:
        ConnectError: It is another one. Not retryable.
    """
    actual = "" if certificate is None else hashlib.sha256(certificate).hexdigest()
    if not hmac.compare_digest(actual, wanted):
        raise ConnectError(
            f"the server's certificate has the SHA-256 {actual or 'of none'}, which is not "
            "TLS.fingerprint: set it when you trust this one",
            phase="tls",
            retryable=False,
        )


def handshake_failure(error: ssl.SSLError, server_name: str) -> Exception:
    """What a failed handshake means: a final error with advice, or ``error`` itself.

    Args:
        error: What OpenSSL says.
        server_name: What the certificate should have been for.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        advice = "set TLS(ca=…) or TLS(fingerprint=…)"
        if error.verify_code in MISMATCH:
            advice = "set TLS(server_name=…) to a name that is in it, or TLS(fingerprint=…)"
        message = f"the certificate of {server_name!r} is not trusted ({reason}): {advice}"
    elif error.reason in NO_TLS:
        message = "what the server answers is no TLS: is this an rtsp:// port?"
    elif error.reason in NO_COMMON_VERSION:
        message = (
            f"no TLS version and cipher in common ({error.reason.lower()}): an ssl.SSLContext "
            "of your own may allow older ones"
        )
    else:
        return error
    return ConnectError(message, causes=(error,), phase="tls", retryable=False)
