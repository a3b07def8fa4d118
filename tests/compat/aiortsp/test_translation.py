from __future__ import annotations

import pytest

from rtspkit.compat.aiortsp.rtsp.errors import (
    RTSPConnectionError,
    RTSPError,
    RTSPResponseError,
    RTSPTimeoutError,
)
from rtspkit.compat.aiortsp.translation import translate, translated
from rtspkit.errors import (
    ConnectError,
    ConnectionLost,
    DeadlineExceeded,
    LimitExceeded,
    LocalProtocolError,
    RemoteProtocolError,
    RtspError,
    TooManySessions,
    Unauthorized,
    UnsupportedTransport,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Unauthorized("DESCRIBE", 401), RTSPResponseError),
        (TooManySessions("SETUP", 453), RTSPResponseError),
        (ConnectError("refused"), RTSPConnectionError),
        (ConnectionLost("gone"), RTSPConnectionError),
        (RemoteProtocolError("HTTP/1.1"), RTSPConnectionError),
        (LimitExceeded("body", 1, 2), RTSPConnectionError),
        (DeadlineExceeded("connect", 5), RTSPConnectionError),
        (DeadlineExceeded("describe", 5), RTSPTimeoutError),
        (LocalProtocolError("no such option"), RTSPError),
    ],
)
def test_each_error_has_its_name_there(error, kind):
    found = translate(error)
    assert type(found) is kind
    assert str(error) in str(found)
    assert found.__cause__ is error


def test_a_refusal_has_its_status():
    found = translate(TooManySessions("SETUP", 453, "Not Enough Bandwidth", cseq=4))
    assert found.reason() == {
        "type": "response",
        "status": 453,
        "message": "Not Enough Bandwidth",
    }
    assert found.response.cseq == 4


def test_a_transport_that_was_refused_is_a_refusal():
    error = RtspError("not over udp")
    error.__cause__ = UnsupportedTransport("SETUP", 461)
    found = translate(error)
    assert isinstance(found, RTSPResponseError)
    assert found.response.status == 461
    assert found.__cause__ is error


def test_within_the_manager_ours_become_theirs_and_others_pass():
    with pytest.raises(RTSPConnectionError, match="gone"), translated():
        raise ConnectionLost("gone")
    with pytest.raises(KeyError), translated():
        raise KeyError
