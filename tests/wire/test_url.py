"""RTSP URLs: one reader (S9), no secret shown (S8), controls and bases as request text (S4)."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtspkit.errors import LocalProtocolError
from rtspkit.wire.url import (
    RtspUrl,
    choose_base,
    join_control,
    parse_url,
    redact_url,
    remove_userinfo,
)

REQUEST = "rtsp://192.168.1.5:554/stream1"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("rtsp://cam", RtspUrl("rtsp", "cam", 554)),
        ("RTSP://cam/", RtspUrl("rtsp", "cam", 554, "/")),
        ("rtsps://cam/x", RtspUrl("rtsps", "cam", 322, "/x")),
        ("rtsph://cam/x", RtspUrl("rtsph", "cam", 80, "/x")),
        ("rtspt://cam:8554/x?a=b", RtspUrl("rtspt", "cam", 8554, "/x?a=b")),
        ("rtspu://cam?a=b", RtspUrl("rtspu", "cam", 554, "?a=b")),
        ("rtsp://cam/x#part", RtspUrl("rtsp", "cam", 554, "/x")),
        ("rtsp://[2001:db8::1]:99/x", RtspUrl("rtsp", "2001:db8::1", 99, "/x")),
        ("rtsp://cam/é", RtspUrl("rtsp", "cam", 554, "/%C3%A9")),
        ("rtsp://cam/a%20b", RtspUrl("rtsp", "cam", 554, "/a%20b")),
        ("rtsp://u@cam", RtspUrl("rtsp", "cam", 554, "", "u")),
        ("rtsp://u:@cam", RtspUrl("rtsp", "cam", 554, "", "u", "")),
        ("rtsp://@cam", RtspUrl("rtsp", "cam", 554)),
    ],
)
def test_a_url_is_read(text, url):
    assert parse_url(text) == url


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p%40ss", "p@ss"),
        ("p@ss", "p@ss"),
        ("p:s:s", "p:s:s"),
        ("p#ss", "p#ss"),
        ("p?ss", "p?ss"),
        ("p/ss", "p/ss"),
        ("p/s@s", "p/s@s"),
        ("100%", "100%"),
        ("50%25", "50%"),
        ("%zz", "%zz"),
        ("p%C3%A9", "pé"),
        ("pé", "pé"),
        ("p%E9", "pé"),
        ("%20", " "),
        ("", ""),
        ('"\\', '"\\'),
    ],
)
def test_S9_a_password_of_any_characters_has_one_reading(written, password):
    url = parse_url(f"rtsp://admin:{written}@cam:8554/x?y=z")
    assert (url.username, url.password) == ("admin", password)
    assert (url.host, url.port, url.target) == ("cam", 8554, "/x?y=z")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begin with rtsp://"),
        ("cam/x", "begin with rtsp://"),
        ("http://cam/x", "'http'"),
        ("rtsp://", "no host"),
        ("rtsp:///x", "no host"),
        ("rtsp://:554/x", "no host"),
        ("rtsp://u:p@/x", "no host"),
        ("rtsp://cam:0/", "port"),
        ("rtsp://cam:65536/", "port"),
        ("rtsp://cam:x/", "port"),
        ("rtsp://::1/", "brackets"),
        ("rtsp://[::1/", "brackets"),
        ("rtsp://[cam]/", "IPv6"),
        ("rtsp://cam/a b", "%20"),
        ("rtsp://cam/\r\nX: y", "%20"),
        ("rtsp://cam/\0", "%20"),
        ("rtsp://c%61m/", "host name"),
        ("rtsp://rtsp://cam/", "twice"),
        ("rtsp://u:p/q@a/x@b/", "two ways"),
    ],
)
def test_S9_what_is_no_url_is_refused_with_advice(text, words):
    with pytest.raises(LocalProtocolError, match=words) as caught:
        parse_url(text)
    assert caught.value.phase == "url"


def test_S9_a_backslash_before_the_at_sign_belongs_to_the_user_info():
    url = parse_url("rtsp://DOMAIN\\user:p@cam/")
    assert (url.username, url.host) == ("DOMAIN\\user", "cam")


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://admin:hunter2@cam:x/",
        "rtsp://admin:hunter2",
        "rtsp://admin:hunter2@",
        "rtsp://admin:hunter2 @cam/",
        "rtsp://admin:hun/hunter2@cam/x@y",
        "admin:hunter2@cam",
    ],
)
def test_S8_no_refusal_quotes_the_password(text):
    with pytest.raises(LocalProtocolError) as caught:
        parse_url(text)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(pickle.loads(pickle.dumps(caught.value)))


def test_S8_neither_str_nor_repr_shows_the_password():
    url = parse_url("rtsp://us%40er:hunter2@[2001:db8::1]:554/x?pwd=hunter2&user=a")
    assert str(url) == "rtsp://us%40er:***@[2001:db8::1]/x?pwd=***&user=a"
    assert repr(url) == f"RtspUrl({str(url)!r})"
    assert "hunter2" not in f"{url} {url!r} {[url]}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://u:p@cam/x", "rtsp://cam/x"),
        ("rtsp://cam/user=a&password=b&channel=1", "rtsp://cam/user=a&password=***&channel=1"),
        ("rtsp://cam/x?Token=abc", "rtsp://cam/x?Token=***"),
        ("trackID=1", "trackID=1"),
    ],
)
def test_S8_a_url_of_the_peer_is_shown_without_secrets(text, shown):
    assert redact_url(text) == shown


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("rtsp://u:p@cam/x#f", "rtsp://cam/x"),
        ("rtspt://cam:554/x", "rtsp://cam/x"),
        ("rtspu://cam:99", "rtsp://cam:99"),
        ("rtsph://cam/x", "rtsp://cam:80/x"),
        ("rtsps://cam/x", "rtsps://cam/x"),
        ("rtsp://[fe80::1%eth0]/x", "rtsp://[fe80::1]/x"),
    ],
)
def test_the_request_uri_has_no_credentials_fragment_alias_or_scope(text, uri):
    assert parse_url(text).request_uri == uri


def test_S2_the_origin_is_scheme_host_and_port():
    assert parse_url("rtspt://u:p@CAM/x").origin == ("rtsp", "cam", 554)
    assert parse_url("rtsps://cam/x").origin == ("rtsps", "cam", 322)


def test_userinfo_removed_leaves_the_rest():
    url = parse_url("rtsp://u:p@cam:99/x")
    assert url.userinfo_removed() == RtspUrl("rtsp", "cam", 99, "/x")


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("rtsp://u:p@cam/x", "rtsp://cam/x"),
        (" rtsp://u:p@cam/x", " rtsp://cam/x"),
        ("//u:p@cam/x", "//cam/x"),
        ("rtsp://rtsp://u:p@cam/x", "rtsp://rtsp://cam/x"),
        ("rtsp://u:p@q@cam/x@y", "rtsp://cam/x@y"),
        ("rtsp://u:p/q@cam/x", "rtsp://cam/x"),
        ("rtsp://u:p/q@r/s@cam", "rtsp://cam"),
        ("rtsp://cam/x?mail=a@b", "rtsp://cam/x?mail=a@b"),
        ("track@1", "track@1"),
        ("", ""),
    ],
)
def test_S4_user_info_is_taken_out_of_any_text(text, without):
    assert remove_userinfo(text) == without
    assert remove_userinfo(without) == without


@pytest.mark.parametrize(
    ("base", "control", "joined"),
    [
        ("rtsp://h/a/", "trackID=1", "rtsp://h/a/trackID=1"),
        ("rtsp://h/a", "trackID=1", "rtsp://h/a/trackID=1"),
        ("rtsp://h", "trackID=1", "rtsp://h/trackID=1"),
        ("rtsp://h/a", "*", "rtsp://h/a"),
        ("rtsp://h/a", " * ", "rtsp://h/a"),
        ("rtsp://h/a", "", "rtsp://h/a"),
        ("rtsp://h/a", None, "rtsp://h/a"),
    ],
)
def test_quirk_control_relative_star_or_empty(base, control, joined):
    assert join_control(base, control) == joined


def test_quirk_control_absolute_on_a_private_address_stays_as_it_is():
    control = "rtsp://10.0.0.9:554/x/trackID=1?a=b"
    assert join_control("rtsp://camera.example/x/", control) == control


def test_quirk_control_with_a_leading_slash_is_appended_too():
    assert join_control("rtsp://h/a", "/trackID=1") == "rtsp://h/a/trackID=1"
    assert join_control("rtsp://h/a/", "/trackID=1") == "rtsp://h/a/trackID=1"


def test_quirk_control_is_appended_after_the_query_of_the_base():
    base = "rtsp://h/cam/realmonitor?channel=1&subtype=1"
    assert join_control(base, "trackID=0") == f"{base}/trackID=0"
    assert join_control(f"{base}/", "trackID=0") == f"{base}/trackID=0"


def test_quirk_control_that_is_a_query_gets_no_slash():
    assert join_control("rtsp://h/video", "?ctype=video") == "rtsp://h/video?ctype=video"


def test_S4_user_info_in_a_control_is_stripped():
    assert join_control("rtsp://h/", "rtsp://u:p@other/x") == "rtsp://other/x"


def test_S7_blanks_and_controls_in_a_control_are_encoded():
    assert join_control("rtsp://h/", "track 1\r\nX: y") == "rtsp://h/track%201%0D%0AX:%20y"


def test_without_any_header_the_base_is_the_request_uri():
    assert choose_base(None, None, REQUEST) == (REQUEST, ())


def test_quirk_content_base_missing_then_content_location():
    assert choose_base(None, "rtsp://192.168.1.5/a/", REQUEST) == ("rtsp://192.168.1.5/a/", ())


def test_quirk_content_base_without_trailing_slash_stays_so():
    base = "rtsp://192.168.1.5/a"
    assert choose_base(f" {base} ", None, REQUEST) == (base, ())
    assert join_control(base, "track1") == "rtsp://192.168.1.5/a/track1"


@pytest.mark.parametrize(
    ("value", "base"),
    [
        ("192.168.1.5/stream1/", "rtsp://192.168.1.5/stream1/"),
        ("192.168.1.5:554/stream1/", "rtsp://192.168.1.5:554/stream1/"),
        ("//192.168.1.5/stream1/", "rtsp://192.168.1.5/stream1/"),
    ],
)
def test_quirk_content_base_without_scheme(value, base):
    assert choose_base(value, None, REQUEST) == (base, ("content-base-scheme-missing",))


@pytest.mark.parametrize(
    ("value", "base"),
    [
        ("/stream1/", "rtsp://192.168.1.5:554/stream1/"),
        ("stream1/", "rtsp://192.168.1.5:554/stream1/"),
    ],
)
def test_quirk_content_base_relative(value, base):
    assert choose_base(value, None, REQUEST) == (base, ("content-base-relative",))


@pytest.mark.parametrize("host", ["10.0.0.9", "192.168.1.5:8554", "cam.lan"])
def test_quirk_content_base_of_another_host_or_port_is_request_text(host):
    base = f"rtsp://{host}/stream1/"
    assert choose_base(base, None, REQUEST) == (base, ("content-base-other-host",))


def test_quirk_content_base_with_the_scheme_twice_or_a_bare_ipv6_address():
    assert choose_base("rtsp://rtsp://192.168.1.5/a/", None, REQUEST) == (
        "rtsp://192.168.1.5/a/",
        ("content-base-scheme-doubled",),
    )
    assert choose_base("rtsp://::1/a/", None, "rtsp://[::1]/a") == (
        "rtsp://[::1]/a/",
        ("content-base-ipv6-unbracketed",),
    )


@pytest.mark.parametrize(
    "value", ["", "*", "http://192.168.1.5/", "rtsp://", "rtsp:/x", "rtsp://a:b/"]
)
def test_quirk_content_base_that_is_of_no_use_is_passed_over(value):
    assert choose_base(value, None, REQUEST) == (REQUEST, ("content-base-unusable",))
    location = "rtsp://192.168.1.5/b/"
    assert choose_base(value, location, REQUEST) == (location, ("content-base-unusable",))


def test_S4_user_info_in_a_base_is_stripped():
    base, deviations = choose_base("rtsp://u:p@192.168.1.5/a/", None, REQUEST)
    assert (base, deviations) == ("rtsp://192.168.1.5/a/", ("content-base-user-info",))


def test_S9_reading_a_long_url_takes_linear_time():
    for text in ("rtsp://" * 20_000, "rtsp://u:" + "@" * 100_000, "rtsp://a" + "/@" * 50_000):
        remove_userinfo(text)
        base, _ = choose_base(text, text, REQUEST)
        assert base.startswith("rtsp://")


URLISH = st.text(alphabet="rtsp:/@?#[]%.0185uhé \\*", max_size=40) | st.text()


@given(URLISH.map(lambda text: f"rtsp://{text}") | URLISH)
def test_what_is_accepted_has_one_host_and_round_trips(text):
    try:
        url = parse_url(text)
    except LocalProtocolError:
        return
    again = parse_url(url.request_uri)
    assert (again.host, again.port, again.target) == (
        url.host.partition("%")[0],
        url.port,
        url.target,
    )
    assert url.request_uri.isascii()
    assert " " not in url.request_uri


@given(URLISH, URLISH, URLISH)
def test_texts_of_the_peer_never_raise_and_give_text_for_a_request_line(base, location, control):
    chosen, deviations = choose_base(base, location, REQUEST)
    joined = join_control(chosen, control)
    assert all("!" <= c <= "~" for c in joined)
    assert all(d.startswith("content-") for d in deviations)


@given(st.text(min_size=1).filter(lambda t: t.isprintable()))
def test_any_password_that_is_percent_encoded_comes_back(password):
    encoded = "".join(f"%{byte:02x}" for byte in password.encode())
    assert parse_url(f"rtsp://u:{encoded}@cam/").password == password
