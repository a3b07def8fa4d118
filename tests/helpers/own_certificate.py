"""A certificate that has signed itself, for localhost, valid from 2020 to 2120; and its key."""

from __future__ import annotations

import ssl
from pathlib import Path

SUBJECT = "camera"
FINGERPRINT = "bce8c8877743a6816028954240fabf299976eab6b2004c5a45bfa0dc0ab62cc6"
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBmDCCAT2gAwIBAgIBATAKBggqhkjOPQQDAjAjMRAwDgYDVQQKDAdFeGFtcGxl
MQ8wDQYDVQQDDAZjYW1lcmEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAw
MDBaMCMxEDAOBgNVBAoMB0V4YW1wbGUxDzANBgNVBAMMBmNhbWVyYTBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABOSDy+D8juPJoVeNSsVkYv6LPVs3+2DlLG/5KRTO
RP1hF05Tr/72rD21prk4XFGtDaSeHZUeO50KKk5VHtcqMlijYDBeMA8GA1UdEwEB
/wQFMAMBAf8wLAYDVR0RBCUwI4IJbG9jYWxob3N0hwR/AAABhxAAAAAAAAAAAAAA
AAAAAAABMB0GA1UdDgQWBBQ9IZ3AGnlsCMHK3VIOpkNU9kC/qTAKBggqhkjOPQQD
AgNJADBGAiEAoolULxIgE7NUYA/eAhS91fNx36lesyFt9obNgW6YKnsCIQCZB4dA
fw4jZqmQzDurYLuE3eEAuezWLb9+t6Ic9xSoNw==
-----END CERTIFICATE-----
"""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNHpbXY12IC0s9Ftd
JOaSDpO9TsrNtFRN/4Pbwb9+kwOhRANCAATkg8vg/I7jyaFXjUrFZGL+iz1bN/tg
5Sxv+SkUzkT9YRdOU6/+9qw9taa5OFxRrQ2knh2VHjudCipOVR7XKjJY
-----END PRIVATE KEY-----
"""
DER = ssl.PEM_cert_to_DER_cert(CERTIFICATE)


def server_context(folder: Path) -> ssl.SSLContext:
    """For a server; its files are made in ``folder``, which then has ``own.pem``."""
    path = folder / "own.pem"
    path.write_text(CERTIFICATE + KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
