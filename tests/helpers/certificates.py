"""The certificates of ``tests/data/tls``, as contexts of a server, and what verifies them."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "tls"
AUTHORITY = str(FOLDER / "authority.pem")


def server_context(name: str = "camera", **attributes: object) -> ssl.SSLContext:
    """A server that shows this certificate; ``attributes`` are those of the context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / f"{name}.pem")
    for attribute, value in attributes.items():
        setattr(context, attribute, value)
    return context


def fingerprint(name: str = "camera") -> str:
    """SHA-256 of the certificate, in hexadecimal."""
    text = (FOLDER / f"{name}.pem").read_text()
    begin, end = text.index("-----BEGIN CERT"), text.index("-----END CERT")
    whole = text[begin:end] + "-----END CERTIFICATE-----\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(whole)).hexdigest()
