"""The RTSP half of the source: enough of a server for every client we know.

In:     RTSP requests on connections; commands, one JSON object a line, on standard input
Out:    sessions that play, answers, one JSON object a line on standard output
Source: RFC 2326 §10 (methods), §10.12 (interleaved)

Commands, each answered by one line
- ``{"start": {"rate": 5000, "pacing": "flat", ...}}``  fields of ``Traffic``; counters begin anew
- ``{"stop": 1}``    nothing is sent until the next start; sessions stay
- ``{"stats": 1}``   what was sent up to now
The end of standard input ends the source.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import selectors
import socket
import sys
import time

from bench.pictures import format_parameters
from bench.source_messages import Connection, Session, take_message
from bench.source_sender import Outlet, Schedule, UdpPair, sender_report
from bench.traffic import Template, Traffic

__all__ = ["Server"]

SESSION_TIMEOUT = 60
REPORT_INTERVAL = 5.0  # s between sender reports
IDLE = 0.05  # s of waiting when nothing plays
TURN = 0.001  # s between two looks at the connections while something plays
METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
COMMAND_SIZE = 1 << 16


class Server:
    """The whole source: one thread, one selector, no wait that nobody can end."""

    def __init__(self, host: str, port: int, traffic: Traffic) -> None:
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((host, port), backlog=2048)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._host = host
        self._udp = UdpPair(host)
        self._schedule = Schedule(traffic, time.monotonic)
        self._sessions: list[Session] = []
        self._numbers = itertools.count(1)
        self._commands = bytearray()
        self._open = True
        self._reported = 0.0
        self.port: int = self._listener.getsockname()[1]

    def run(self) -> None:
        """Serve until standard input ends."""
        os.set_blocking(0, False)
        try:
            self._selector.register(0, selectors.EVENT_READ, self._read_commands)
        except (
            PermissionError
        ):  # a file or /dev/null: epoll takes neither, and there is no pipe to close
            self._open = False
        self._say({"port": self.port, "segmentation": self._udp.segmentation})
        looked = 0.0
        while self._open:
            due = self._schedule.run()
            now = time.monotonic()
            wait = IDLE if due is None else due - now
            if due is None or now - looked >= TURN:
                looked = now
                for key, mask in self._selector.select(IDLE if due is None else 0):
                    key.data(key.fileobj, mask)
                self._report(now)
            elif wait > 0:
                time.sleep(min(wait, TURN))
        self._udp.close()

    # -- commands

    def _read_commands(self, _file: object, _mask: int) -> None:
        data = os.read(0, COMMAND_SIZE)
        self._open = bool(data)
        self._commands += data
        while b"\n" in self._commands:
            line, _, rest = self._commands.partition(b"\n")
            self._commands = rest
            self._command(json.loads(line))

    def _command(self, command: dict[str, dict[str, object]]) -> None:
        if "start" in command:
            known = {
                item.name: getattr(Traffic(), item.name) for item in dataclasses.fields(Traffic)
            }
            try:
                traffic = Traffic(**{**known, **command["start"]})
            except (TypeError, ValueError) as error:
                self._say({"error": str(error)})
                return
            self._sessions = [one for one in self._sessions if not one.ended]
            self._schedule.start(traffic)
        elif "stop" in command:
            self._schedule.stop()
        self._say(self._statistics())

    def _statistics(self) -> dict[str, object]:
        outlets = [one for session in self._sessions for one in session.outlets.values()]
        return {
            "at": time.monotonic_ns(),
            "sent": sum(one.sent for one in outlets),
            "bytes": sum(one.bytes for one in outlets),
            "units": sum(one.units for one in outlets),
            "unit_bytes": sum(one.unit_bytes for one in outlets),
            "late": sum(one.late for one in outlets),
            "blocked": sum(one.blocked for one in outlets),
            "behind": self._schedule.behind,
            "playing": sum(session.playing for session in self._sessions),
            "sessions": [session.statistics() for session in self._sessions],
        }

    def _say(self, value: dict[str, object]) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()

    # -- connections

    def _accept(self, _listener: object, _mask: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)

        def ready(_sock: object, mask: int) -> None:
            self._ready(connection, mask)

        self._selector.register(sock, selectors.EVENT_READ, ready)

    def _ready(self, connection: Connection, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._flush(connection)
            if mask & selectors.EVENT_READ:
                data = connection.socket.recv(1 << 16)
                if not data:
                    self._drop(connection)
                    return
                connection.received += data
                while (message := take_message(connection.received)) is not None:
                    if len(message.words) == 3:  # else a receiver report, or an answer
                        method, url, _ = message.words
                        self._answer(connection, method, url, message.headers)
        except BlockingIOError:
            pass  # nothing there after all
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.socket.fileno() < 0:
            return
        self._selector.unregister(connection.socket)
        connection.socket.close()
        for session in connection.sessions.values():
            self._end(session)

    def _end(self, session: Session) -> None:
        self._schedule.remove(session.outlets.values())
        session.playing, session.ended = False, True

    def _flush(self, connection: Connection) -> None:
        sent = connection.socket.send(connection.pending)
        del connection.pending[:sent]
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.pending else 0)
        key = self._selector.get_key(connection.socket)
        if key.events != wanted:
            self._selector.modify(connection.socket, wanted, key.data)

    def _send(self, connection: Connection, data: bytes | memoryview) -> None:
        """Send now what the kernel takes, and keep the rest."""
        if connection.socket.fileno() < 0:
            return
        sent = 0
        if not connection.pending:
            try:
                sent = connection.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(connection)
                return
        if sent < len(data):
            connection.pending += data[sent:]
            self._watch(connection)

    # -- requests

    def _answer(
        self, connection: Connection, method: str, url: str, headers: dict[str, str]
    ) -> None:
        handler = getattr(self, f"_do_{method.lower()}", None)
        session = connection.sessions.get(headers.get("session", "").partition(";")[0])
        status, fields, body = 501, {}, ""
        if method in ("PLAY", "PAUSE", "TEARDOWN") and session is None:
            status = 454
        elif handler is not None:
            status, fields, body = handler(connection, url, headers, session)
        lines = [f"RTSP/1.0 {status} {'OK' if status == 200 else 'Refused'}"]
        lines.append(f"CSeq: {headers.get('cseq', '0')}")
        lines += [f"{name}: {value}" for name, value in fields.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._send(connection, ("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        if method == "PLAY" and status == 200 and session is not None and not session.playing:
            session.playing = True
            self._schedule.add(session.outlets.values())

    def _do_options(self, *_: object) -> tuple[int, dict[str, str], str]:
        return 200, {"Public": METHODS}, ""

    def _do_get_parameter(self, *_: object) -> tuple[int, dict[str, str], str]:
        return 200, {}, ""

    _do_set_parameter = _do_get_parameter

    def _do_describe(
        self, _connection: Connection, url: str, *_: object
    ) -> tuple[int, dict[str, str], str]:
        """``/live`` has one stream, ``/live/3`` three of the same."""
        match = re.fullmatch(r"rtsp://[^/]+/live(?:/([0-9]{1,3}))?/?", url)
        if match is None:
            return 404, {}, ""
        lines = ["v=0", f"o=- 1 1 IN IP4 {self._host}", "s=bench", "t=0 0", "a=control:*"]
        lines[3:3] = [f"c=IN IP4 {self._host}"]
        for index in range(int(match[1] or 1)):
            lines += ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"]
            lines += [f"a=fmtp:96 {format_parameters()}", f"a=control:stream={index}"]
        fields = {"Content-Type": "application/sdp", "Content-Base": url.rstrip("/") + "/"}
        return 200, fields, "\r\n".join(lines) + "\r\n"

    def _do_setup(
        self, connection: Connection, url: str, headers: dict[str, str], session: Session | None
    ) -> tuple[int, dict[str, str], str]:
        base, _, index = url.rpartition("/stream=")
        if not index.isascii() or not index.isdigit():
            return 404, {}, ""
        number = next(self._numbers)
        session = session or Session(f"{number:08x}", base)
        outlet, transport = self._outlet(connection, headers.get("transport", ""), number, session)
        if outlet is None:
            return 461, {}, ""
        if session.identifier not in connection.sessions:
            connection.sessions[session.identifier] = session
            self._sessions.append(session)
        session.outlets[int(index)] = outlet
        value = f"{session.identifier};timeout={SESSION_TIMEOUT}"
        return 200, {"Transport": transport, "Session": value}, ""

    def _outlet(
        self, connection: Connection, wish: str, number: int, session: Session
    ) -> tuple[Outlet | None, str]:
        """A stream on the first transport of the wish that we have, and how we put that."""
        ssrc = 0x5EED0000 + number
        first = number * 7919 & 0xFFFF
        tcp = re.search(r"RTP/AVP/TCP[^,]*interleaved=([0-9]{1,3})", wish)
        udp = re.search(r"RTP/AVP(?:/UDP)?;[^,]*client_port=([0-9]{1,5})(?:-([0-9]{1,5}))?", wish)
        if udp and (not tcp or udp.start() < tcp.start()) and "multicast" not in udp[0]:
            peer = connection.socket.getpeername()[0]
            ports = int(udp[1]), int(udp[2] or int(udp[1]) + 1)
            session.transport = "udp"
            session.client_ports += ports

            def send(template: Template) -> bool:
                joined = self._schedule.traffic.segmentation
                self._udp.send(template, (peer, ports[0]), joined=joined)
                return True

            def report(data: bytes) -> None:
                self._udp.rtcp.sendto(data, (peer, ports[1]))

            text = f"client_port={ports[0]}-{ports[1]};server_port="
            text += f"{self._udp.ports[0]}-{self._udp.ports[1]};ssrc={ssrc:08X}"
            outlet = Outlet(ssrc, False, send, report, 0, first, first)
            return outlet, f"RTP/AVP;unicast;{text}"
        if tcp:
            channel = int(tcp[1])
            session.transport = "tcp"

            def write(template: Template) -> bool:
                if connection.pending:
                    return False
                self._send(connection, template.data)
                return True

            def frame(data: bytes) -> None:
                head = bytes((0x24, channel + 1)) + len(data).to_bytes(2, "big")
                self._send(connection, head + data)

            text = f"interleaved={channel}-{channel + 1};ssrc={ssrc:08X}"
            outlet = Outlet(ssrc, True, write, frame, channel, first, first)
            return outlet, f"RTP/AVP/TCP;unicast;{text}"
        return None, ""

    def _do_play(
        self, _connection: Connection, _url: str, _headers: dict[str, str], session: Session
    ) -> tuple[int, dict[str, str], str]:
        info = ",".join(
            f"url={session.path}/stream={index};"
            f"seq={one.sequence_number & 0xFFFF};rtptime={one.timestamp}"
            for index, one in sorted(session.outlets.items())
        )
        return 200, {"Session": session.identifier, "Range": "npt=now-", "RTP-Info": info}, ""

    def _do_pause(
        self, _connection: Connection, _url: str, _headers: dict[str, str], session: Session
    ) -> tuple[int, dict[str, str], str]:
        self._schedule.remove(session.outlets.values())
        session.playing = False
        return 200, {"Session": session.identifier}, ""

    def _do_teardown(
        self, connection: Connection, _url: str, _headers: dict[str, str], session: Session
    ) -> tuple[int, dict[str, str], str]:
        self._end(session)
        connection.sessions.pop(session.identifier, None)
        return 200, {}, ""

    def _report(self, now: float) -> None:
        """Sender reports of everything that plays."""
        if now - self._reported >= REPORT_INTERVAL:
            self._reported = now
            for outlet in list(self._schedule.outlets):
                if outlet.sent:
                    outlet.report(sender_report(outlet))
