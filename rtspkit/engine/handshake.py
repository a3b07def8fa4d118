"""From an open connection to a playing session: DESCRIBE, SETUP for each stream, PLAY.

Layer:  engine (a dialogue: the generators yield what they need, and are sent what came of it)
In:     responses of 2xx; a refusal is thrown into the generator at the step that met it
Out:    ``Ask``, ``OpenPorts`` and ``Agreed`` steps; in the end a ``Presentation``
Source: RFC 2326 §10.2, §10.4, §10.5, C.1.1 (control URLs), D.1 (what a client sends)

Facts the code leans on
- DESCRIBE comes first: it tells all that OPTIONS could, and saves a round trip.
- A device that refused one transport often wants a fresh DESCRIBE before the next SETUP.
- Devices leave out ``interleaved``, ``server_port`` or the whole Transport header.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Generator
from dataclasses import dataclass
from typing import Any

from rtspkit.engine.continuity import Change, check_complete, reconcile
from rtspkit.engine.selection import Selection, select_streams
from rtspkit.errors import (
    RemoteProtocolError,
    ResponseError,
    RtspError,
    UnsupportedTransport,
)
from rtspkit.options import Limits
from rtspkit.wire.header import (
    Range,
    RtpInfo,
    Transport,
    parse_range,
    parse_rtp_info,
    parse_transport,
    serialize_transport,
)
from rtspkit.wire.message import Response
from rtspkit.wire.sdp import SessionDescription, parse_sdp
from rtspkit.wire.stream import Stream, streams_from
from rtspkit.wire.url import choose_base, join_control

__all__ = [
    "Agreed",
    "Ask",
    "OpenPorts",
    "Played",
    "Presentation",
    "Refused",
    "Step",
    "describe",
    "play",
    "set_up",
    "set_up_streams",
]

Note = Callable[[str, str], None]


@dataclass(slots=True)
class Ask:
    """Send this request; send back its response, or throw in its error."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class OpenPorts:
    """Open a pair of UDP ports for this stream; send back (RTP port, RTCP port)."""

    stream: Stream


@dataclass(slots=True)
class Agreed:
    """The server will send this stream so; send back nothing.

    Attributes:
        stream: The stream; its ``transport`` is set.
        kind: ``"udp"`` or ``"tcp"``.
        channels: Of RTP and RTCP over TCP.
        server_port: Of RTP and RTCP over UDP; None when the server did not say.
    """

    stream: Stream
    kind: str
    channels: tuple[int, int] | None = None
    server_port: tuple[int, int] | None = None


@dataclass(slots=True)
class Refused:
    """Carry on, but tell that a stream which nobody named could not be set up."""

    stream: Stream
    error: RtspError


Step = Ask | OpenPorts | Agreed | Refused
Dialogue = Generator[Step, Any, Any]


@dataclass(slots=True)
class Presentation:
    """What the server described, and what was set up of it.

    Attributes:
        description: The SDP.
        streams: Every stream of it.
        uri: The aggregate's control URL: what PLAY and TEARDOWN are sent to.
        base: What relative control URLs are joined to.
        chosen: The streams that were set up.
        kind: ``"udp"`` or ``"tcp"``.
        changes: Streams of an earlier connection that are not what they were.
    """

    description: SessionDescription
    streams: tuple[Stream, ...]
    uri: str
    base: str
    chosen: tuple[Stream, ...] = ()
    kind: str = ""
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Played:
    """What the response to PLAY tells of where the media begins.

    Attributes:
        range: The Range header, or None.
        rtp_info: For each stream's index, its entry of RTP-Info.
    """

    range: Range | None
    rtp_info: dict[int, RtpInfo]


class _TransportRefusedError(RtspError):
    """This transport will not do; ``__cause__`` has the evidence."""


def describe(uri: str, note: Note, limits: Limits) -> Generator[Step, Any, Presentation]:
    """Ask for the description and read it.

    Raises:
        RemoteProtocolError: The description cannot be read, or is empty.
        ResponseError: The server refused.
    """
    response: Response = yield Ask("DESCRIBE", uri, (("Accept", "application/sdp"),))
    content_type = response.headers.get("Content-Type") or ""
    if "application/sdp" not in content_type.lower():
        note("content-type", content_type)
    if not response.body.strip():
        raise RemoteProtocolError("DESCRIBE was answered without a description", phase="describe")
    try:
        description = parse_sdp(response.body, limits=limits)
    except RemoteProtocolError as error:
        error.phase = "describe"
        raise
    for identifier in description.deviations:
        note(identifier, "")
    headers = response.headers
    base, deviations = choose_base(
        headers.get("Content-Base"), headers.get("Content-Location"), uri
    )
    for identifier in deviations:
        note(identifier, base)
    aggregate = join_control(base, description.control)
    return Presentation(description, streams_from(description, base), aggregate, base)


def set_up(
    uri: str,
    kinds: tuple[str, ...],
    wish: Selection,
    note: Note,
    limits: Limits,
    *,
    required: bool | None = None,
    known: tuple[Stream, ...] = (),
    refusals: list[tuple[str, str]] | None = None,
) -> Generator[Step, Any, Presentation]:
    """DESCRIBE and SETUP, with the first of ``kinds`` that the server takes.

    A stream that the server refuses to set up is an error when it is ``required``: by default,
    when ``wish`` names what is wanted. Streams ``known`` from an earlier connection are found
    again, and are required too, unless ``required`` is False. Transports that are refused on the
    way are noted in ``refusals``, with the reason.

    Raises:
        UnsupportedTransport: The last of ``kinds`` was refused too, or one was refused when the
            server had set a stream up already, maybe over another transport than asked for: then
            the rest takes another connection.
        ResponseError, RemoteProtocolError, StreamNotFound: As it says.
    """
    all_or_none = wish is not None if required is None else required
    refusals = [] if refusals is None else refusals
    for number, kind in enumerate(kinds, start=1):
        presentation = yield from describe(uri, note, limits)
        presentation.kind = kind
        presentation.streams, presentation.changes = reconcile(known, presentation.streams)
        chosen = select_streams(presentation.streams, wish)
        successors = [change.stream for change in presentation.changes]
        try:
            switchable = kinds[number:]
            presentation.chosen = yield from set_up_streams(
                chosen,
                kind,
                note,
                required=all_or_none,
                needed=() if required is False else (*known, *successors),
                switchable=switchable,
            )
        except _TransportRefusedError as refusal:
            cause = refusal.__cause__
            assert isinstance(cause, UnsupportedTransport)
            if number == len(kinds) or cause.status_code < 300:
                raise cause from None
            refusals.append((kind, str(cause)))
            continue
        if required is not False:
            check_complete(known, presentation.changes, presentation.chosen)
        agreed = presentation.chosen[0].transport
        if agreed is not None and agreed.protocol.lower() != kind:
            presentation.kind = agreed.protocol.lower()
        return presentation
    raise AssertionError("kinds is never empty")


def set_up_streams(
    chosen: tuple[Stream, ...],
    kind: str,
    note: Note,
    *,
    required: bool,
    needed: Container[Stream | None] = (),
    switchable: tuple[str, ...] = (),
) -> Generator[Step, Any, tuple[Stream, ...]]:
    """SETUP for each stream, over one transport; all are ``required``, or those ``needed``.

    A refusal of the transport for the first stream is told apart from one for a later stream:
    nothing stands on the server yet, and the same connection can try the next.
    """
    done: list[Stream] = []
    last_error: RtspError | None = None
    for place, stream in enumerate(chosen):
        try:
            yield from _set_up_one(stream, kind, 2 * place, note, switchable)
        except (UnsupportedTransport, _TransportRefusedError) as error:
            if done:
                raise (error.__cause__ or error) from None
            if isinstance(error, _TransportRefusedError):
                raise
            raise _TransportRefusedError(str(error), phase="setup") from error
        except ResponseError as error:
            if required or stream in needed or error.status_code in (401, 403, 453, 454):
                raise
            last_error = error
            yield Refused(stream, error)
        else:
            done.append(stream)
    if not done:
        assert last_error is not None
        raise last_error
    _check_channels(done)
    return tuple(done)


def _set_up_one(
    stream: Stream, kind: str, channel: int, note: Note, switchable: tuple[str, ...]
) -> Generator[Step, Any, None]:
    wanted = Transport("TCP" if kind == "tcp" else "UDP", delivery="unicast")
    if kind == "tcp":
        wanted.interleaved = (channel, channel + 1)
    else:
        wanted.client_port = yield OpenPorts(stream)
    headers = (("Transport", serialize_transport(wanted)),)
    response: Response = yield Ask("SETUP", stream.control_url, headers)
    yield _agree(stream, kind, wanted, response, note, switchable, (channel, channel + 1))


def _agree(
    stream: Stream,
    kind: str,
    wanted: Transport,
    response: Response,
    note: Note,
    switchable: tuple[str, ...],
    channels: tuple[int, int],
) -> Agreed:
    """Read what the server made of our Transport."""
    value = response.headers.get("Transport")
    if value is None:
        note("transport-missing", "")
        reply = wanted
    else:
        reply = parse_transport(value)
        for identifier in reply.deviations:
            note(identifier, value)
    over_tcp = reply.protocol == "TCP" or (reply.interleaved is not None and kind == "tcp")
    if over_tcp != (kind == "tcp"):
        answered = "tcp" if over_tcp else "udp"
        if not over_tcp or answered not in switchable:
            words = f"asked for {kind}, was answered {answered}"
            cause = UnsupportedTransport("SETUP", response.status_code, words)
            raise _TransportRefusedError(str(cause), phase="setup") from cause
        note("transport-switched", value or "")
    stream.transport = reply
    stream.ssrc = reply.ssrc
    if not over_tcp:
        if reply.server_port is None:
            note("server-port-missing", "")
        return Agreed(stream, "udp", server_port=reply.server_port)
    reply.protocol = "TCP"
    if reply.interleaved is None:
        note("interleaved-missing", "")
        reply.interleaved = channels
    elif wanted.interleaved is not None and reply.interleaved != wanted.interleaved:
        note("interleaved-changed", value or "")
    return Agreed(stream, "tcp", channels=reply.interleaved)


def _check_channels(streams: list[Stream]) -> None:
    """Refuse one channel for two streams: their packets could not be told apart."""
    seen: set[int] = set()
    for stream in streams:
        channels = stream.transport.interleaved if stream.transport else None
        if channels is None or stream.transport is None or stream.transport.protocol != "TCP":
            continue
        if seen.intersection(channels):
            raise RemoteProtocolError("the server gave one channel to two streams", phase="setup")
        seen.update(channels)


def play(
    presentation: Presentation,
    note: Note,
    *,
    range_header: str | None = "npt=0.000-",
    headers: tuple[tuple[str, str], ...] = (),
) -> Generator[Step, Any, Played]:
    """PLAY, and read where the media begins."""
    every = (("Range", range_header), *headers) if range_header else headers
    response: Response = yield Ask("PLAY", presentation.uri, every)
    played = Played(None, {})
    value = response.headers.get("Range")
    if value is not None:
        try:
            played.range = parse_range(value)
        except RemoteProtocolError:
            note("range-unreadable", value)
        else:
            for identifier in played.range.deviations:
                note(identifier, value)
    value = response.headers.get("RTP-Info")
    if value is None:
        note("rtp-info-missing", "")
    entries = parse_rtp_info(value or "")
    for identifier in (identifier for entry in entries for identifier in entry.deviations):
        note(identifier, value or "")
    played.rtp_info = _match_rtp_info(presentation, entries)
    return played


def _match_rtp_info(presentation: Presentation, entries: list[RtpInfo]) -> dict[int, RtpInfo]:
    """Give each entry to the stream whose control URL it names; a lone pair belongs together."""
    chosen = presentation.chosen
    if len(entries) == 1 and len(chosen) == 1:
        return {chosen[0].index: entries[0]}
    found: dict[int, RtpInfo] = {}
    left = entries
    for same in (_same_url, _same_tail):
        entries, left = left, []
        for entry in entries:
            urls = (entry.url, join_control(presentation.base, entry.url))
            fits = [s for s in chosen if s.index not in found and same(s.control_url, urls)]
            if len(fits) == 1:
                found[fits[0].index] = entry
            else:
                left.append(entry)
    return found


def _same_url(control_url: str, urls: tuple[str, str]) -> bool:
    """Whether one of these is the stream's own."""
    return control_url in urls


def _same_tail(control_url: str, urls: tuple[str, str]) -> bool:
    """Whether both end in the same last part of a path, however they are based."""
    ours, theirs = (text.rstrip("/").rpartition("/")[2] for text in (control_url, urls[0]))
    return ours != "" and ours == theirs
