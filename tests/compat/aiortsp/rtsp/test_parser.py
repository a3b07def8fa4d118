from __future__ import annotations

from rtspkit.compat.aiortsp.rtsp.parser import RTSPResponse
from rtspkit.wire.message import Headers, Response


def test_headers_have_lower_case_names_and_lists_where_they_came_twice():
    fields = [("CSeq", "7"), ("WWW-Authenticate", "Basic"), ("WWW-Authenticate", "Digest")]
    response = RTSPResponse(Response(401, "Unauthorized", Headers(fields)))
    assert (response.status, response.status_msg, response.cseq) == (401, "Unauthorized", 7)
    assert response.headers == {"cseq": "7", "www-authenticate": ["Basic", "Digest"]}
    assert response.headerlist[0] == ("cseq", "7")
    assert "401" in repr(response)


def test_a_body_is_there_as_bytes_and_as_text():
    headers = Headers([("Content-Type", "text/parameters")])
    response = RTSPResponse(Response(200, "OK", headers, b"a: \xff"))
    assert response.data == b"a: \xff"
    assert response.content == "a: �"
    assert response.length == response.content_length == 4
    assert response.content_type == "text/parameters"


def test_without_a_number_it_is_minus_one():
    assert RTSPResponse.made(200, "OK").cseq == -1
    assert RTSPResponse.made(200, "OK", 5).cseq == 5
