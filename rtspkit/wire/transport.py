"""The Transport header: what the two sides agree on in SETUP.

Layer:  wire
In:     the value of a Transport header, in a request or a response
Out:    Transport; and back
Source: RFC 2326 §12.39; RFC 3550 §11 (the port after RTP's is RTCP's)

Facts the code leans on
- Devices leave parameters out, pad them with blanks and put them in any order, the protocol
  included; what cannot be read is left out, and the rest is still of use.
- A single port or channel means that one and the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.wire.number import parse_decimal, parse_hexadecimal

__all__ = ["Transport", "parse_transport", "parse_transports", "serialize_transport"]

PROFILES = ("AVP", "AVPF", "SAVP", "SAVPF")
LOWER_TRANSPORTS = ("UDP", "TCP")
MODES = {"play": "play", "record": "record", "receive": "record"}
_PAIRS = {"interleaved": 255, "port": 65_535, "client_port": 65_535, "server_port": 65_535}
_VALUE = re.compile(r"[!#-+\--:<-~]+")  # visible ASCII that ends no parameter


@dataclass(slots=True)
class Transport:
    """One transport specification.

    Attributes:
        protocol: The lower transport, ``"UDP"`` or ``"TCP"``.
        profile: ``"AVP"``, ``"AVPF"``, ``"SAVP"`` or ``"SAVPF"``.
        delivery: ``"unicast"``, ``"multicast"``, or None when not given.
        destination: Where media goes to; a claim of the peer, not an address to trust.
        source: Where media comes from; likewise, and it may be a name.
        interleaved: Channels of RTP and RTCP, 0 to 255.
        port: RTP and RTCP port of a multicast session.
        client_port: RTP and RTCP port of the client.
        server_port: RTP and RTCP port of the server; None also when it says 0.
        ttl: Time to live of multicast, 0 to 255.
        ssrc: A hint which source will send, 32 bits; None when absent, zero or unreadable.
        mode: ``"play"``, ``"record"`` or None.
        append: Whether a recording is appended.
        layers: Number of multicast layers, 1 to 255.
        deviations: What the reader put up with.
    """

    protocol: str
    profile: str = "AVP"
    delivery: str | None = None
    destination: str | None = None
    source: str | None = None
    interleaved: tuple[int, int] | None = None
    port: tuple[int, int] | None = None
    client_port: tuple[int, int] | None = None
    server_port: tuple[int, int] | None = None
    ttl: int | None = None
    ssrc: int | None = None
    mode: str | None = None
    append: bool = False
    layers: int | None = None
    deviations: tuple[str, ...] = field(default=(), compare=False)


def parse_transport(value: str) -> Transport:
    """Read a Transport header that holds one specification; of several, the first.

    Raises:
        RemoteProtocolError: No specification of RTP over UDP or TCP is in it.
    """
    return parse_transports(value)[0]


def parse_transports(value: str) -> list[Transport]:
    """Read every specification of RTP over UDP or TCP in a Transport header, in order.

    Args:
        value: The whole value. Specifications of other protocols are passed over.

    Raises:
        RemoteProtocolError: There is none. Nothing else, whatever the text is.

    Source: RFC 2326 §12.39.
    """
    found = [t for spec in _specifications(value) if (t := _read(spec)) is not None]
    if not found:
        raise RemoteProtocolError(f"no RTP transport in {value[:80]!r}", phase="setup")
    return found


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts between separators that are not in quotes; an odd quote counts as none."""
    quoted = text.count('"') % 2 == 0
    start, inside = 0, False
    for index, character in enumerate(text):
        if character == '"' and quoted:
            inside = not inside
        elif character == separator and not inside:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def _specifications(value: str) -> list[list[str]]:
    """The parameters of each specification; one that names no protocol adds to the one before."""
    specs: list[list[str]] = []
    for part in _split(value, ","):
        parameters = [p for p in _split(part, ";") if p]
        if specs and not any(_is_protocol(p) for p in parameters):
            specs[-1] += [*parameters, ","] if parameters else []
        elif parameters:
            specs.append(parameters)
    return specs


def _is_protocol(parameter: str) -> bool:
    return "=" not in parameter and "/" in parameter


def _read(parameters: list[str]) -> Transport | None:
    """One specification; None when it is of another protocol."""
    deviations: list[str] = []
    transport = Transport("")
    named = [p for p in parameters if _is_protocol(p)]
    if named:
        if not _read_protocol(named[0], transport):
            return None
        if parameters[0] != named[0]:
            deviations.append("transport-protocol-not-first")
    seen: set[str] = set()
    for parameter in parameters:
        name, equals, text = parameter.partition("=")
        name, text = name.strip().lower(), text.strip().strip('"').strip()
        if parameter == ",":
            deviations.append("transport-comma-for-semicolon")
        elif name in seen:
            deviations.append("transport-parameter-repeated")
        elif name in ("unicast", "multicast") and not equals:
            transport.delivery = transport.delivery or name
        elif name == "append":
            transport.append = True
        elif equals:
            seen.add(name)
            _read_parameter(name, text, transport, deviations)
    if not named and not seen and transport.delivery is None:
        return None
    _settle(transport, bool(named), deviations)
    transport.deviations = tuple(dict.fromkeys(deviations))
    return transport


def _read_protocol(text: str, transport: Transport) -> bool:
    """Protocol, profile and lower transport; False for what is not RTP over UDP or TCP."""
    parts = [part.strip() for part in text.upper().split("/")]
    if len(parts) not in (2, 3) or parts[0] != "RTP" or parts[1] not in PROFILES:
        return False
    transport.profile = parts[1]
    if len(parts) == 3:
        if parts[2] not in LOWER_TRANSPORTS:
            return False
        transport.protocol = parts[2]
    return True


def _read_parameter(name: str, text: str, transport: Transport, deviations: list[str]) -> None:
    if name in _PAIRS:
        pair, deviation = _pair(text, _PAIRS[name])
        if pair is not None and pair[0] == 0 and name != "interleaved":
            pair, deviation = None, "transport-port-zero"
        setattr(transport, name, pair)
        if deviation:
            deviations.append(deviation)
    elif name in ("destination", "source"):
        address = text.removeprefix("[").removesuffix("]")
        if address and _VALUE.fullmatch(address):
            setattr(transport, name, address)
        else:
            deviations.append("transport-address-unusable")
    elif name == "ssrc":
        transport.ssrc = _ssrc(text, deviations)
    elif name == "mode":
        transport.mode = MODES.get(text.split(",")[0].strip().strip('"').lower())
        if transport.mode is None:
            deviations.append("transport-mode-unknown")
    elif name in ("ttl", "layers"):
        setattr(transport, name, parse_decimal(text, maximum=255))


def _pair(text: str, maximum: int) -> tuple[tuple[int, int] | None, str | None]:
    """Two numbers, or one and the next; None with the deviation when it is neither."""
    first_text, dash, second_text = text.partition("-")
    first = parse_decimal(first_text.strip(), maximum=maximum)
    second = parse_decimal(second_text.strip(), maximum=maximum)
    if not dash and first is not None and first < maximum:
        second = first + 1
    if first is None or second is None:
        return None, "transport-number-unusable"
    return (first, second), None


def _ssrc(text: str, deviations: list[str]) -> int | None:
    """The hint, of one to eight hexadecimal digits; RFC 2326 wants eight."""
    digits = text.lower().removeprefix("0x").strip()
    ssrc = parse_hexadecimal(digits, maximum=0xFFFFFFFF) if len(digits) <= 8 else None
    if ssrc is None:
        deviations.append("transport-ssrc-unusable")
    elif ssrc == 0:
        deviations.append("transport-ssrc-zero")
        return None
    elif len(digits) != 8 or digits != text.lower():
        deviations.append("transport-ssrc-short")
    return ssrc


def _settle(transport: Transport, protocol_named: bool, deviations: list[str]) -> None:
    """What follows from the parameters together."""
    if not protocol_named:
        deviations.append("transport-protocol-missing")
    if not transport.protocol:
        ports = transport.client_port or transport.server_port or transport.port
        transport.protocol = "TCP" if transport.interleaved and not ports else "UDP"
        if transport.protocol == "TCP" and protocol_named:
            deviations.append("transport-tcp-unnamed")
    if transport.delivery == "unicast" and transport.port and not transport.client_port:
        transport.client_port, transport.port = transport.port, None
        deviations.append("transport-port-for-client-port")


def serialize_transport(transport: Transport) -> str:
    """Write one specification for a Transport header.

    Raises:
        LocalProtocolError: A value that its parameter cannot hold.

    Source: RFC 2326 §12.39.
    """
    _check(transport)
    parts = [f"RTP/{transport.profile}" + ("/TCP" if transport.protocol == "TCP" else "")]
    if transport.delivery:
        parts.append(transport.delivery)
    for name in ("destination", "source"):
        if (address := getattr(transport, name)) is not None:
            parts.append(f"{name}={address}")
    for name in _PAIRS:
        if (pair := getattr(transport, name)) is not None:
            parts.append(f"{name}={pair[0]}-{pair[1]}")
    for name in ("ttl", "layers"):
        if (number := getattr(transport, name)) is not None:
            parts.append(f"{name}={number}")
    if transport.ssrc is not None:
        parts.append(f"ssrc={transport.ssrc:08X}")
    if transport.append:
        parts.append("append")
    if transport.mode is not None:
        parts.append(f'mode="{transport.mode.upper()}"')
    return ";".join(parts)


def _check(transport: Transport) -> None:
    pairs = [(getattr(transport, n), maximum) for n, maximum in _PAIRS.items()]
    fits = (
        transport.protocol in LOWER_TRANSPORTS
        and transport.profile in PROFILES
        and transport.delivery in (None, "unicast", "multicast")
        and transport.mode in (None, "play", "record")
        and all(a is None or _VALUE.fullmatch(a) for a in (transport.destination, transport.source))
        and all(p is None or all(0 <= n <= maximum for n in p) for p, maximum in pairs)
        and all(n is None or 0 <= n <= 255 for n in (transport.ttl, transport.layers))
        and (transport.ssrc is None or 0 <= transport.ssrc < 1 << 32)
    )
    if not fits:
        raise LocalProtocolError("a parameter of the Transport header is out of its range")
