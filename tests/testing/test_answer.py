from __future__ import annotations

import pytest

from rtspkit.testing.answer import make_response, path_of, refuse


def test_makes_a_response_with_the_words_of_the_rfc():
    response = make_response(455, Content_Base="x")
    assert response.reason_phrase == "Method Not Valid in This State"
    assert response.headers.get("Content-Base") == "x"


def test_refusal_carries_its_response():
    assert refuse(405, Allow="PLAY").response.headers.get("Allow") == "PLAY"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("rtsp://host:554/a/b?c=d", "/a/b?c=d"),
        ("rtsp://[::1]:554", "/"),
        ("/a/b", "/a/b"),
        ("*", "*"),
    ],
)
def test_path_of_a_request_uri(uri, path):
    assert path_of(uri) == path
