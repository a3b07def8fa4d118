"""What aiortsp's ``ssl=`` means to us.

Layer:  compat
"""

from __future__ import annotations

import ssl

from rtspkit.options import TLS

__all__ = ["tls_of"]


def tls_of(given: ssl.SSLContext | TLS | bool | None) -> ssl.SSLContext | TLS | None:
    """How the server is verified, of what was given as ``ssl=``; None for no TLS.

    True means the system's authorities, as for asyncio.
    """
    if isinstance(given, bool):
        return TLS() if given else None
    return given
