"""The two lines of a description that hold an address: ``o=`` and ``c=``.

Layer:  wire
In:     the value of one line
Out:    Origin or Connection, and ids of the deviations; nothing is ever raised
Source: RFC 8866 §5.2 (origin), §5.7 (connection)

Facts the code leans on
- ``IN`` is the one fixed word of both lines: fields are counted from the last one, both ways.
"""

from __future__ import annotations

from dataclasses import dataclass

from rtspkit.wire.number import parse_decimal, parse_hexadecimal

__all__ = ["Connection", "Origin", "parse_connection", "parse_origin"]

MAX_SESSION_ID = 2**128 - 1  # the RFC gives no bound; cameras like to be long
_ADDRESS_TYPES = {"IP4": "IP4", "IP6": "IP6", "IPV4": "IP4", "IPV6": "IP6"}


@dataclass(slots=True)
class Origin:
    """Who made the session; what could not be read is None or empty.

    Attributes:
        username: ``"-"`` for none.
        session_id: Together with the other fields, unique for the session.
        session_version: Grows with each change of the description.
        network_type: ``"IN"``.
        address_type: ``"IP4"`` or ``"IP6"``.
        address: Text; never an address to connect to.
    """

    username: str = "-"
    session_id: int | None = None
    session_version: int | None = None
    network_type: str = "IN"
    address_type: str = "IP4"
    address: str = ""


@dataclass(slots=True)
class Connection:
    """Where the media goes.

    Attributes:
        address: IP address or host name, without the parts below; ``"0.0.0.0"`` is usual for
            unicast in RTSP. Text; never an address to connect to unless it is multicast.
        address_type: ``"IP4"`` or ``"IP6"``.
        ttl: Time to live of IPv4 multicast, 0 to 255.
        count: Number of consecutive multicast addresses.
        network_type: ``"IN"``.
    """

    address: str
    address_type: str = "IP4"
    ttl: int | None = None
    count: int = 1
    network_type: str = "IN"


def parse_origin(value: str) -> tuple[Origin | None, list[str]]:
    """Read ``username sess-id sess-version IN addrtype address``; None without an ``IN``."""
    words = value.split()
    place = _last_network_type(words)
    if place is None:
        return None, ["origin-malformed"]
    before, after = words[:place], words[place + 1 :]
    deviations = [] if len(before) == 3 and len(after) == 2 else ["origin-malformed"]
    if len(before) == 2 and before[0].startswith("-"):
        # Device: LiveReporter app – "-0 0 IN": user name and session id ran together
        before = ["-", before[0][1:], before[1]]
    origin = Origin(" ".join(before[:-2]) or (before[0] if len(before) == 1 else "-"))
    if len(before) >= 2:
        origin.session_id = parse_decimal(before[-2], maximum=MAX_SESSION_ID)
        origin.session_version = parse_decimal(before[-1], maximum=MAX_SESSION_ID)
        if origin.session_id is None:
            digits = before[-2][2:] if before[-2][:2].lower() == "0x" else before[-2]
            origin.session_id = parse_hexadecimal(digits, maximum=MAX_SESSION_ID)
            deviations.append("origin-session-id")
    origin.address_type, origin.address, found = _parse_address(after)
    return origin, deviations + found


def parse_connection(value: str) -> tuple[Connection | None, list[str]]:
    """Read ``IN addrtype address[/ttl][/count]``; None without an address."""
    words = value.split()
    place = _last_network_type(words)
    if place is None:
        return None, ["connection-malformed"]
    deviations = [] if len(words) == 3 else ["connection-malformed"]
    address_type, text, found = _parse_address(words[place + 1 :])
    address, *parts = text.split("/")
    if not address:
        return None, ["connection-malformed"]
    connection = Connection(address, address_type)
    numbers = [parse_decimal(part, maximum=65535) for part in parts]
    if address_type == "IP4" and numbers:
        connection.ttl = numbers.pop(0)
        if connection.ttl is None or connection.ttl > 255:
            connection.ttl = None
            numbers = [None]
    if numbers and numbers[0]:
        connection.count = numbers[0]
    if None in numbers or len(numbers) > 1:
        deviations.append("connection-malformed")
    return connection, deviations + found


def _last_network_type(words: list[str]) -> int | None:
    places = [place for place, word in enumerate(words) if word.upper() == "IN"]
    return places[-1] if places else None


def _parse_address(words: list[str]) -> tuple[str, str, list[str]]:
    """Address type and address of what follows ``IN``; the type is guessed when it is missing."""
    address_type = _ADDRESS_TYPES.get(words[0].upper()) if words else None
    if address_type is not None:
        found = [] if words[0] == address_type else ["address-type"]
        return address_type, words[1] if len(words) > 1 else "", found
    address = words[0] if words else ""
    return "IP6" if ":" in address else "IP4", address, ["address-type"]
