"""The receivers there are, by key, and what each needs to run.

A key of rtspkit is put together: ``rtspkit-packets``, ``rtspkit-batches-recv_into``,
``rtspkit-units-datagram-asyncio``: a door, an engine (``auto`` unless named), a loop (uvloop unless
``asyncio`` is named).
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["DEFAULT", "RECEIVERS", "Receiver", "choose", "missing"]

DOORS = {"packets": "packets", "batches": "batches", "units": "access_units"}
ENGINES = ("auto", "recvmmsg", "recv_into", "datagram")
LOOPS = ("uvloop", "asyncio")
BOTH = ("udp", "tcp")
UDP = ("udp",)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver program with its arguments.

    Attributes:
        key: How it is chosen.
        subject: What it is called in results.
        module: In ``bench.receivers``.
        arguments: Besides URL, transport and streams.
        transports: What it can play.
        modules: Python modules that must be installed.
        program: Program that must be installed.
    """

    key: str
    subject: str
    module: str
    arguments: tuple[str, ...] = ()
    transports: tuple[str, ...] = BOTH
    modules: tuple[str, ...] = ()
    program: str = ""

    @property
    def takes_tree(self) -> bool:
        """Whether it runs rtspkit, and can take it from another folder."""
        return self.module == "rtspkit_session"


def _rtspkit() -> Iterable[Receiver]:
    for loop in LOOPS:
        for engine in ENGINES:
            for door, name in DOORS.items():
                words = [engine] * (engine != "auto") + [loop] * (loop != "uvloop")
                arguments = ["--door", name, "--loop", loop]
                arguments += ["--receiver", engine] * (engine != "auto")
                yield Receiver(
                    "-".join(["rtspkit", door, *words]),
                    f"rtspkit {name}" + (f" ({', '.join(words)})" if words else ""),
                    "rtspkit_session",
                    tuple(arguments),
                    BOTH if engine == "auto" else UDP,
                    ("uvloop",) if loop == "uvloop" else (),
                )


def _others() -> Iterable[Receiver]:
    yield Receiver("drain-recvmmsg", "bare recvmmsg", "recvmmsg", (), UDP)
    yield Receiver("drain-recvmmsg-gro", "bare recvmmsg, UDP_GRO", "recvmmsg", ("--gro",), UDP)
    yield Receiver("drain-recv", "bare recv", "recv")
    for loop in LOOPS:
        key, subject = f"{loop}-datagram", f"{loop} datagram protocol"
        modules = ("uvloop",) if loop == "uvloop" else ()
        yield Receiver(key, subject, "datagram", ("--loop", loop), UDP, modules)
    for key, subject, loop in (
        ("aiortsp", "aiortsp", "asyncio"),
        ("aiortsp-uvloop", "aiortsp (uvloop)", "uvloop"),
    ):
        needs = ("aiortsp", "uvloop") if loop == "uvloop" else ("aiortsp",)
        yield Receiver(key, subject, "aiortsp_reader", ("--loop", loop), BOTH, needs)
    yield Receiver("pyav", "PyAV demux", "pyav", (), BOTH, ("av",))
    yield Receiver("opencv", "OpenCV grab", "opencv", (), BOTH, ("cv2",))
    arguments = ("--program", "ffmpeg")
    yield Receiver("ffmpeg", "FFmpeg -c copy", "programs", arguments, program="ffmpeg")
    arguments = ("--program", "gstreamer")
    subject = "GStreamer rtspsrc"
    yield Receiver("gstreamer", subject, "programs", arguments, program="gst-launch-1.0")


RECEIVERS = {one.key: one for one in (*_others(), *_rtspkit())}
DEFAULT = (
    *("drain-recvmmsg", "drain-recvmmsg-gro", "drain-recv", "uvloop-datagram", "asyncio-datagram"),
    *("rtspkit-packets", "rtspkit-batches", "rtspkit-units", "rtspkit-packets-asyncio"),
    *("rtspkit-packets-recv_into", "rtspkit-packets-datagram"),
    *("rtspkit-packets-datagram-asyncio", "aiortsp", "pyav", "opencv", "ffmpeg", "gstreamer"),
)


def choose(keys: str | None, default: Iterable[str] = DEFAULT) -> list[Receiver]:
    """Receivers by comma-separated keys; ``all`` for every one, None for ``default``.

    Raises:
        KeyError: There is none of this key.
    """
    wanted = list(default) if keys is None else keys.split(",")
    if wanted == ["all"]:
        wanted = list(RECEIVERS)
    return [RECEIVERS[key] for key in wanted]


def missing(receiver: Receiver) -> str:
    """Why it cannot run on this machine; empty when it can."""
    for module in receiver.modules:
        if importlib.util.find_spec(module) is None:
            return f"the Python module {module} is not installed"
    if receiver.program and shutil.which(receiver.program) is None:
        return f"the program {receiver.program} is not installed"
    return ""
