"""GStreamer's RTSP server on 127.0.0.1, driven over its standard input and output.

Run by the system's Python, where ``gi`` lives; nothing of the project is imported. Lines of JSON:
it prints ``{"ready": PORT}`` once, then one answer to each question. It ends with its input.

    {"ask": "sessions"}                                -> {"sessions": 0}
    {"ask": "settle", "sessions": 0, "seconds": 2}     -> the same, once so many are left, or late
    {"ask": "requests"}                                -> {"OPTIONS": 3, "TEARDOWN": 1, …}

With ``--reference FILE`` it writes the first pictures of the video source, raw I420, and ends.
With ``--check`` it names the elements that are missing, as a list, and ends.
"""

import argparse
import io
import json
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

# A ball on its way: each picture differs from the next by far more than coding does (MSE), and
# is a function of its number alone.
SOURCE = (
    "videotestsrc pattern=ball animation-mode=frames motion=wavy"
    " foreground-color=0xffffd040 background-color=0xff204080"
)
PICTURE = "video/x-raw,format=I420,width=320,height=240,framerate=25/1"
TONE = "audiotestsrc is-live=true wave=sine freq=440 volume=0.5"

VIDEO = f"{SOURCE} is-live=true ! {PICTURE}"
H264 = "x264enc tune=zerolatency speed-preset=veryfast key-int-max=12 bitrate=1000 b-adapt=false"
H265 = (
    "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=12 bitrate=1000"
    " ! rtph265pay name=pay0 pt=96 mtu=600 config-interval=-1"
)
AAC = f"{TONE} ! audio/x-raw,rate=48000,channels=1 ! avenc_aac bitrate=96000"
PCMU = (
    "samplesperbuffer=160 ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=pay0 pt=0"
)

H264_IN_BAND = (
    f"{VIDEO} ! {H264} option-string=sliced-threads=0"
    " ! rtph264pay name=pay0 pt=96 mtu=600 config-interval=-1"
)
# Several slices a picture: the payloader repeats the parameter sets before each one, where
# H.264 allows none (7.4.1.2.3); a decoder that is given it so takes each slice for a picture.
H264_SLICES = f"{VIDEO} ! {H264} ! rtph264pay name=pay0 pt=96 mtu=600 config-interval=-1"
H264_IN_SDP = (
    f"{VIDEO} ! {H264} option-string=repeat-headers=0 ! video/x-h264,stream-format=avc"
    " ! rtph264pay name=pay0 pt=96 mtu=600 config-interval=0"
)
UDP = GstRtsp.RTSPLowerTrans.UDP
TCP = GstRtsp.RTSPLowerTrans.TCP

MOUNTS = {  # path: (pipeline, protocols)
    "/h264": (f"{H264_IN_BAND} {AAC} ! rtpmp4gpay name=pay1 pt=97", UDP | TCP),
    "/h264-sdp": (H264_IN_SDP, UDP | TCP),
    "/h264-slices": (H264_SLICES, UDP | TCP),
    "/h264-udp": (H264_IN_BAND, UDP),
    "/h264-tcp": (H264_IN_BAND, TCP),
    "/h265": (f"{VIDEO} ! {H265}", UDP | TCP),
    "/pcmu": (f"{TONE} {PCMU}", UDP | TCP),
    "/pcmu-short": (f"{TONE} num-buffers=100 {PCMU}", UDP | TCP),
}
ELEMENTS = (
    *("videotestsrc", "audiotestsrc", "x264enc", "x265enc", "avenc_aac", "mulawenc"),
    *("rtph264pay", "rtph265pay", "rtpmp4gpay", "rtppcmupay", "rtpbin", "udpsink"),
)
METHODS = (
    *("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN"),
    *("GET_PARAMETER", "SET_PARAMETER"),
)
AUTHENTICATION = {
    "basic": GstRtsp.RTSPAuthMethod.BASIC,
    "digest": GstRtsp.RTSPAuthMethod.DIGEST,
}


def say(**words):
    print(json.dumps(words), flush=True)


class Server:
    """The mounts above on one port, and the book of who is there."""

    def __init__(self, options):
        self.loop = GLib.MainLoop()
        self.questions = io.FileIO(sys.stdin.fileno(), closefd=False)
        self.requests = dict.fromkeys(METHODS, 0)
        self.timeout = options.session_timeout
        self.server = GstRtspServer.RTSPServer.new()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(options.port))
        self.pool = self.server.get_session_pool()
        self.aliases = dict(alias.split("=") for alias in options.alias)
        self.mount(protected=bool(options.user or options.tls))
        if options.user or options.tls:
            self.protect(options)
        self.server.connect("client-connected", self.client_connected)

    def mount(self, *, protected):
        mounts = self.server.get_mount_points()
        aliases = {path: MOUNTS[mount] for path, mount in self.aliases.items()}
        for path, (pipeline, protocols) in (MOUNTS | aliases).items():
            factory = GstRtspServer.RTSPMediaFactory.new()
            factory.set_launch(f"( {pipeline} )")
            factory.set_shared(False)
            factory.set_protocols(protocols)
            if protected:
                permissions = GstRtspServer.RTSPPermissions.new()
                permissions.add_role("viewer")
                for what in ("access", "construct"):
                    permissions.add_permission_for_role("viewer", f"media.factory.{what}", True)
                factory.set_permissions(permissions)
            mounts.add_factory(path, factory)

    def protect(self, options):
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_realm("interop")
        auth.set_supported_methods(AUTHENTICATION[options.authentication])
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", "viewer")
        if options.user:
            auth.add_digest(options.user, options.password, token)
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), token)
        else:
            auth.set_default_token(token)
        if options.tls:
            auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.tls))
        self.server.set_auth(auth)

    def client_connected(self, server, client):
        for method in METHODS:
            signal = f"{method.lower().replace('_', '-')}-request"
            client.connect(signal, self.request_received, method)
        client.connect("new-session", self.session_created)

    def request_received(self, client, context, method):
        self.requests[method] += 1

    def session_created(self, client, session):
        if self.timeout:
            session.set_timeout(self.timeout)
            session.set_property("extra-timeout", 0)

    def clean(self):
        self.pool.cleanup()  # ends the sessions whose time is over
        return True

    def question_received(self, channel, condition):
        line = self.questions.readline()
        if not line:
            self.loop.quit()
            return False
        question = json.loads(line)
        if question["ask"] == "requests":
            say(**self.requests)
        elif question["ask"] == "settle":
            self.settle(question["sessions"], time.monotonic() + question["seconds"])
        else:
            say(sessions=self.pool.get_n_sessions())
        return True

    def settle(self, wanted, deadline):
        """Answer when ``wanted`` sessions are left; at the deadline with how many there are."""
        count = self.pool.get_n_sessions()
        if count == wanted or time.monotonic() >= deadline:
            say(sessions=count)
        else:
            GLib.timeout_add(10, lambda: self.settle(wanted, deadline) or False)

    def run(self):
        if not self.server.attach(None):
            sys.exit("cannot listen")
        GLib.timeout_add(250, self.clean)
        GLib.io_add_watch(
            GLib.IOChannel.unix_new(sys.stdin.fileno()),
            GLib.PRIORITY_DEFAULT,
            GLib.IOCondition.IN | GLib.IOCondition.HUP,
            self.question_received,
        )
        say(ready=self.server.get_bound_port())
        self.loop.run()


def write_reference(path, pictures):
    """The first pictures of the source, one after the other, as the encoders are given them."""
    pipeline = Gst.parse_launch(
        f"{SOURCE} num-buffers={pictures} ! {PICTURE} ! filesink location={json.dumps(path)}"
    )
    pipeline.set_state(Gst.State.PLAYING)
    bus = pipeline.get_bus()
    message = bus.timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if message is None or message.type != Gst.MessageType.EOS:
        sys.exit("cannot write the reference")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--session-timeout", type=int, default=0, help="seconds; 0: GStreamer's 60")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--authentication", default="digest", choices=AUTHENTICATION)
    parser.add_argument("--tls", metavar="FILE", help="certificate and key, PEM: rtsps only")
    parser.add_argument("--alias", action="append", default=[], metavar="PATH=MOUNT")
    parser.add_argument("--reference", metavar="FILE")
    parser.add_argument("--pictures", type=int, default=250)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--check-tls", action="store_true", help="ends with 1 when there is none")
    options = parser.parse_args()
    Gst.init(None)
    if options.check_tls:
        sys.exit(not Gio.TlsBackend.get_default().supports_tls())
    elif options.check:
        print(json.dumps([e for e in ELEMENTS if Gst.ElementFactory.find(e) is None]))
    elif options.reference:
        write_reference(options.reference, options.pictures)
    else:
        Server(options).run()


if __name__ == "__main__":
    main()
