"""What the parts of a camera share: its sessions, connections, counters, time and chance.

Layer:  testing (``camera.py`` is the face for users)
In:     what connections and sessions report
Out:    ids, numbers by chance, the time, tasks; what a test waits for
"""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rtspkit.errors import DeadlineExceeded, MalformedPacket, RemoteProtocolError
from rtspkit.testing.authenticator import Authenticator
from rtspkit.testing.camera_connection import CameraConnection
from rtspkit.testing.camera_options import CameraOptions
from rtspkit.testing.camera_session import CameraSession
from rtspkit.testing.clip import load_clip
from rtspkit.testing.listener import LOOPBACK
from rtspkit.testing.media_quirks import PacketEdit, ReportEdit
from rtspkit.testing.outlet import InterleavedOutlet
from rtspkit.testing.presentation import Track
from rtspkit.testing.responder import Responder
from rtspkit.testing.script import Script
from rtspkit.testing.sender import TrackSender
from rtspkit.wire.message import Request, Response
from rtspkit.wire.ntp import unix_to_ntp
from rtspkit.wire.rtcp import RtcpPacket, SenderReport, is_rtcp, parse_rtcp

__all__ = ["CameraCore", "ReceivedRtcp"]

MAX_RECORDS = 100_000  # requests, RTCP packets and errors that are kept
_Record = TypeVar("_Record")
ALIASES = {"AAC": "MPEG4-GENERIC"}


@dataclass(slots=True)
class ReceivedRtcp:
    """RTCP that a client sent: one compound packet.

    Attributes:
        session: Id of the session.
        track: Place of the track.
        packets: What was in it.
        now: When it came, by the loop's clock.
    """

    session: str
    track: int
    packets: list[RtcpPacket]
    now: float


def _keep(records: list[_Record], record: _Record) -> None:
    """Append a record; past the bound, the older half goes."""
    records.append(record)
    if len(records) > MAX_RECORDS:
        del records[: MAX_RECORDS // 2]


class CameraCore(CameraOptions):
    """The state of a camera; see ``Camera``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rules = Script()
        self.responder = Responder(self)
        self.presentation: list[Track] = []
        self.session_version = 0
        self.requests: list[Request] = []
        self.rtcp_received: list[ReceivedRtcp] = []
        self.protocol_errors: list[RemoteProtocolError] = []
        self.sessions: dict[str, CameraSession] = {}
        self.connections: list[CameraConnection] = []
        self.packets_sent: Counter[int] = Counter()
        self.packets_failed: Counter[int] = Counter()
        self.datagrams_received = 0
        self.connections_made = 0
        self.sessions_made = 0
        self.sessions_expired = 0
        self.answered = 0
        self.challenged = 0
        self.refused = 0
        self.packet_edits: list[PacketEdit] = []
        self.report_edits: list[ReportEdit] = []
        self.parameters: dict[str, str] = {}
        self.media_stopped = False
        self.mute_control = False
        self._chance = random.Random(f"camera {self.seed}")
        self.authenticator: Authenticator | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._owned: set[asyncio.Future[None]] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._wall_at_zero: float | None = None  # when the loop's clock was 0

    def load(self) -> None:
        """Make the tracks of ``tracks``, each with a control of its own."""
        clip: dict[str, Track] = {}
        if any(isinstance(track, str) for track in self.tracks):
            clip = {track.encoding_name: track for track in load_clip()}
        self.presentation = []
        self.session_version += 1
        for index, track in enumerate(self.tracks):
            if isinstance(track, str):
                name = ALIASES.get(track.upper(), track.upper())
                if name not in clip:
                    raise ValueError(f"the clip has {sorted(clip)}, not {track!r}")
                track = clip[name]
            self.presentation.append(replace(track, control=track.control or f"track{index}"))

    def now(self) -> float:
        """Monotonic seconds of the running loop."""
        return asyncio.get_running_loop().time()

    def ntp(self) -> int:
        """The wall-clock time that the camera believes in, as a 64-bit NTP timestamp."""
        now = self.now()
        if self._wall_at_zero is None:
            self._wall_at_zero = time.time() - now
        return unix_to_ntp(self._wall_at_zero + now + self.wall_shift)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the camera is closed."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler(
                {"message": "a task of the test camera failed", "exception": error, "task": task}
            )

    def own(self, *closed: asyncio.Future[None]) -> None:
        """Remember sockets that have to be gone before ``aclose`` returns."""
        for future in closed:
            self._owned.add(future)
            future.add_done_callback(self._owned.discard)

    def changed(self) -> None:
        """Something may have happened that a test waits for."""
        for predicate, future in tuple(self._waiters):
            if future.done():
                continue
            try:
                if predicate():
                    future.set_result(None)
            except Exception as error:  # noqa: BLE001 - the waiting test gets it
                future.set_exception(error)

    async def wait_until(
        self, predicate: Callable[[], bool], *, timeout: float | None = 5.0
    ) -> None:
        """Wait until something is so; looked at whenever the camera did or received something.

        Args:
            predicate: ``lambda: len(camera.requests) > 3``.
            timeout: Seconds; None for no bound.

        Raises:
            DeadlineExceeded: It was not so in time.
        """
        if predicate():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = (predicate, future)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            if isinstance(timeout, float | int) and not predicate():
                raise DeadlineExceeded("camera", timeout) from None
        finally:
            self._waiters.remove(waiter)

    def connected(self, connection: CameraConnection) -> None:
        """A client has connected."""
        self.connections.append(connection)
        self.connections_made += 1
        self.own(connection.closed)
        self.changed()

    def disconnected(self, connection: CameraConnection) -> None:
        """A connection has ended; sessions whose media it carried end with it."""
        if connection in self.connections:
            self.connections.remove(connection)
        for session in list(self.sessions.values()):
            outlets = [sender.outlet for sender in session.senders.values()]
            if any(
                isinstance(o, InterleavedOutlet) and o.connection is connection for o in outlets
            ):
                session.close()
        self.changed()

    def record(self, request: Request) -> None:
        """A request was read."""
        _keep(self.requests, request)
        self.changed()

    def broken(self, error: RemoteProtocolError) -> None:
        """A client sent what is no RTSP or RTCP."""
        _keep(self.protocol_errors, error)
        self.changed()

    async def ask_user(self, request: Request) -> Response | None:
        """What ``on_request`` answers in the camera's place."""
        if self.on_request is None:
            return None
        answer = self.on_request(request)
        return await answer if inspect.isawaitable(answer) else answer

    def authenticate(self, request: Request, connection: CameraConnection) -> list[str] | None:
        """None when a request may go on, else the WWW-Authenticate headers of a 401."""
        what = self.authentication
        if what is None:
            return None
        holder: CameraConnection | CameraCore = connection if what.nonce_per_connection else self
        if (authenticator := holder.authenticator) is None or authenticator.what is not what:
            holder.authenticator = authenticator = Authenticator(what, self._chance)
        refused = authenticator.refused
        challenges = authenticator.check(request, self.now())
        self.challenged += challenges is not None
        self.refused += authenticator.refused - refused
        return challenges

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another session."""
        return self.max_sessions is not None and len(self.sessions) >= self.max_sessions

    def new_session(self) -> CameraSession:
        """Make a session."""
        session = CameraSession(self, f"{self._chance.getrandbits(64):016X}")
        self.sessions[session.id] = session
        self.sessions_made += 1
        self.changed()
        return session

    @property
    def url(self) -> str:
        """Where the presentation is; without credentials."""
        host = LOOPBACK[0] if self.host is None else self.host
        authority = f"[{host}]" if ":" in host else host
        scheme = "rtsp" if self.tls is None else "rtsps"
        return f"{scheme}://{authority}:{self.port}{self.path}"

    def find_session(self, session_id: str) -> CameraSession | None:
        """The session of that id; what follows a full stop in it is not looked at."""
        return self.sessions.get(session_id.partition(".")[0])

    def forget(self, session: CameraSession) -> None:
        """A session has ended."""
        self.sessions.pop(session.id, None)
        self.changed()

    def new_ssrc(self) -> int:
        """An SSRC by chance, never 0."""
        return self._chance.randrange(1, 1 << 32)

    def first_sequence_number(self) -> int:
        """Of the first packet of a track."""
        if self.sequence_number is None:
            return self._chance.getrandbits(16)
        return self.sequence_number & 0xFFFF

    def first_timestamp(self) -> int:
        """RTP time of the start of a track."""
        if self.timestamp is None:
            return self._chance.getrandbits(32)
        return self.timestamp & 0xFFFFFFFF

    def send_unit(self, sender: TrackSender) -> None:
        """Send the next unit of a track: at once, or packet by packet through ``on_packet``."""
        index, packets = sender.index, sender.packetize(self.packets)
        if self.on_packet is None:
            packets = self._edited(index, packets, self.packet_edits)
            if packets:
                self._count(index, sender.send_many(packets), len(packets))
        else:  # what it does to the camera is done between two packets
            edits = [*self.packet_edits, self.on_packet]
            for packet in packets:
                for out in self._edited(index, [packet], edits):
                    self._count(index, sender.send(out), 1)
        if self._waiters:
            self.changed()

    @staticmethod
    def _edited(index: int, packets: list[bytes], edits: list[PacketEdit]) -> list[bytes]:
        for edit in edits:
            packets = [out for packet in packets for out in edit(index, packet)]
        return packets

    def _count(self, index: int, taken: int, offered: int) -> None:
        """Count RTP packets that were offered to the system."""
        if taken:
            self.packets_sent[index] += taken
        if taken < offered:
            self.packets_failed[index] += offered - taken

    def edit_report(self, index: int, report: SenderReport) -> SenderReport | None:
        """What is sent in place of a sender report."""
        edits = (
            self.report_edits if self.on_report is None else [*self.report_edits, self.on_report]
        )
        edited: SenderReport | None = report
        for edit in edits:
            if edited is not None:
                edited = edit(index, edited)
        return edited

    def received(self, session: CameraSession, index: int, data: bytes, *, rtcp: bool) -> None:
        """A client sent something on one of a track's ports or channels."""
        self.datagrams_received += 1
        if rtcp and is_rtcp(data):
            try:
                packets = parse_rtcp(data)
            except MalformedPacket as error:
                self.broken(error)
            else:
                if "rtcp" in self.keepalive:
                    session.touch()
                _keep(self.rtcp_received, ReceivedRtcp(session.id, index, packets, self.now()))
        self.changed()
