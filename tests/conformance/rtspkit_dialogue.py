"""Plays the other side of a dialogue of ``engine.handshake``: a server as a function."""

from rtspkit.engine.handshake import Ask, OpenPorts
from rtspkit.errors import RtspError, response_error
from rtspkit.wire.message import Headers, Response

URL = "rtsp://camera.example/live"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\na=control:*\r\n"
    b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n"
    b"m=audio 0 RTP/AVP 0\r\na=control:track2\r\n"
)
PORTS = (50_000, 50_001)
DESCRIBED = (("Content-Type", "application/sdp"), ("Content-Base", URL + "/"))


def response(*headers, body=b"", status=200):
    return Response(status, "OK", Headers(headers), body)


def transport(value):
    """The response to SETUP with this Transport header; None leaves it out."""
    return response(*(() if value is None else (("Transport", value),)))


class Served:
    """A dialogue played to its end.

    Args:
        dialogue: The generator, or a function that makes it of ``note``.
        answers: For a method, what its requests are answered, in order; the last one again and
            again. A number is a refusal with that status; an exception is thrown in.

    Attributes:
        steps: What it asked for.
        notes: Deviations with their details.
        result: What it returned.
        error: What it raised.
    """

    def __init__(self, dialogue, *, describe=None, setup=None, play=None):
        described = response(*DESCRIBED, body=SDP)
        self._answers = {
            "DESCRIBE": list(describe or [described]),
            "SETUP": list(setup or [echo]),
            "PLAY": list(play or [response()]),
        }
        self.steps = []
        self.notes = []
        self.result = self.error = None
        generator = dialogue(lambda identifier, detail: self.notes.append((identifier, detail)))
        try:
            step = next(generator)
            while True:
                self.steps.append(step)
                answer = self._answer(step)
                thrown = isinstance(answer, RtspError)
                step = generator.throw(answer) if thrown else generator.send(answer)
        except StopIteration as stop:
            self.result = stop.value
        except RtspError as error:
            self.error = error

    def _answer(self, step):
        if isinstance(step, OpenPorts):
            return PORTS
        if not isinstance(step, Ask):
            return None
        waiting = self._answers[step.method]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if callable(answer):
            answer = answer(step)
        if isinstance(answer, int):
            return response_error(step.method, answer, "words")
        return answer

    @property
    def asked(self):
        """Methods and URIs of the requests."""
        return [(step.method, step.uri) for step in self.steps if isinstance(step, Ask)]

    @property
    def transports(self):
        """The Transport header of each SETUP."""
        setups = [s for s in self.steps if isinstance(s, Ask) and s.method == "SETUP"]
        return [dict(step.headers)["Transport"] for step in setups]

    @property
    def quirks(self):
        """Deviations."""
        return [identifier for identifier, _ in self.notes]


def echo(step):
    """A server without a fault: what was asked for, and ports of its own."""
    value = dict(step.headers)["Transport"]
    return transport(value if "TCP" in value else value + ";server_port=6000-6001")
