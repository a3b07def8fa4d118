"""What the server is answered, and how often."""

import pytest

from rtspkit.engine.requested import METHOD, ServerRequests
from rtspkit.wire.message import Headers, Request, serialize_response


def ask(requests, method, now=0.0, cseq="7"):
    headers = Headers() if cseq is None else Headers([("CSeq", cseq)])
    return requests.answer(Request(method, "rtsp://us/", headers), now)


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("TEARDOWN", 200),
        ("SET_PARAMETER", 501),
        ("GET_PARAMETER", 501),
        ("ANNOUNCE", 501),
        ("REDIRECT", 501),
        ("PLAY_NOTIFY", 501),
    ],
)
def test_each_request_has_its_answer(method, status):
    response, event = ask(ServerRequests(20), method, 3.0)
    assert response.status_code == status
    assert response.headers.get("CSeq") == "7"
    assert (event.at, event.method, event.status_code) == (3.0, method, status)
    assert serialize_response(response)


def test_options_names_what_we_take():
    response, _ = ask(ServerRequests(20), "OPTIONS")
    assert response.headers.get("Public") == "OPTIONS, TEARDOWN"


def test_a_request_without_cseq_is_answered_without():
    response, _ = ask(ServerRequests(20), "OPTIONS", cseq=None)
    assert "CSeq" not in response.headers


def test_more_than_so_many_in_a_second_are_not_answered():
    requests = ServerRequests(3)
    answers = [ask(requests, "OPTIONS", now) for now in (0.0, 0.1, 0.2, 0.3, 0.99)]
    assert [response is not None for response, _ in answers] == [True] * 3 + [False] * 2
    assert answers[3] == (None, None)
    assert ask(requests, "OPTIONS", 1.0)[0] is not None


def test_an_event_does_not_hold_a_method_of_any_length():
    _, event = ask(ServerRequests(3), "X" * 8000)
    assert event.method == "X" * METHOD
