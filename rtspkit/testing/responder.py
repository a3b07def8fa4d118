"""What the camera answers when nothing is scripted: the methods of RFC 2326.

Layer:  testing
In:     one request, and the connection that it came on
Out:    the response; sessions made, played, paused and ended
Source: RFC 2326 §10, §11.3, A.2 (states of a server)

The media of a PLAY starts when its answer is written: ``Exchange.after``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from rtspkit.errors import RemoteProtocolError
from rtspkit.testing.actions import Exchange
from rtspkit.testing.answer import Refused, make_response, path_of, refuse
from rtspkit.testing.camera_session import CameraSession
from rtspkit.testing.negotiation import choose_transport, open_outlet
from rtspkit.testing.presentation import describe
from rtspkit.testing.sender import TrackSender
from rtspkit.wire.header import (
    Range,
    RtpInfo,
    SessionHeader,
    Transport,
    parse_range,
    parse_session,
    serialize_range,
    serialize_rtp_info,
    serialize_session,
    serialize_transport,
)
from rtspkit.wire.message import Request, Response
from rtspkit.wire.number import parse_seconds

if TYPE_CHECKING:
    from rtspkit.testing.camera_connection import CameraConnection
    from rtspkit.testing.camera_core import CameraCore

__all__ = ["METHODS", "Responder"]

METHODS = (
    "OPTIONS",
    "DESCRIBE",
    "SETUP",
    "PLAY",
    "PAUSE",
    "TEARDOWN",
    "GET_PARAMETER",
    "SET_PARAMETER",
)
NOT_ALLOWED = ("ANNOUNCE", "RECORD", "REDIRECT")  # of the RFC, but not ours
MAX_SCALE = 64.0


class Responder:
    """The answers of one camera."""

    def __init__(self, camera: CameraCore) -> None:
        self.camera = camera
        self._methods: dict[str, Callable[[Exchange, CameraConnection], Awaitable[Response]]] = {
            "OPTIONS": self._options,
            "DESCRIBE": self._describe,
            "SETUP": self._setup,
            "PLAY": self._play,
            "PAUSE": self._pause,
            "TEARDOWN": self._teardown,
            "GET_PARAMETER": self._get_parameter,
            "SET_PARAMETER": self._set_parameter,
        }

    async def respond(self, exchange: Exchange, connection: CameraConnection) -> Response:
        """Perform a request, and give the answer to it."""
        try:
            response = await self._respond(exchange, connection)
        except Refused as refused:
            response = refused.response
        except RemoteProtocolError as error:
            self.camera.broken(error)
            response = make_response(400)
        if self.camera.server:
            response.headers.add("Server", self.camera.server)
        return response

    async def _respond(self, exchange: Exchange, connection: CameraConnection) -> Response:
        request, camera = exchange.request, self.camera
        if request.cseq is None:
            raise refuse(400)
        if request.version != "1.0":
            raise refuse(505)
        if request.method not in camera.methods:
            known = request.method in (*METHODS, *NOT_ALLOWED)
            raise refuse(405, Allow=", ".join(camera.methods)) if known else refuse(501)
        if camera.user_agent_required and "User-Agent" not in request.headers:
            raise refuse(400)
        if (required := request.headers.get("Require")) is not None and any(
            feature.strip() not in camera.features for feature in required.split(",")
        ):
            raise refuse(551, Unsupported=required)
        challenges = camera.authenticate(request, connection)
        if challenges is not None:
            response = make_response(401)
            for challenge in challenges:
                response.headers.add("WWW-Authenticate", challenge)
            return response
        if request.uri != "*":
            self._track_of(request.uri)
        session = self._session_of(request)
        if session is not None and "request" in camera.keepalive:
            session.touch()
        return await self._methods[request.method](exchange, connection)

    def _track_of(self, uri: str) -> int | None:
        """The track that a URI names; None for the whole presentation.

        Raises:
            Refused: 404, it names nothing here.
        """
        camera, path = self.camera, path_of(uri)
        if path.rstrip("/") == camera.path.rstrip("/"):
            return None
        if path.startswith(camera.path):
            rest = path[len(camera.path) :].lstrip("/")
            for index, track in enumerate(camera.presentation):
                if rest == track.control or path == path_of(track.control):
                    return index
        if not any(uri.endswith(track.control) for track in camera.presentation if track.control):
            raise refuse(404)
        return next(
            i for i, t in enumerate(camera.presentation) if t.control and uri.endswith(t.control)
        )

    def _session_of(self, request: Request) -> CameraSession | None:
        """The session that a request names; None when it names none.

        Raises:
            Refused: 454, there is no such session.
        """
        value = request.headers.get("Session")
        if value is None:
            return None
        session = self.camera.find_session(parse_session(value).id)
        if session is None:
            raise refuse(454)
        return session

    def _require_session(self, request: Request) -> CameraSession:
        session = self._session_of(request)
        if session is None:
            raise refuse(454)
        return session

    def _session_header(self, session: CameraSession) -> str:
        timeout = self.camera.advertised_timeout
        if timeout is None:
            timeout = self.camera.session_timeout
        whole = None if timeout is None else math.ceil(timeout)
        return serialize_session(SessionHeader(session.id, whole))

    async def _options(self, exchange: Exchange, connection: CameraConnection) -> Response:
        response = make_response(200, Public=", ".join(self.camera.methods))
        session = self._session_of(exchange.request)
        if session is not None:
            response.headers.add("Session", self._session_header(session))
        return response

    async def _describe(self, exchange: Exchange, connection: CameraConnection) -> Response:
        request, camera = exchange.request, self.camera
        accept = request.headers.get("Accept")
        if accept is not None and "application/sdp" not in accept and "*/*" not in accept:
            raise refuse(406)
        response = make_response(
            200, Content_Base=request.uri.rstrip("/") + "/", Content_Type="application/sdp"
        )
        response.body = describe(
            camera.presentation,
            address=connection.local[0].partition("%")[0],
            session_id=camera.session_version,
            range_value=self._whole_range(),
        )
        return response

    def _whole_range(self) -> str:
        return serialize_range(Range("npt", 0.0, self.camera.duration))

    async def _setup(self, exchange: Exchange, connection: CameraConnection) -> Response:
        request, camera = exchange.request, self.camera
        index = self._track_of(request.uri)
        if index is None:
            if len(camera.presentation) > 1:
                raise refuse(459)
            index = 0
        wanted = choose_transport(request, camera.transports)
        session = self._session_of(request)
        if session is not None and index in session.senders:
            if session.state == "playing":
                raise refuse(455)
            session.remove(index)
        if session is None and camera.is_full:
            raise refuse(453)
        chosen = session or camera.new_session()
        try:
            sender = await self._sender(chosen, index, wanted, connection)
        except BaseException:
            if session is None:
                chosen.close()
            raise
        sender.url = request.uri
        chosen.add(sender)
        return make_response(
            200,
            Transport=serialize_transport(sender.outlet.transport),
            Session=self._session_header(chosen),
        )

    async def _sender(
        self,
        session: CameraSession,
        index: int,
        wanted: Transport,
        connection: CameraConnection,
    ) -> TrackSender:
        camera = self.camera
        ssrc = camera.new_ssrc()
        outlet = await open_outlet(wanted, session, index, connection, ssrc)
        if session.state == "closed":  # meanwhile: the camera is closing
            outlet.close()
            raise refuse(454)
        return TrackSender(
            camera.presentation[index],
            index,
            outlet,
            ssrc=ssrc,
            sequence_number=camera.first_sequence_number(),
            timestamp=camera.first_timestamp(),
            max_packet_size=camera.max_packet_size,
        )

    async def _play(self, exchange: Exchange, connection: CameraConnection) -> Response:
        request = exchange.request
        session = self._require_session(request)
        if not session.senders:
            raise refuse(455)
        if self._track_of(request.uri) is not None and len(session.senders) > 1:
            raise refuse(460)
        response = make_response(200, Session=self._session_header(session))
        asked = self._range_of(request)
        if session.state != "playing" or asked is not None:
            begin = self._prepare(session, asked, request, response)
            end = self.camera.duration if asked is None or asked.end is None else asked.end
            response.headers.add("Range", serialize_range(Range("npt", round(begin, 6), end)))
            exchange.after.append(session.start)
        infos = [
            RtpInfo(sender.url, sender.sequence_number, sender.timestamp(session.npt()))
            for sender in session.senders.values()
        ]
        response.headers.add("RTP-Info", serialize_rtp_info(infos))
        return response

    def _range_of(self, request: Request) -> Range | None:
        """The range asked for; None for going on, and for the unit that is not ours.

        Raises:
            Refused: 457, it lies outside of the presentation.
        """
        value = request.headers.get("Range")
        if value is None:
            return None
        asked = parse_range(value)
        if asked.now:
            return None
        if asked.unit != "npt":
            raise refuse(457)
        end = self.camera.duration
        if isinstance(asked.start, float) and end is not None and asked.start >= end:
            raise refuse(457)
        return asked

    def _prepare(
        self, session: CameraSession, asked: Range | None, request: Request, response: Response
    ) -> float:
        """Make the session ready to play as asked; gives where it begins."""
        scale, speed = 1.0, 1.0
        for name in ("Scale", "Speed"):
            value = request.headers.get(name)
            if value is None:
                continue
            number = parse_seconds(value.strip()) or 1.0
            number = min(max(number, 1 / MAX_SCALE), MAX_SCALE)
            response.headers.add(name, f"{number:g}")
            scale, speed = (number, speed) if name == "Scale" else (scale, number)
        start = asked.start if asked is not None else None
        stop = asked.end if asked is not None else None
        return session.prepare(
            start=start if isinstance(start, float) else None,
            stop=stop if isinstance(stop, float) else None,
            scale=scale,
            speed=speed,
        )

    async def _pause(self, exchange: Exchange, connection: CameraConnection) -> Response:
        session = self._require_session(exchange.request)
        if session.state != "playing":
            raise refuse(455)
        session.pause()
        return make_response(200, Session=self._session_header(session))

    async def _teardown(self, exchange: Exchange, connection: CameraConnection) -> Response:
        session = self._require_session(exchange.request)
        index = self._track_of(exchange.request.uri)
        if index is not None and index in session.senders and len(session.senders) > 1:
            session.remove(index)
            return make_response(200, Session=self._session_header(session))
        session.close()
        return make_response(200)

    async def _get_parameter(self, exchange: Exchange, connection: CameraConnection) -> Response:
        response = self._with_session(exchange.request)
        names = exchange.request.body.decode("utf-8", "replace").split()
        missing = [name for name in names if name not in self.camera.parameters]
        if missing:
            raise refuse(451)
        if names:
            lines = [f"{name}: {self.camera.parameters[name]}\r\n" for name in names]
            response.headers.add("Content-Type", "text/parameters")
            response.body = "".join(lines).encode()
        return response

    async def _set_parameter(self, exchange: Exchange, connection: CameraConnection) -> Response:
        for line in exchange.request.body.decode("utf-8", "replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                self.camera.parameters[name.strip()] = value.strip()
        return self._with_session(exchange.request)

    def _with_session(self, request: Request) -> Response:
        """200, with the Session header when the request had one."""
        session = self._session_of(request)
        if session is None:
            return make_response(200)
        return make_response(200, Session=self._session_header(session))
