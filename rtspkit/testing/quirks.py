"""Deviations that were met on real cameras, by name, for ``Camera(quirks={...})``.

Layer:  testing
In:     a name
Out:    rules of the script, or hooks on packets and reports, in the camera

Names say what is wrong, not who does it. ``QUIRKS[name].meaning`` is one line for people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtspkit.testing import answer_quirks as answers
from rtspkit.testing import media_quirks as media
from rtspkit.testing.actions import (
    Action,
    Close,
    Drop,
    EditBody,
    EditBytes,
    EditHeaders,
    Garbage,
    MediaFirst,
    Reply,
)
from rtspkit.wire.message import serialize_frame

if TYPE_CHECKING:
    from rtspkit.testing.camera_core import CameraCore

__all__ = ["QUIRKS", "Quirk", "apply_quirks"]

UNKNOWN_CHANNEL = 77
PRIVATE = "rtsp://192.168.1.64:554"  # an address that is not the one the client came to


@dataclass(frozen=True, slots=True)
class Quirk:
    """One deviation.

    Attributes:
        meaning: What the camera does.
        apply: Makes a camera do it.
    """

    meaning: str
    apply: Callable[[CameraCore], None]


def apply_quirks(camera: CameraCore) -> None:
    """Give a camera the quirks of its options.

    Raises:
        ValueError: A name that is not in ``QUIRKS``.
    """
    for name in camera.quirks:
        if name not in QUIRKS:
            raise ValueError(f"no quirk {name!r}; there are: {', '.join(sorted(QUIRKS))}")
        QUIRKS[name].apply(camera)


def _do(method: str | None, *actions: Action) -> Callable[[CameraCore], None]:
    def apply(camera: CameraCore) -> None:
        camera.rules.add(method, actions)

    return apply


def _edit(name: str, function: Callable[[str], str]) -> Callable[[CameraCore], None]:
    return _do(None, EditHeaders(change={name: function}))


def _remove(name: str) -> Callable[[CameraCore], None]:
    return _do(None, EditHeaders(remove=(name,)))


def _bytes(function: Callable[[bytes], bytes]) -> Callable[[CameraCore], None]:
    return _do(None, EditBytes(function))


def _sdp(function: Callable[[bytes], bytes]) -> Callable[[CameraCore], None]:
    return _do("DESCRIBE", EditBody(function))


def _set(**options: object) -> Callable[[CameraCore], None]:
    def apply(camera: CameraCore) -> None:
        for name, value in options.items():
            setattr(camera, name, value)

    return apply


def _packets(make: Callable[[], media.PacketEdit]) -> Callable[[CameraCore], None]:
    return lambda camera: camera.packet_edits.append(make())


def _reports(edit: media.ReportEdit) -> Callable[[CameraCore], None]:
    return lambda camera: camera.report_edits.append(edit)


def _authentication(**changes: object) -> Callable[[CameraCore], None]:
    def apply(camera: CameraCore) -> None:
        if camera.authentication is None:
            raise ValueError("this quirk needs Camera(authentication=…)")
        camera.authentication = replace(camera.authentication, **changes)  # type: ignore[arg-type]

    return apply


def _base(make: Callable[[str], str]) -> Callable[[CameraCore], None]:
    return _do("DESCRIBE", EditHeaders(change={"Content-Base": make}))


def _control(prefix: Callable[[CameraCore], str]) -> Callable[[CameraCore], None]:
    def apply(camera: CameraCore) -> None:
        def edit(body: bytes) -> bytes:
            return body.replace(b"a=control:track", f"a=control:{prefix(camera)}track".encode())

        camera.rules.add("DESCRIBE", (EditBody(edit),))

    return apply


def _content_location(camera: CameraCore) -> None:
    class Move(Action):
        def edit(self, exchange: answers.Exchange) -> None:
            answers.rename_header(exchange, "Content-Base", "Content-Location")

    camera.rules.add("DESCRIBE", (Move(),))


def _reply_in_frame(camera: CameraCore) -> None:
    frame = serialize_frame(0, bytes([0x80]) + bytes(399))[:104]
    camera.rules.add(
        None,
        (EditBytes(lambda reply: frame + reply),),
        when=lambda request: (
            request.method in ("GET_PARAMETER", "OPTIONS", "SET_PARAMETER")
            and "Session" in request.headers
        ),
    )


def _range_required(camera: CameraCore) -> None:
    camera.rules.add("PLAY", (Reply(457),), when=lambda request: "Range" not in request.headers)


_TABLE: tuple[tuple[str, str, Callable[[CameraCore], None]], ...] = (
    # OPTIONS and keep-alive
    ("no-public", "OPTIONS without Public", _remove("Public")),
    ("options-404", "OPTIONS answered 404", _do("OPTIONS", Reply(404))),
    ("get-parameter-silent", "GET_PARAMETER never answered", _do("GET_PARAMETER", Drop())),
    ("get-parameter-400", "GET_PARAMETER answered 400", _do("GET_PARAMETER", Reply(400))),
    ("get-parameter-405", "GET_PARAMETER answered 405", _do("GET_PARAMETER", Reply(405))),
    ("get-parameter-454", "GET_PARAMETER answered 454", _do("GET_PARAMETER", Reply(454))),
    ("get-parameter-501", "GET_PARAMETER answered 501", _do("GET_PARAMETER", Reply(501))),
    ("set-parameter-closes", "closed on SET_PARAMETER", _do("SET_PARAMETER", Close())),
    ("user-agent-required", "400 without User-Agent", _set(user_agent_required=True)),
    ("reports-keep-alive", "only RTCP keeps a session alive", _set(keepalive=("rtcp",))),
    ("expiry-closes", "the connection is closed with its session", _set(close_on_expiry=True)),
    # Session and CSeq
    ("session-blanks", "Session with blanks and more parameters", _edit("Session", answers.blanks)),
    ("session-changes", "another Session id in every answer", answers.changing_session),
    ("session-no-timeout", "Session without timeout", _edit("Session", answers.no_timeout)),
    ("session-timeout-zero", "timeout=0", _edit("Session", answers.timeout_zero)),
    ("no-cseq", "answers without CSeq", _remove("CSeq")),
    ("cseq-spelling", "CSeq spelt Cseq", _bytes(lambda b: b.replace(b"CSeq:", b"Cseq:", 1))),
    ("cseq-blanks", "CSeq with blanks", _bytes(lambda b: b.replace(b"CSeq: ", b"CSeq:   ", 1))),
    ("cseq-behind", "CSeq one behind", _edit("CSeq", lambda v: str(int(v) - 1))),
    # text of the head
    ("no-reason-phrase", "status lines without a reason phrase", _bytes(answers.no_reason)),
    ("header-case", "header names in lower case", _bytes(answers.lower_names)),
    ("folded-headers", "headers folded after commas", _bytes(answers.folded)),
    ("latin-1", "a Server header in Latin-1", _bytes(answers.latin_1)),
    ("line-feed-only", "lines end with LF alone", _bytes(answers.line_feeds)),
    ("blank-lines", "an empty line before answers", _bytes(lambda b: b"\r\n" + b)),
    ("content-length-twice", "Content-Length twice", _bytes(answers.length_twice)),
    ("no-content-type", "DESCRIBE without Content-Type", _remove("Content-Type")),
    (
        "content-type-charset",
        "Content-Type with a charset",
        _edit("Content-Type", lambda v: f"{v}; charset=utf-8"),
    ),
    # URLs
    ("no-content-base", "no Content-Base", _remove("Content-Base")),
    ("content-base-relative", "Content-Base is a path", _base(answers.path_of)),
    ("content-base-no-scheme", "no scheme in it", _base(lambda v: v.partition("//")[2])),
    (
        "content-base-other-host",
        "another host in it",
        _base(lambda v: PRIVATE + answers.path_of(v)),
    ),
    ("content-base-no-slash", "no slash at its end", _base(lambda v: v.rstrip("/"))),
    ("content-location", "Content-Location in its place", _content_location),
    ("control-absolute", "absolute control URLs", _control(lambda camera: f"{camera.url}/")),
    ("control-leading-slash", "control URLs begin with a slash", _control(lambda camera: "/")),
    ("control-other-host", "of a host behind NAT", _control(lambda c: f"{PRIVATE}{c.path}/")),
    # PLAY
    ("no-rtp-info", "no RTP-Info", _remove("RTP-Info")),
    ("rtp-info-relative", "relative URLs in RTP-Info", _edit("RTP-Info", answers.relative_urls)),
    ("rtp-info-absurd", "seq=0;rtptime=-1", _edit("RTP-Info", answers.absurd_info)),
    ("rtp-info-wrong", "numbers of other packets", _edit("RTP-Info", answers.wrong_info)),
    ("rtp-info-semicolon", "a semicolon at its end", _edit("RTP-Info", lambda v: v + ";")),
    ("range-now", "Range: npt=now-", _edit("Range", lambda v: "npt=now-")),
    ("no-range", "no Range", _remove("Range")),
    ("range-required", "PLAY refused without Range", _range_required),
    ("media-before-reply", "media before the answer to PLAY", _do("PLAY", MediaFirst(3))),
    ("teardown-silent", "TEARDOWN never answered", _do("TEARDOWN", Drop(performed=True))),
    # Transport
    ("no-transport", "no Transport in answers", _remove("Transport")),
    ("no-interleaved", "no interleaved", _edit("Transport", answers.without("interleaved"))),
    ("channel-swap", "other channels than asked for", _set(swap_channels=True)),
    ("ssrc-short", "ssrc without leading digits", _edit("Transport", answers.ssrc_short)),
    ("ssrc-zero", "ssrc zero", _edit("Transport", answers.ssrc_zero)),
    ("ssrc-blank", "a blank before ssrc", _edit("Transport", answers.ssrc_blank)),
    ("ssrc-swapped", "ssrc in the wrong byte order", _edit("Transport", answers.ssrc_swapped)),
    ("ssrc-first", "ssrc before the protocol", _edit("Transport", answers.ssrc_first)),
    ("source-name", "a host name as source", _edit("Transport", lambda v: v + ";source=camera")),
    ("port-for-client-port", "port for client_port", _edit("Transport", answers.plain_port)),
    ("no-server-port", "no server_port", _edit("Transport", answers.without("server_port"))),
    ("server-port-zero", "server_port=0-0", _edit("Transport", answers.server_port_zero)),
    ("udp-for-tcp", "UDP answered to TCP", _edit("Transport", answers.udp_for_tcp)),
    ("tcp-for-udp", "TCP answered to UDP", _edit("Transport", answers.tcp_for_udp)),
    # between the frames
    (
        "junk-before-frames",
        "junk before the first frame",
        _do("PLAY", Garbage(b"\0junk", after=True)),
    ),
    (
        "unknown-channel",
        "frames on a channel that was never set up",
        _do(
            "PLAY",
            Garbage(serialize_frame(UNKNOWN_CHANNEL, bytes([0x80, 96, *bytes(10)])), after=True),
        ),
    ),
    ("reply-in-frame", "answers inside of a frame that was cut off", _reply_in_frame),
    # authentication
    ("basic-first", "Basic offered before Digest", _authentication(schemes=("basic", "digest"))),
    ("challenges-on-one-line", "all challenges in one header", _authentication(one_line=True)),
    ("stale-unannounced", "stale nonces without stale", _authentication(announce_stale=False)),
    (
        "challenge-unquoted",
        "values without quotes",
        _edit("WWW-Authenticate", lambda v: v.replace('"', "")),
    ),
    ("challenge-blanks", "blanks at the end", _bytes(answers.trailing_blanks)),
    # SDP
    ("sdp-no-version", "no v=0", _sdp(answers.without_line(b"v="))),
    ("sdp-no-origin", "no o=", _sdp(answers.without_line(b"o="))),
    ("sdp-short-origin", "o= with four fields", _sdp(answers.short_origin)),
    ("sdp-names-twice", "two s=", _sdp(lambda b: b.replace(b"t=0 0", b"s=again\r\nt=0 0", 1))),
    ("sdp-time-now", "t=now-", _sdp(lambda b: b.replace(b"t=0 0", b"t=now-", 1))),
    ("sdp-broken-connection", "c= cut short", _sdp(lambda b: b.replace(b"0.0.0.0", b"IP4", 1))),
    ("sdp-trailing-blanks", "blanks at line ends", _sdp(lambda b: b.replace(b"\r\n", b" \t\r\n"))),
    ("sdp-framerate-text", "framerate:0S", _sdp(answers.framerate_text)),
    ("sdp-unknown-media", "one more media, unknown", _sdp(answers.unknown_media)),
    ("sdp-nonzero-port", "ports in m=", _sdp(lambda b: b.replace(b" 0 RTP/", b" 5004 RTP/"))),
    ("sdp-rtpmap-blanks", "blanks in rtpmap", _sdp(answers.rtpmap_blanks)),
    ("sdp-no-rtpmap", "no rtpmap", _sdp(answers.without_line(b"a=rtpmap"))),
    ("sdp-no-fmtp", "no fmtp", _sdp(answers.without_line(b"a=fmtp"))),
    ("sdp-no-parameter-sets", "no parameter sets", _sdp(answers.no_parameter_sets)),
    # RTP and RTCP
    ("foreign-ssrc-first", "first packets of another SSRC", _packets(media.foreign_first)),
    ("ssrc-changes", "another SSRC every 50 packets", _packets(media.changing_ssrc)),
    ("no-marker", "marker never set", _packets(lambda: media.marker(on=False))),
    ("marker-always", "marker always set", _packets(lambda: media.marker(on=True))),
    ("duplicates", "every tenth packet twice", _packets(media.duplicates)),
    ("unknown-payload-type", "more packets, of another type", _packets(media.unknown_type)),
    ("bad-padding", "more packets, with a bad padding count", _packets(media.bad_padding)),
    ("empty-payload", "more packets, without payload", _packets(media.empty_payload)),
    ("extension", "a header extension on every packet", _packets(media.extension)),
    ("rtcp-among-rtp", "RTCP on the RTP channel", _packets(media.rtcp_among)),
    ("no-reports", "no sender reports", _set(report_interval=None)),
    ("reports-late", "the first sender report after 3 s", _set(report_delay=3.0)),
    ("ntp-zero", "sender reports without a time", _reports(media.ntp_zero)),
    ("ntp-hour-off", "sender reports an hour off", _reports(media.ntp_hour_off)),
    ("report-foreign-ssrc", "sender reports of another SSRC", _reports(media.foreign_report)),
)

QUIRKS: dict[str, Quirk] = {name: Quirk(meaning, apply) for name, meaning, apply in _TABLE}
