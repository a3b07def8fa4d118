"""The test kit: a scripted camera and a lossy link, for our tests and for yours.

    from rtspkit.testing import Camera, Delay, Impairment, Link, Reply

    async with Camera(session_timeout=5) as camera:
        camera.script("SETUP", Reply(461), nth=1)           # the first SETUP is refused
        camera.script("PLAY", Delay(0.5))
        async with Link(camera.url, down=Impairment(loss=0.05), seed=7) as link:
            async with rtspkit.connect(link.url) as session:
                ...
        assert [request.method for request in camera.requests][-1] == "TEARDOWN"

``Camera`` serves a real clip (H.264 with AAC or PCMU) over UDP and TCP, with authentication,
session time-outs and RTCP; ``CameraOptions`` lists its options, ``QUIRKS`` the misbehaviour of
real devices that it can play by name, ``Action`` is the base of everything a script can do.
``Link`` stands between a client and any RTSP server. Both are real servers on the loopback
interface, need no privileges, take their time from the running loop, and leave nothing behind.
"""

from __future__ import annotations

from rtspkit.testing.actions import (
    Action,
    Close,
    Delay,
    Drop,
    EditBody,
    EditBytes,
    EditHeaders,
    Exchange,
    Garbage,
    MediaFirst,
    Raw,
    Reply,
    Split,
    Truncate,
)
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera, ReceivedRtcp
from rtspkit.testing.camera_options import CameraOptions
from rtspkit.testing.clip import Clip, load_clip
from rtspkit.testing.impairment import Impairment, LaneCounters
from rtspkit.testing.link import Link
from rtspkit.testing.presentation import Track, Unit
from rtspkit.testing.quirks import QUIRKS, Quirk
from rtspkit.testing.script import Rule

__all__ = [
    "QUIRKS",
    "Action",
    "Authentication",
    "Camera",
    "CameraOptions",
    "Clip",
    "Close",
    "Delay",
    "Drop",
    "EditBody",
    "EditBytes",
    "EditHeaders",
    "Exchange",
    "Garbage",
    "Impairment",
    "LaneCounters",
    "Link",
    "MediaFirst",
    "Quirk",
    "Raw",
    "ReceivedRtcp",
    "Reply",
    "Rule",
    "Split",
    "Track",
    "Truncate",
    "Unit",
    "load_clip",
]
