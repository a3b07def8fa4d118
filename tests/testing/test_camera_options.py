from __future__ import annotations

import pytest

from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera_options import CameraOptions


@pytest.mark.parametrize(
    "bad",
    [
        {"transports": ("sctp",)},
        {"transports": "udp"},
        {"keepalive": ("ping",)},
        {"path": "stream"},
        {"session_timeout": 0},
        {"duration": -1.0},
        {"packets": 0},
        {"speed": 0},
        {"report_interval": 0},
        {"tracks": ()},
        {"username": "me", "authentication": Authentication()},
    ],
)
def test_what_cannot_be_is_refused_by_name(bad):
    with pytest.raises(ValueError, match=f"Camera.{next(iter(bad))}"):
        CameraOptions(**bad)


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="colour"):
        CameraOptions(colour="red")


def test_tls_is_a_context():
    with pytest.raises(TypeError, match=r"Camera.tls is an ssl.SSLContext, not True"):
        CameraOptions(tls=True)


def test_the_repr_holds_no_password():
    assert "secret" not in repr(CameraOptions())
    assert "secret" not in repr(CameraOptions(username="me", password="secret"))


def test_user_name_and_password_are_short_for_digest():
    authentication = CameraOptions(username="me", password="secret").authentication
    assert authentication == Authentication(username="me", password="secret")
