"""The options of ``connect()``, checked before anything is sent.

Layer:  client
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from rtspkit.client.pool import ConnectionPool
from rtspkit.engine.selection import Selection
from rtspkit.errors import LocalProtocolError
from rtspkit.net.udp_port import ReceiverName, choose_receiver
from rtspkit.options import TLS, Limits, Racing, Retry, Timeouts
from rtspkit.version import __version__
from rtspkit.wire.credentials import Credentials
from rtspkit.wire.message import Headers, Request, serialize_request
from rtspkit.wire.stream import Stream
from rtspkit.wire.url import RtspUrl, parse_url

__all__ = [
    "Backpressure",
    "ConnectOptions",
    "Nat",
    "ReceiverName",
    "TransportName",
    "check_backpressure",
    "transport_kinds",
]

TransportName = Literal["auto", "udp", "tcp"]
Backpressure = Literal["drop_oldest", "drop_newest", "latest", "block"]
Nat = Literal["punch", "off"]

LONGEST_COALESCE = 0.005  # seconds
DEFAULT_USER_AGENT = f"rtspkit/{__version__}"
VALUES = {"timeouts": Timeouts, "limits": Limits, "retry": Retry, "racing": Racing}
KINDS = ("udp", "tcp")
AUTO = ("udp", "tcp")
SCHEME_KINDS = {"rtspt": ("tcp",), "rtspu": ("udp",), "rtsps": ("tcp",)}  # UDP has no TLS
TLS_SCHEMES = ("rtsps",)
SUPPORTED_SCHEMES = ("rtsp", "rtspt", "rtspu", "rtsps")


def check_backpressure(policy: str) -> None:
    """Refuse what is no policy.

    Raises:
        LocalProtocolError: It is none.
    """
    if policy not in get_args(Backpressure):
        known = ", ".join(get_args(Backpressure))
        raise LocalProtocolError(f"backpressure is one of {known}, not {policy!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """What ``connect()`` was asked for; its docstring tells the meanings."""

    url: RtspUrl
    credentials: Credentials | None
    kinds: tuple[str, ...]
    streams: Selection = None
    require_all: bool | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry | None = field(default_factory=Retry)
    racing: Racing = field(default_factory=Racing)
    limits: Limits = field(default_factory=Limits)
    tls: TLS | ssl.SSLContext | None = None
    reorder: float = 0.1
    backpressure: Backpressure = "drop_oldest"
    receiver: ReceiverName = "auto"
    coalesce: float = 0.0
    nat: Nat = "punch"
    remember: bool = True
    headers: tuple[tuple[str, str], ...] = ()
    user_agent: str = DEFAULT_USER_AGENT
    client_ports: tuple[int, int] | None = None
    play: bool = True
    pool: ConnectionPool | None = None
    share: bool = False

    def __post_init__(self) -> None:
        for name, kind in VALUES.items():
            given = getattr(self, name)
            if not isinstance(given, kind) and not (name == "retry" and given is None):
                raise TypeError(f"{name} is a rtspkit.{kind.__name__}, not {given!r}")
        if not isinstance(self.pool, ConnectionPool | None):
            raise TypeError(f"pool is a rtspkit.ConnectionPool, not {self.pool!r}")
        self._check_tls()
        check_backpressure(self.backpressure)
        choose_receiver(self.receiver)
        if self.nat not in get_args(Nat):
            raise LocalProtocolError(f"nat is 'punch' or 'off', not {self.nat!r}")
        if not 0 <= self.coalesce <= LONGEST_COALESCE:
            raise LocalProtocolError(f"coalesce is 0 to 0.005 seconds, not {self.coalesce!r}")
        if not 0 <= self.reorder <= 10:
            raise LocalProtocolError(f"reorder is 0 to 10 seconds, not {self.reorder!r}")
        if self.client_ports is not None:
            first, last = self.client_ports
            if not 0 < first < last <= 65_535:
                raise LocalProtocolError(f"client_ports are two of 1 to 65535, not {first}-{last}")
        fields = Headers([("User-Agent", self.user_agent), *self.headers])
        serialize_request(Request("OPTIONS", self.url.request_uri, fields))  # refuses bad ones

    def _check_tls(self) -> None:
        if self.tls is None:
            return
        if not isinstance(self.tls, TLS | ssl.SSLContext):
            raise TypeError(f"tls is a rtspkit.TLS or an ssl.SSLContext, not {self.tls!r}")
        if self.url.scheme not in TLS_SCHEMES:
            raise LocalProtocolError(
                f"tls is for rtsps:// only, and {self.url.scheme}:// is in the clear", phase="url"
            )


def transport_kinds(transport: str | Iterable[str], scheme: str) -> tuple[str, ...]:
    """The transports to try, in order; an explicit wish goes before the scheme's.

    Raises:
        LocalProtocolError: One of them is not known.
    """
    wished = (transport,) if isinstance(transport, str) else tuple(transport)
    if wished == ("auto",):
        return SCHEME_KINDS.get(scheme, AUTO)
    for kind in wished:
        if kind not in KINDS:
            raise LocalProtocolError(
                f"transport is 'auto', 'udp', 'tcp' or a sequence of them, not {kind!r}"
            )
    if not wished:
        raise LocalProtocolError("transport names nothing to try")
    return tuple(dict.fromkeys(wished))


def build_options(
    url: str,
    username: str | None,
    password: str | None,
    transport: str | Iterable[str],
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None,
    wish: Selection = None,
    **rest: object,
) -> ConnectOptions:
    """Read the URL and settle what depends on it."""
    parsed = parse_url(url)
    if parsed.scheme not in SUPPORTED_SCHEMES:
        raise LocalProtocolError(
            f"{parsed.scheme}:// is not supported by this version; use one of "
            + ", ".join(f"{scheme}://" for scheme in SUPPORTED_SCHEMES),
            phase="url",
        )
    name = parsed.username if username is None else username
    secret = parsed.password if password is None else password
    credentials = None if name is None and secret is None else Credentials(name or "", secret or "")
    if not (wish is None or isinstance(wish, str | int | Stream) or callable(wish)):
        wish = tuple(wish)  # it is read once for each transport
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return ConnectOptions(
        url=parsed,
        credentials=credentials,
        kinds=transport_kinds(transport, parsed.scheme),
        headers=tuple(pairs),
        streams=wish,
        **rest,  # type: ignore[arg-type]  # connect() names and types every one of them
    )
