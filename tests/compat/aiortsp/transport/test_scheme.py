from __future__ import annotations

import pytest

from rtspkit.compat.aiortsp.transport import TCPTransport, UDPTransport, transport_for_scheme


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("rtsp", UDPTransport),
        ("rtspu", UDPTransport),
        ("rtspt", TCPTransport),
        ("rtsps", TCPTransport),
    ],
)
def test_each_scheme_has_its_transport(scheme, kind):
    assert transport_for_scheme(scheme) is kind


def test_another_scheme_is_refused():
    with pytest.raises(ValueError, match="http"):
        transport_for_scheme("http")
